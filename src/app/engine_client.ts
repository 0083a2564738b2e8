// The page's side of the worker. A run has one worker at a time; one that dies is replaced, and the next goes on
// with what was measured. Nothing waits on a promise of a worker: those of a dead one never settle.

import * as Comlink from "comlink";
import type { Progress } from "../engine/run";
import type { Plan } from "../plan";
import type { HostInfo, Result } from "../result";
import type { KnownTuning } from "../tuning_records";
import { watch } from "./heartbeat";
import {
  asPartial,
  measuredCells,
  nothingUnderWay,
  type UnderWay,
  withFailed,
  withIncident,
} from "./interruption";
import type { Engine, InspectOutcome, Order, RunOutcome, SelfTestOutcome } from "./worker";

export interface Run {
  /** Never rejects. */
  readonly outcome: Promise<RunOutcome>;
  /** Ends the worker at once. What was finished is kept, as a partial result. */
  cancel(reason: string): void;
}

export interface RunOptions {
  /** A partial result of the same plan to go on with. */
  readonly earlier?: Result | undefined;
  /** Tunings known beforehand, of any device. */
  readonly tunings: readonly KnownTuning[];
  /** Seconds without a sign of life after which a worker counts as dead. */
  readonly patienceSeconds: number;
  onProgress(progress: Progress): void;
  /** A worker died, and another one goes on. */
  onRestart(): void;
}

/** So many workers are started in place of dead ones before a cell is measured in between. */
const MAX_RESTARTS = 3;

/** What the browser says of itself. */
export const hostInfo = (): HostInfo => ({
  kind: "browser",
  agent: navigator.userAgent.slice(0, 400),
  crossOriginIsolated: globalThis.crossOriginIsolated,
  mobile: /Mobi|Android/.test(navigator.userAgent),
  logicalCores: navigator.hardwareConcurrency,
});

export const startWorker = () =>
  new Worker(new URL("./worker.ts", import.meta.url), { type: "module", name: "tokenroof" });

const message = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** Why a worker has ended, by its "error" event. */
export const failure = (event: ErrorEvent) => `the worker failed: ${event.message ?? "it did not load"}`;

const isHidden = () => document.visibilityState === "hidden";

/** One worker and its part of a run. Once it has ended, for whatever reason, nothing more is heard of it. */
interface Leg {
  setHidden(hidden: boolean): void;
  end(): void;
}

interface LegEvents {
  onProgress(progress: Progress): void;
  onOutcome(outcome: RunOutcome): void;
  onDeath(reason: string): void;
}

/** What a worker is to do. */
type Task = Pick<Order, "plan" | "earlier" | "tunings">;

function startLeg(task: Task, patienceSeconds: number, events: LegEvents): Leg {
  const worker = startWorker();
  const progress = new MessageChannel();
  let over = false;
  const end = () => {
    if (over) return;
    over = true;
    unwatch();
    // Comlink holds the worker until its proxy is garbage, and the worker's listeners hold the proxy.
    engine[Comlink.releaseProxy]();
    worker.terminate();
    // An open port is no garbage either, even when nobody is left at its other end.
    progress.port1.close();
  };
  /** What was on its way when the worker ended still arrives, and is not to be heard. */
  const unlessOver =
    <T>(hear: (said: T) => void) =>
    (said: T) => {
      if (!over) hear(said);
    };
  const ending = <T>(hear: (said: T) => void) =>
    unlessOver((said: T) => {
      end();
      hear(said);
    });

  const die = ending(events.onDeath);
  const unwatch = watch(worker, patienceSeconds, () => die(`no sign of life in ${patienceSeconds} s`));
  worker.addEventListener("error", (event) => die(failure(event)));
  progress.port1.onmessage = unlessOver(({ data }: MessageEvent<Progress>) => events.onProgress(data));
  const engine = Comlink.wrap<Engine>(worker);
  const order: Order = { ...task, info: hostInfo(), hidden: isHidden() };
  engine
    .run(order, Comlink.transfer(progress.port2, [progress.port2]))
    .then(ending(events.onOutcome), (error: unknown) => die(message(error)));
  return { setHidden: (hidden) => void engine.setHidden(hidden), end };
}

