// Batching trades each user's speed for everybody's: the points that no other batch beats on both.

import type { Estimate } from "./estimate";

/** What one batch gives. */
export interface BatchSpeed {
  /** Seconds per output token of each sequence. */
  readonly tpot: Estimate;
  /** Over all sequences. */
  readonly tokensPerSecond: Estimate;
}

export interface FrontierPoint extends BatchSpeed {
  readonly batch: number;
}

/** Powers of two, as serving engines capture them. */
export const batches: readonly number[] = Array.from({ length: 11 }, (_, power) => 2 ** power);

/**
 * Every batch that fits, in the order given, and those of them on the Pareto frontier: no other is at least as fast in
 * both and faster in one. Points are compared by their values; their intervals may overlap. `speedOf` is undefined where
 * a batch does not fit.
 */
export function frontier(
  tried: readonly number[],
  speedOf: (batch: number) => BatchSpeed | undefined,
): { readonly points: readonly FrontierPoint[]; readonly pareto: readonly FrontierPoint[] } {
  const points = tried.flatMap((batch) => {
    const speed = speedOf(batch);
    return speed === undefined ? [] : [{ batch, ...speed }];
  });
  const beaten = (point: FrontierPoint) =>
    points.some(
      ({ tpot, tokensPerSecond }) =>
        tpot.value <= point.tpot.value &&
        tokensPerSecond.value >= point.tokensPerSecond.value &&
        (tpot.value < point.tpot.value || tokensPerSecond.value > point.tokensPerSecond.value),
    );
  return { points, pareto: points.filter((point) => !beaten(point)) };
}
