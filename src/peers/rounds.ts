// Rounds in which all contenders take turns: what slows the machine down for a while slows all of them down.

import type { Clock } from "../engine/clock";
import { type Interval, median, medianInterval } from "../statistics";
import type { Contender } from "./contender";

/** More executions than these are not enqueued at once. */
const MOST_PER_BATCH = 8192;

/** How many executions fill a batch, and what one took then. */
export interface Sized {
  readonly times: number;
  readonly seconds: number;
}

async function timed(clock: Clock, contender: Contender, times: number): Promise<number> {
  const began = clock.now();
  await contender.run(times);
  return Math.max(clock.now() - began, 1e-9) / times;
}

/** Runs growing batches until one takes `batchSeconds`, which also warms the contender up. */
export async function sizeBatch(clock: Clock, contender: Contender, batchSeconds: number): Promise<Sized> {
  const { unit } = contender;
  const whole = (times: number) => unit * Math.ceil(times / unit);
  for (let times = unit; ; ) {
    const seconds = await timed(clock, contender, times);
    if (times * seconds >= batchSeconds || times >= MOST_PER_BATCH) return { times, seconds };
    // A little more than is needed, or the next one may just miss it; short batches say little about longer ones.
    const wanted = Math.ceil((1.2 * batchSeconds) / seconds);
    times = whole(Math.min(MOST_PER_BATCH, 16 * times, Math.max(2 * times, wanted)));
  }
}

/** Seconds per execution in each round, or why there are none. */
export type Samples = readonly number[] | Error;

/**
 * Takes `rounds` rounds. In each one every contender runs its batch once, and each round begins with another of them.
 * A contender that fails takes no further part; the others go on.
 */
export async function takeRounds(
  clock: Clock,
  contenders: readonly { readonly contender: Contender; readonly times: number }[],
  rounds: number,
  onRound: (round: number) => void = () => {},
): Promise<Samples[]> {
  const samples = contenders.map((): number[] => []);
  const failures = new Map<number, Error>();
  for (let round = 0; round < rounds; round++) {
    onRound(round);
    for (let i = 0; i < contenders.length; i++) {
      const turn = (i + round) % contenders.length;
      if (failures.has(turn)) continue;
      const { contender, times } = contenders[turn]!;
      try {
        samples[turn]!.push(await timed(clock, contender, times));
      } catch (error) {
        failures.set(turn, error instanceof Error ? error : new Error(String(error)));
      }
    }
  }
  return samples.map((each, i) => failures.get(i) ?? each);
}

export interface Ratio extends Interval {
  readonly value: number;
}

/** The median of the rounds' ratios, a over b, with its interval. */
export function ratioOf(a: readonly number[], b: readonly number[]): Ratio {
  const ratios = a.map((each, round) => each / b[round]!);
  return { value: median(ratios), ...medianInterval(ratios) };
}
