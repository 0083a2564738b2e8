// Runs a plan: instruments, roofs, every cell, then whole models, then those to train, each on its own: what fails takes nothing with it, and
// a device that is lost is replaced.

import type { ForwardCase } from "../forward_result";
import { type Call, kernelOf, workOf } from "../kernels";
import { activationsOf, type DType } from "../kernels/elements";
import { isStreaming, type Probe } from "../kernels/probes";
import { type Plan, workloadsOf } from "../plan";
import { type Outcome, type Result, SCHEMA } from "../result";
import { median } from "../statistics";
import { samplesOf } from "../timing";
import type { TrainingCase } from "../training_result";
import type { KnownTuning } from "../tuning_records";
import { cacheCurve } from "./cache_curve";
import { type Chooser, createChooser } from "./choose";
import type { Clock } from "./clock";
import { unsupported } from "./device";
import { efforts } from "./effort";
import type { Host } from "./host";
import { measure } from "./measure";
import { divide, type Roofs } from "./pieces";
import { hasProbe, sweep } from "./roof";
import { isGone, openSession, type Session } from "./session";
import { callsOf, isDone, labelOf, type Unit, unitsOf } from "./units";
import { largestPiece } from "./weights";

export interface Progress {
  /** What is being done: "measuring matmul 512x3072x2048 f32". */
  readonly label: string;
  readonly done: number;
  readonly total: number;
  readonly elapsedSeconds: number;
  /** Expected time to the end, from the pace so far; null before there is one. */
  readonly etaSeconds: number | null;
  /** The cell under way, which is lost if the run ends here; null between cells. */
  readonly cell: { readonly call: Call; readonly dtype: DType } | null;
  /** The whole model under way, which is lost likewise. */
  readonly forward: ForwardCase | null;
  /** The model that is being trained, which is lost likewise. */
  readonly training: TrainingCase | null;
  /** Everything measured so far, as a partial result: what is kept when the run is cancelled. */
  readonly result: Result;
}

export interface RunOptions {
  /** Of all random data; drawn where absent. */
  readonly seed?: number;
  /** A partial result of the same plan to go on with: its cells are kept and not measured again. */
  readonly earlier?: Result;
  /** Tunings known beforehand. Those for this version, device and browser are used without a search; none is trusted. */
  readonly tunings?: readonly KnownTuning[];
}

/** So many devices lost in a row without a cell measured in between, and there is no point in another. */
const MAX_LOSSES = 3;

const message = (error: unknown) => (error instanceof Error ? error.message : String(error)).slice(0, 400);

/** Takes one unit of work off the list after another and says how long the rest will take. */
function pacer(units: number, clock: Clock, onProgress: (progress: Progress) => void, result: Result) {
  const began = clock.now();
  let total = units;
  let done = 0;
  let skipped = 0;
  return {
    /** It turns out that so many are not to be done here. */
    leaveOut(count: number) {
      total -= count;
    },
    report(label: string, unit?: Unit) {
      const elapsedSeconds = clock.now() - began;
      const timed = done - skipped;
      const etaSeconds = timed <= 0 ? null : (elapsedSeconds / timed) * (total - done);
      const forward = unit?.kind === "forward" ? unit.forward : null;
      const training = unit?.kind === "training" ? unit.training : null;
      const cell = unit !== undefined && "call" in unit ? { call: unit.call, dtype: unit.dtype } : null;
      onProgress({ label, done, total, elapsedSeconds, etaSeconds, cell, forward, training, result });
    },
    finish() {
      done++;
    },
    /** Already there, from an earlier run. */
    skip() {
      done++;
      skipped++;
    },
  };
}

function emptyResult(plan: Plan, host: Host, seed: number): Result {
  return {
    schema: SCHEMA,
    tool: { version: __VERSION__, commit: __COMMIT__ },
    createdAt: new Date().toISOString(),
    seed,
    completion: { status: "partial", reason: "not finished" },
    host: host.info,
    device: {
      vendor: "",
      architecture: "",
      device: "",
      description: "",
      type: "",
      others: [],
      software: null,
      features: [],
      limits: {},
    },
    instruments: null,
    reference: null,
    cacheCurve: [],
    incidents: [],
    plan,
    workloads: workloadsOf(plan),
    residency: [],
    tunings: [],
    outcomes: [],
    forwards: [],
    trainings: [],
  };
}

/** Measures one call, with the tuning that is best for its class here. */
async function measureCall(
  session: Session,
  { plan }: Result,
  chooser: Chooser,
  call: Call,
  dtype: DType,
  roofs: Roofs,
): Promise<Outcome> {
  const weights = await session.weightsOf(dtype);
  const largest = Math.min(largestPiece(session.gpu), weights.bytes);
  const { piece, pieces } = divide(call, dtype, roofs, largest);
  return chooser.withChoice(session, piece, dtype, (choice) =>
    measure(session, { call, piece, pieces, dtype, choice }, efforts[plan.preset], plan.sustain),
  );
}

/** Sweeps a probe and measures its best variant. The cache curve is taken along with the first one that reads. */
async function measureProbe(session: Session, result: Result, probe: Probe, dtype: DType): Promise<Outcome> {
  const { gpu, timer } = session;
  const weights = isStreaming(probe) ? await session.weightsOf(dtype) : undefined;
  const effort = efforts[result.plan.preset];
  const { call, choice, records } = await sweep(gpu, timer, weights, probe, dtype, effort);
  result.tunings.push(...records);
  if (effort.cacheHot && probe === "read" && weights !== undefined && result.cacheCurve.length === 0)
    result.cacheCurve = await cacheCurve(session, weights, choice);
  return measure(session, { call, piece: call, pieces: 1, dtype, choice }, effort);
}