/** Starts a run. */
export function startRun(plan: Plan, { patienceSeconds, onProgress, onRestart, ...given }: RunOptions): Run {
  const { earlier } = given;
  /** Everything so far, through all workers. */
  let kept = earlier;
  let underWay: UnderWay = nothingUnderWay;
  let { tunings } = given;
  let furthest = 0;
  let restarts = 0;
  let leg: Leg;
  const began = performance.now();
  const elapsedSeconds = () => (performance.now() - began) / 1000;
  // An earlier part of the run ended at its last reading of the reference kernel, as far as anybody knows.
  const offset = earlier?.reference?.readings.at(-1)?.at ?? 0;

  const { promise: outcome, resolve } = Promise.withResolvers<RunOutcome>();
  const finish = (ended: RunOutcome) => {
    document.removeEventListener("visibilitychange", tell);
    leg.end();
    resolve(ended);
  };
  /** What is left when no worker finishes it. */
  const stopped = (reason: string): RunOutcome =>
    kept === undefined ? { ok: false, problem: reason } : { ok: true, result: asPartial(kept, reason) };
  /** The same where there is no more to say than the reason, unless a cell was got to before. */
  const failed = (reason: string): RunOutcome =>
    kept === undefined || kept.outcomes.length + kept.forwards.length + kept.trainings.length === 0
      ? { ok: false, problem: reason }
      : stopped(reason);

  const begin = () => {
    const measuredBefore = kept === undefined ? 0 : measuredCells(kept);
    leg = startLeg({ plan, earlier: kept, tunings }, patienceSeconds, {
      onProgress(progress) {
        const { cell, forward, training } = progress;
        kept = progress.result;
        underWay = { cell, forward, training };
        // A new worker begins at the beginning, and passes over what is there already.
        furthest = Math.max(furthest, progress.done);
        onProgress({ ...progress, done: furthest, elapsedSeconds: elapsedSeconds() });
      },
      onOutcome: (ended) => finish(ended.ok ? ended : failed(ended.problem)),
      onDeath(reason) {
        if (kept !== undefined) {
          kept = withFailed(kept, underWay, `the worker died while it was measured: ${reason}`);
          kept = withIncident(kept, offset + elapsedSeconds(), `the worker died: ${reason}`);
          if (measuredCells(kept) > measuredBefore) restarts = 0;
        }
        // Whatever killed it may have been a kernel that was known beforehand.
        const { kernel } = underWay.cell?.call ?? {};
        tunings = tunings.filter((each) => each.kernel !== kernel);
        underWay = nothingUnderWay;
        if (restarts === MAX_RESTARTS) {
          const times = `the worker died ${restarts + 1} times with no cell measured in between`;
          return finish(failed(`${times}, the last time: ${reason}`));
        }
        restarts++;
        onRestart();
        begin();
      },
    });
  };
  const tell = () => leg.setHidden(isHidden());
  document.addEventListener("visibilitychange", tell);
  begin();
  return { outcome, cancel: (reason) => finish(stopped(reason)) };
}

/** How long an adapter may take to say what it is, and a self-test to end. */
const INSPECT_SECONDS = 20;
const SELF_TEST_SECONDS = 180;

/** Asks a worker of its own, which ends with the answer or at the deadline. Never rejects. */
async function ask<T>(
  question: (engine: Comlink.Remote<Engine>) => Promise<T>,
  seconds: number,
  late: string,
): Promise<T | { ok: false; problem: string }> {
  const worker = startWorker();
  let deadline: ReturnType<typeof setTimeout> | undefined;
  const failed = new Promise<{ ok: false; problem: string }>((resolve) => {
    worker.addEventListener("error", () => resolve({ ok: false, problem: "the worker did not load" }));
    deadline = setTimeout(() => resolve({ ok: false, problem: late }), 1000 * seconds);
  });
  try {
    return await Promise.race([question(Comlink.wrap<Engine>(worker)), failed]);
  } catch (error) {
    return { ok: false, problem: message(error) };
  } finally {
    clearTimeout(deadline);
    worker.terminate();
  }
}

/** What the adapter says of itself. Never rejects. */
export const inspect = (): Promise<InspectOutcome> =>
  ask<InspectOutcome>(
    async (engine) => engine.inspect(hostInfo()),
    INSPECT_SECONDS,
    "the adapter does not answer",
  );

/** Runs the self-test of the instruments. Never rejects. */
export const runSelfTest = (say: (label: string) => void): Promise<SelfTestOutcome> =>
  ask<SelfTestOutcome>(
    async (engine) => engine.selfTest(hostInfo(), Comlink.proxy(say)),
    SELF_TEST_SECONDS,
    `the self-test did not end in ${SELF_TEST_SECONDS} s`,
  );
