// The page's side of the worker. One worker per run, started for it and ended with it.

import * as Comlink from "comlink";
import type { Progress } from "../engine/run";
import type { Plan } from "../plan";
import type { HostInfo, Result } from "../result";
import type { Engine, InspectOutcome, RunOutcome } from "./worker";

export interface Run {
  /** Never rejects. */
  readonly outcome: Promise<RunOutcome>;
  /** Ends the worker at once. What was finished is kept, as a partial result. */
  cancel(reason: string): void;
}

const hostInfo = (): HostInfo => ({
  kind: "browser",
  agent: navigator.userAgent.slice(0, 400),
  crossOriginIsolated: globalThis.crossOriginIsolated,
  mobile: /Mobi|Android/.test(navigator.userAgent),
  logicalCores: navigator.hardwareConcurrency,
});

const startWorker = () =>
  new Worker(new URL("./worker.ts", import.meta.url), { type: "module", name: "tokenroof" });

const message = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** Starts a run. */
export function startRun(plan: Plan, onProgress: (progress: Progress) => void): Run {
  const worker = startWorker();
  const engine = Comlink.wrap<Engine>(worker);
  let last: Result | undefined;

  const { promise: outcome, resolve } = Promise.withResolvers<RunOutcome>();
  const end = (ended: RunOutcome) => {
    worker.terminate();
    resolve(ended);
  };
  /** What is left when the worker does not finish. */
  const stopped = (reason: string): RunOutcome =>
    last === undefined
      ? { ok: false, problem: reason }
      : { ok: true, result: { ...last, completion: { status: "partial", reason: reason.slice(0, 400) } } };

  const follow = (progress: Progress) => {
    last = progress.result;
    onProgress(progress);
  };
  worker.addEventListener("error", (event) =>
    end(stopped(`the worker failed: ${event.message ?? "it did not load"}`)),
  );
  engine
    .run(plan, hostInfo(), Comlink.proxy(follow))
    .then(end, (error: unknown) => end(stopped(message(error))));
  return { outcome, cancel: (reason) => end(stopped(reason)) };
}

/** How long an adapter may take to say what it is. */
const INSPECT_MS = 20_000;

/** Asks a worker of its own what the adapter says of itself. Never rejects. */
export async function inspect(): Promise<InspectOutcome> {
  const worker = startWorker();
  let deadline: ReturnType<typeof setTimeout> | undefined;
  const failed = new Promise<InspectOutcome>((resolve) => {
    worker.addEventListener("error", () => resolve({ ok: false, problem: "the worker did not load" }));
    deadline = setTimeout(() => resolve({ ok: false, problem: "the adapter does not answer" }), INSPECT_MS);
  });
  try {
    return await Promise.race([Comlink.wrap<Engine>(worker).inspect(hostInfo()), failed]);
  } catch (error) {
    return { ok: false, problem: message(error) };
  } finally {
    clearTimeout(deadline);
    worker.terminate();
  }
}
