// Which tuning of a kernel is fastest on this device? Each is checked before it is timed.

import { type AnyShape, type Call, kernelOf } from "../kernels";
import type { DType } from "../kernels/kernel";
import type { TuningRecord } from "../result";
import { check } from "./check";
import type { Gpu } from "./device";
import { type Launch, prepare } from "./launch";
import { fittingTunings } from "./pipeline";
import type { Timer } from "./timer";
import type { Weights } from "./weights";

/** Below this, a difference between two candidates is taken for noise and the earlier one is kept. */
const WORTHWHILE = 0.97;

/** A candidate this many times slower than the best is not worth a second look. */
export const HOPELESS = 3;

/** Seconds per dispatch over `dispatches`, by the best clock there is. */
async function secondsOf(
  timer: Timer,
  launch: Launch,
  dispatches: number,
  estimate: number,
): Promise<number> {
  const { gpu, wall } = await timer.span(launch, dispatches, estimate);
  return Math.max((gpu ?? wall) / dispatches, 1e-9);
}

/**
 * Seconds per dispatch: the better of two runs, long enough for the fixed cost not to matter. A launch
 * that turns out slower than `limit` is timed only once.
 */
export async function quickTime(
  timer: Timer,
  launch: Launch,
  limit = Number.POSITIVE_INFINITY,
): Promise<number> {
  let estimate = await secondsOf(timer, launch, 1, 0);
  if (estimate > HOPELESS * Math.max(limit, 0.01)) return estimate;
  for (let dispatches = 4; estimate * dispatches < 0.01 && dispatches < 8192; dispatches *= 4) {
    estimate = await secondsOf(timer, launch, dispatches, estimate);
  }
  const repeat = Math.max(1, Math.ceil(0.01 / estimate));
  return Math.min(
    await secondsOf(timer, launch, repeat, estimate),
    await secondsOf(timer, launch, repeat, estimate),
  );
}

/**
 * Tries every tuning, or only the `candidates`, that the device's limits allow. A tuning that does not compile or fails its check
 * is recorded as null and not timed. Throws the last such error when none is left.
 */
export async function tune(
  gpu: Gpu,
  timer: Timer,
  weights: Weights | undefined,
  call: Pick<Call, "kernel"> & { shape: AnyShape },
  dtype: DType,
  candidates?: readonly string[],
): Promise<{ record: TuningRecord; secondsPerDispatch: number }> {
  const tried: Record<string, number | null> = {};
  let best: { name: string; seconds: number } | undefined;
  let problem: unknown = new Error(`no tuning of ${call.kernel} fits this device's limits`);

  // Compiling is most of the time, and compilers work side by side.
  const fitting = fittingTunings(gpu, call.kernel, call.shape, dtype);
  const names = fitting.filter((name) => candidates?.includes(name) ?? true);
  const launches = names.map((name) => prepare(gpu, weights, call, dtype, name));
  const settled = await Promise.allSettled(launches);
  try {
    for (const [i, outcome] of settled.entries()) {
      const name = names[i]!;
      try {
        if (outcome.status === "rejected") throw outcome.reason;
        await check(gpu, outcome.value, 4, 32);
        const seconds = await quickTime(timer, outcome.value, best?.seconds);
        tried[name] = seconds;
        if (best === undefined || seconds < best.seconds * WORTHWHILE) best = { name, seconds };
      } catch (error) {
        await gpu.assertAlive();
        tried[name] = null;
        problem = error;
      }
    }
  } finally {
    for (const outcome of settled) if (outcome.status === "fulfilled") outcome.value.destroy();
  }
  if (best === undefined) throw problem;
  return {
    record: {
      kernel: call.kernel,
      dtype,
      shapeClass: kernelOf(call.kernel).shapeClass(call.shape),
      tried,
      picked: best.name,
    },
    secondsPerDispatch: best.seconds,
  };
}
