// One cell: check, warm up, then rounds of spans between two readings of the reference kernel.

import type { Call } from "../kernels";
import type { Choice } from "../kernels/choices";
import type { DType } from "../kernels/elements";
import type { Measurement } from "../result";
import { check, checkAfter } from "./check";
import { sleep } from "./clock";
import { type Effort, efforts } from "./effort";
import type { Visibility } from "./host";
import { atOnePlace, type Launch, prepare } from "./launch";
import { DISCARD_ABOVE, type ReferenceKernel } from "./reference";
import { type Instrument, type Rounds, takeRounds } from "./rounds";
import { warmUp } from "./warmup";
import type { Weights } from "./weights";

/** A cell in whose midst the page was hidden is begun again so often at most. */
const MAX_HIDDEN = 2;

/** How long a throttled device is left alone before it is measured again. */
const REST_SECONDS = 1;

/** How long a hidden page is waited for. After that the cell is measured all the same, and says so. */
const HIDDEN_SECONDS = 60;

/** Everything that a cell is measured with. */
export interface Bench extends Instrument {
  readonly weights: Weights | undefined;
  readonly reference: ReferenceKernel | undefined;
  readonly visibility: Visibility;
}

export interface Cell {
  readonly call: Call;
  /** What one dispatch does, with `pieces` of them in the call. */
  readonly piece: Call;
  readonly pieces: number;
  readonly dtype: DType;
  readonly choice: Choice;
}

/** Rounds of a warm launch with what the reference kernel said before and after. */
interface Attempt {
  readonly rounds: Rounds;
  readonly readings: [number, number] | null;
  readonly warmup: NonNullable<Measurement["warmup"]>;
  readonly estimate: number;
  readonly hidden: boolean;
}

async function attempt(bench: Bench, launch: Launch, effort: Effort): Promise<Attempt> {
  const { reference, visibility } = bench;
  const { estimate, ...warmup } = await warmUp(bench, launch, effort);
  const before = await reference?.read();
  const { hidden, timesHidden } = visibility;
  const wasHidden = () => visibility.hidden || visibility.timesHidden > timesHidden;
  const rounds = await takeRounds(bench, launch, estimate, effort, () => !hidden && wasHidden());
  const after = await reference?.read();
  const readings: Attempt["readings"] = before === undefined || after === undefined ? null : [before, after];
  return { rounds, readings, warmup, estimate, hidden: hidden || wasHidden() };
}

/** Resolves when the page is visible, or after a minute: nobody may ever look at it. */
const visible = ({ gpu: { clock }, visibility }: Bench) =>
  Promise.race([visibility.whenVisible(), sleep(clock, HIDDEN_SECONDS)]);

/** Attempts until one was neither throttled nor hidden, a few at most. */
async function steadyAttempt(
  bench: Bench,
  launch: Launch,
  effort: Effort,
): Promise<Attempt & { repeats: number }> {
  const { reference, gpu } = bench;
  for (let repeats = 0; ; repeats++) {
    await visible(bench);
    const tried = await attempt(bench, launch, effort);
    const throttled = tried.readings?.some((reading) => (reference?.slowdown(reading) ?? 0) > DISCARD_ABOVE);
    if (!(tried.hidden && repeats < MAX_HIDDEN) && !(throttled && repeats < effort.rests))
      return { ...tried, repeats };
    if (throttled) await sleep(gpu.clock, REST_SECONDS);
  }
}

/** The same, on memory that a cache may hold. Short: it is a remark, no figure of its own. */
async function whenCached(
  bench: Bench,
  launch: Launch,
  { estimate, rounds: { clock: by } }: Attempt,
): Promise<Measurement["cacheHot"]> {
  const effort = { ...efforts.smoke, minSpanSeconds: 0.008 };
  const { timing, clock } = await takeRounds(bench, atOnePlace(launch), estimate, effort);
  return clock === by ? timing : null;
}

/** Keeps the device busy for so long, then takes rounds again: what is left when it is hot. */
async function sustained(
  bench: Bench,
  launch: Launch,
  seconds: number,
  effort: Effort,
  { estimate, rounds: { clock: by } }: Attempt,
): Promise<Measurement["sustained"]> {
  const began = bench.gpu.clock.now();
  const block = Math.max(1, Math.round(0.1 / estimate));
  while (bench.gpu.clock.now() - began < seconds) await bench.timer.span(launch, block, estimate);
  const { timing, clock } = await takeRounds(bench, launch, estimate, effort);
  return clock === by ? { seconds: bench.gpu.clock.now() - began, timing } : null;
}

/**
 * Measures a call, and once more after `sustain` seconds of load where that is not 0. Throws, before any sample is
 * taken, when the kernel fails its check, and after the last one when its output has changed.
 */
export async function measure(bench: Bench, cell: Cell, effort: Effort, sustain = 0): Promise<Measurement> {
  const { gpu, timer, weights } = bench;
  const { call, piece, pieces, dtype, choice } = cell;
  const launch = await prepare(gpu, weights, piece, dtype, choice);
  try {
    const { span, ...checked } = await check(gpu, timer, launch);
    launch.compiled.firstRun ??= span;
    const steady = await steadyAttempt(bench, launch, effort);
    const { rounds, readings, warmup, hidden, repeats } = steady;
    const hash = await checkAfter(gpu, timer, launch);
    return {
      status: "measured",
      call,
      dtype,
      tuning: launch.tuning,
      piece,
      pieces,
      rotation: launch.rotation,
      clock: rounds.clock,
      timing: rounds.timing,
      stopped: rounds.stopped,
      warmup,
      firstRun: launch.compiled.firstRun,
      cacheHot: effort.cacheHot && launch.rotation > 0 ? await whenCached(bench, launch, steady) : null,
      sustained: sustain === 0 ? null : await sustained(bench, launch, sustain, effort, steady),
      readings,
      repeats,
      hidden,
      check: { ...checked, hash },
      compileSeconds: launch.compiled.compileSeconds,
    };
  } finally {
    launch.destroy();
  }
}