/** FLOP/s and byte/s that the probes of a type reached; a cautious guess where one failed. */
function roofsOf({ outcomes }: Result, dtype: DType): Roofs {
  const best = (probe: Probe, guess: number) => {
    const rates = outcomes.flatMap((outcome) => {
      if (
        outcome.status !== "measured" ||
        outcome.call.kernel !== probe ||
        outcome.dtype !== activationsOf[dtype]
      )
        return [];
      if (outcome.timing.kind !== "spans") return [];
      const { flops, bytes } = workOf(outcome.call, outcome.dtype);
      return [(isStreaming(probe) ? bytes : flops) / median(samplesOf(outcome.timing, outcome.clock))];
    });
    return rates.length === 0 ? guess : Math.max(...rates);
  };
  return { flops: best("fma", 1e10), bandwidth: best("read", 2e9) };
}

/** Does a unit, and keeps what came of it. */
async function perform(session: Session, result: Result, chooser: Chooser, unit: Unit): Promise<void> {
  if (unit.kind === "forward") {
    const { forward } = unit;
    // A page loads what few plans ask for when one does.
    const { measureForward } = await import("./forward_unit");
    result.forwards.push(await measureForward(session, result, forward, roofsOf(result, forward.dtype)));
    return;
  }
  if (unit.kind === "training") {
    const { training } = unit;
    const { measureTraining } = await import("./training_unit");
    const roofs = roofsOf(result, training.dtype);
    result.trainings.push(await measureTraining(session, result, training, roofs));
    return;
  }
  const { call, dtype } = unit;
  const reason = unsupported(session.gpu, dtype) ?? kernelOf(call.kernel).unsupported?.(call.shape, dtype);
  if (unit.kind === "probe") {
    if (reason === undefined && hasProbe(session.gpu, unit.probe, dtype))
      result.outcomes.push(await measureProbe(session, result, unit.probe, dtype));
  } else if (reason !== undefined) {
    result.outcomes.push({ status: "skipped", call, dtype, reason });
  } else {
    result.outcomes.push(await measureCall(session, result, chooser, call, dtype, roofsOf(result, dtype)));
  }
}

/** Keeps that a unit failed. */
function fail(result: Result, unit: Unit, error: string): void {
  if (unit.kind === "forward") result.forwards.push({ status: "failed", ...unit.forward, reason: error });
  else if (unit.kind === "training")
    result.trainings.push({ status: "failed", ...unit.training, reason: error });
  else result.outcomes.push({ status: "failed", call: unit.call, dtype: unit.dtype, error });
}

/**
 * Runs a plan on the host's GPU. Resolves with a Result in every case but one: it throws NoDevice when
 * there is no GPU device to begin with. What the device is lost on, or does not answer, is reported as failed
 * and the run goes on with the next on a fresh device; where there is none to be had, the Result is partial.
 */
export async function run(
  plan: Plan,
  host: Host,
  onProgress: (progress: Progress) => void,
  { seed = Math.floor(Math.random() * 2 ** 32), earlier, tunings = [] }: RunOptions = {},
): Promise<Result> {
  const { clock } = host;
  const runBegan = clock.now() - (earlier?.reference?.readings.at(-1)?.at ?? 0);
  const result: Result = earlier ?? emptyResult(plan, host, seed);
  result.completion = { status: "partial", reason: "not finished" };
  const calls = callsOf(result);
  const units = unitsOf(plan, calls);
  const pace = pacer(units.length + 1, clock, onProgress, result);

  let session: Session | undefined;
  let losses = 0;
  const note = (says: string) =>
    result.incidents.push({ at: clock.now() - runBegan, says: says.slice(0, 400) });
  const chooser = createChooser(result, tunings, note);
  const replace = (error: unknown) => {
    note(message(error));
    session?.close();
    session = undefined;
    if (++losses === MAX_LOSSES)
      throw new Error(`${losses} devices lost in a row, the last one: ${message(error)}`);
  };

  pace.report("calibrating the instruments");
  session = await openSession(host, result, runBegan).catch((error: unknown) => {
    // A device that was lost so soon is replaced like any other; no device at all is another matter.
    if (!isGone(error)) throw error;
    replace(error);
    return undefined;
  });
  pace.finish();
  const { gpu } = session ?? {};
  const present = units.filter(
    (unit) => unit.kind !== "probe" || gpu === undefined || hasProbe(gpu, unit.probe, unit.dtype),
  );
  pace.leaveOut(units.length - present.length);
  const done = present.map(isDone(result, calls));

  try {
    for (const [i, unit] of present.entries()) {
      if (done[i]) {
        pace.skip();
        continue;
      }
      pace.report(labelOf(unit), unit);
      try {
        session ??= await openSession(host, result, runBegan);
        await perform(session, result, chooser, unit);
        losses = 0;
      } catch (error) {
        // Whatever it says, a device that has gone explains it.
        const cause = await (session?.gpu.assertAlive(error) ?? Promise.reject(error)).then(
          () => error,
          (gone: unknown) => gone,
        );
        fail(result, unit, message(cause));
        if (isGone(cause)) replace(cause);
        else if (session === undefined) throw cause;
      }
      pace.finish();
    }
    result.completion = { status: "complete" };
  } catch (error) {
    result.completion = { status: "partial", reason: message(error) };
  } finally {
    session?.close();
  }
  pace.report("done");
  return result;
}
