// Which way to compute a kernel is fastest on this device? A hill climb from where others of its kind are good; each
// candidate is checked before it is timed.

import { type AnyCall, kernelOf } from "../kernels";
import { type Choice, choiceName, neighbours } from "../kernels/choices";
import type { DType } from "../kernels/elements";
import type { TuningRecord } from "../result";
import { uniform } from "../statistics";
import { CURSORY, check } from "./check";
import type { Gpu } from "./device";
import { type Launch, prepare } from "./launch";
import { fittingStarts, unfit } from "./pipeline";
import type { Timer } from "./timer";
import type { Weights } from "./weights";

/** Below this, a difference between two candidates is taken for noise and the earlier one is kept. */
const WORTHWHILE = 0.97;

/** The default is kept unless another choice takes less than this share of its time. */
const LOYALTY = 0.9;

/** Candidates that are compiled side by side: compiling is most of the time, and compilers have cores of their own. */
const SIDE_BY_SIDE = 4;

/** Places in memory that a candidate rotates through: candidates are many, and each place is bound by itself. */
const PLACES = 256;

/** Times that the default and the best are timed again, by turns, before one of them is picked. */
const DUELS = 2;

/** A span of so many times what the timer tells is no longer short, whatever its difference from another. */
const LONG_ENOUGH = 10;

/** A single dispatch that takes longer is timed well enough by one span. */
const LONG_SECONDS = 0.15;

/** A candidate this many times slower than the best is not worth a second look. */
export const HOPELESS = 3;

/**
 * Seconds per dispatch: by the GPU's timestamps the mean of 3n of them; else the slope between n and 3n, free of what a
 * submit and an await cost. Where an interruption of the shorter span leaves no slope, the longer span's mean.
 */
async function slope(timer: Timer, launch: Launch, n: number, estimate: number) {
  const few = await timer.span(launch, n, estimate);
  const many = await timer.span(launch, 3 * n, estimate);
  const stamped = few.gpu !== null && many.gpu !== null;
  const longest = stamped ? (many.gpu ?? 0) : many.wall;
  const difference = longest - (stamped ? (few.gpu ?? 0) : few.wall);
  // The GPU's own time of a span has next to no fixed cost: its mean is steadier than a slope, whose short span may
  // have been interrupted, and which then makes a candidate faster than it is.
  const sloped = !stamped && difference > 0;
  return {
    difference,
    longest,
    seconds: Math.max(sloped ? difference / (2 * n) : longest / (3 * n), 1e-9),
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

/** Where to look, and for how long. */
export interface Search {
  /** Candidates to begin with; the first that works is the default. */
  readonly from: readonly Choice[];
  /** After this many seconds no further candidate is tried, once all of `from` were. */
  readonly seconds: number;
  /** Whether the best is picked even where the default is as good: for roofs, which are the best of everything. */
  readonly disloyal?: boolean;
}

/** The choices to begin with: all that suit the device, or the first of them and the last, which differ most. */
export function candidates(
  gpu: Gpu,
  { kernel, shape }: AnyCall,
  dtype: DType,
  { search }: { readonly search: boolean },
): Choice[] {
  const fitting = fittingStarts(gpu, kernel, shape, dtype);
  return search ? fitting : [...new Set([...fitting.slice(0, 1), ...fitting.slice(-1)])];
}

interface Tried {
  readonly launch: Launch;
  readonly seconds: number;
}

/** What a search has found. */
export interface Found {
  readonly choice: Choice;
  readonly secondsPerDispatch: number;
  readonly record: TuningRecord;
}

/**
 * Searches for the fastest choice. One that does not compile or fails its check is recorded as null and not timed.
 * Throws the last such error when none is left.
 */
export async function tune(
  gpu: Gpu,
  timer: Timer,
  weights: Weights | undefined,
  call: AnyCall,
  dtype: DType,
  { from, seconds: budget, disloyal = false }: Search,
): Promise<Found> {
  const kernel = kernelOf(call.kernel);
  const began = gpu.clock.now();
  const random = uniform(gpu.freshSeed());
  const times: Record<string, number | null> = {};
  let usual: Tried | undefined;
  let best: Tried | undefined;
  let problem: unknown = new Error(`no way to compute ${call.kernel} in ${dtype} suits this device`);

  /** Tries candidates, which are compiled side by side and timed one after another. */
  const tryOut = async (choices: readonly Choice[]) => {
    const launches = choices.map((choice) => prepare(gpu, weights, call, dtype, choice, PLACES));
    const settled = await Promise.allSettled(launches);
    for (const [i, outcome] of settled.entries()) {
      const name = choiceName(kernel, choices[i]!);
      try {
        if (outcome.status === "rejected") throw outcome.reason;
        const launch = outcome.value;
        try {
          const { span } = await check(gpu, timer, launch, CURSORY);
          launch.compiled.firstRun ??= span;
          const tried = { launch, seconds: await quickTime(timer, launch, best?.seconds) };
          times[name] = tried.seconds;
          usual ??= tried;
          if (best === undefined || tried.seconds < best.seconds * WORTHWHILE) {
            if (best !== usual) best?.launch.destroy();
            best = tried;
          }
        } finally {
          if (launch !== usual?.launch && launch !== best?.launch) launch.destroy();
        }
      } catch (error) {
        await gpu.assertAlive(error);
        times[name] = null;
        problem = error;
      }
    }
  };

  try {
    for (let i = 0; i < from.length; i += SIDE_BY_SIDE) await tryOut(from.slice(i, i + SIDE_BY_SIDE));
    while (best !== undefined && gpu.clock.now() - began < budget) {
      const untried = neighbours(kernel, best.launch.choice).filter(
        (choice) =>
          !(choiceName(kernel, choice) in times) &&
          unfit(gpu, kernel, choice, call.shape, dtype) === undefined,
      );
      if (untried.length === 0) break;
      const order = untried.map((choice) => ({ choice, key: random() })).sort((a, b) => a.key - b.key);
      await tryOut(order.slice(0, SIDE_BY_SIDE).map(({ choice }) => choice));
    }
    if (best === undefined || usual === undefined) throw problem;
    const picked = disloyal ? best : await duel(timer, usual, best);
    return {
      choice: picked.launch.choice,
      secondsPerDispatch: picked.seconds,
      record: {
        kernel: call.kernel,
        dtype,
        shapeClass: kernel.shapeClass(call.shape),
        tried: times,
        picked: picked.launch.tuning,
        choice: picked.launch.choice,
        seconds: gpu.clock.now() - began,
        reused: false,
      },
    };
  } finally {
    usual?.launch.destroy();
    best?.launch.destroy();
  }
}

/** The best, unless the default is about as good: both are timed again, by turns, for the search may have been lucky. */
async function duel(timer: Timer, usual: Tried, best: Tried): Promise<Tried> {
  if (best === usual) return best;
  let [slow, fast] = [usual.seconds, best.seconds];
  for (let i = 0; i < DUELS && fast > 0.5 * slow; i++) {
    slow = Math.min(slow, await quickTime(timer, usual.launch));
    fast = Math.min(fast, await quickTime(timer, best.launch));
  }
  return fast < LOYALTY * slow ? { ...best, seconds: fast } : { ...usual, seconds: slow };
}
