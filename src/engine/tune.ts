// Which tuning of a kernel is fastest on this device? Each is checked before it is timed.

import { type AnyShape, type Call, kernelOf } from "../kernels";
import type { DType } from "../kernels/kernel";
import type { TuningRecord } from "../result";
import { CURSORY, check } from "./check";
import type { Gpu } from "./device";
import type { Effort } from "./effort";
import { type Launch, prepare } from "./launch";
import { fittingTunings } from "./pipeline";
import type { Timer } from "./timer";
import type { Weights } from "./weights";

/** Below this, a difference between two candidates is taken for noise and the earlier one is kept. */
const WORTHWHILE = 0.97;

/** A span of so many times what the timer tells is no longer short, whatever its difference from another. */
const LONG_ENOUGH = 10;

/** A single dispatch that takes longer is timed well enough by one span. */
const LONG_SECONDS = 0.15;

/** A candidate this many times slower than the best is not worth a second look. */
export const HOPELESS = 3;

/**
 * Seconds per dispatch: the slope between n and 3n dispatches, free of what a submit and an await cost. Where an
 * interruption of the shorter span leaves no slope, the longer span's mean.
 */
async function slope(timer: Timer, launch: Launch, n: number, estimate: number) {
  const few = await timer.span(launch, n, estimate);
  const many = await timer.span(launch, 3 * n, estimate);
  const stamped = few.gpu !== null && many.gpu !== null;
  const longest = stamped ? (many.gpu ?? 0) : many.wall;
  const difference = longest - (stamped ? (few.gpu ?? 0) : few.wall);
  return {
    difference,
    longest,
    seconds: Math.max(difference > 0 ? difference / (2 * n) : longest / (3 * n), 1e-9),
  };
}

/**
 * Seconds per dispatch over enough dispatches to tell; the better of two slopes where one is short. A launch
 * that is far slower than `limit` seconds is timed only once.
 */
export async function quickTime(
  timer: Timer,
  launch: Launch,
  limit = Number.POSITIVE_INFINITY,
): Promise<number> {
  const first = await timer.span(launch, 1, 0);
  const once = first.gpu ?? first.wall;
  // Long enough to be told by itself.
  if (once > LONG_SECONDS && once > HOPELESS * (Number.isFinite(limit) ? limit : 0)) return once;
  let n = 1;
  let found = await slope(timer, launch, n, once);
  while (found.difference < timer.tells && found.longest < LONG_ENOUGH * timer.tells && n < 8192) {
    n *= 4;
    found = await slope(timer, launch, n, found.seconds);
  }
  if (found.difference > 5 * timer.tells) return found.seconds;
  const again = await slope(timer, launch, n, found.seconds);
  return Math.min(found.seconds, again.seconds);
}

/** The tunings to try: all that the device's limits allow, or the first of them and the last, which differ most. */
export function candidates(
  gpu: Gpu,
  { kernel, shape }: Pick<Call, "kernel"> & { shape: AnyShape },
  dtype: DType,
  { search }: Effort,
): string[] {
  const fitting = fittingTunings(gpu, kernel, shape, dtype);
  return search ? fitting : [...new Set([...fitting.slice(0, 1), ...fitting.slice(-1)])];
}

/**
 * Tries the tunings of `names`. One that does not compile or fails its check is recorded as null and not timed.
 * Throws the last such error when none is left.
 */
export async function tune(
  gpu: Gpu,
  timer: Timer,
  weights: Weights | undefined,
  call: Pick<Call, "kernel"> & { shape: AnyShape },
  dtype: DType,
  names: readonly string[],
): Promise<{ record: TuningRecord; secondsPerDispatch: number }> {
  const tried: Record<string, number | null> = {};
  let best: { name: string; seconds: number } | undefined;
  let problem: unknown = new Error(`no tuning of ${call.kernel} fits this device's limits`);

  // Compiling is most of the time, and compilers work side by side.
  const launches = names.map((name) => prepare(gpu, weights, call, dtype, name));
  const settled = await Promise.allSettled(launches);
  try {
    for (const [i, outcome] of settled.entries()) {
      const name = names[i]!;
      try {
        if (outcome.status === "rejected") throw outcome.reason;
        const { span } = await check(gpu, timer, outcome.value, CURSORY);
        outcome.value.compiled.firstRun ??= span;
        const seconds = await quickTime(timer, outcome.value, best?.seconds);
        tried[name] = seconds;
        if (best === undefined || seconds < best.seconds * WORTHWHILE) best = { name, seconds };
      } catch (error) {
        await gpu.assertAlive(error);
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
