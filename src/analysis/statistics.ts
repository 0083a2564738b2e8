// What samples say about a time: the median and an interval for it.

import { type Measurement, type OrderStatistics, SPANS_PER_ROUND, type Span } from "../result";

/** A figure and the interval that holds the true one with at least 95 % probability, if the samples are independent. */
export interface Estimate {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** Five digits, more than a clock resolves: a link keeps as many, and so shows what its result showed. */
const fiveDigits = (value: number) => Number(value.toPrecision(5));

/**
 * The ranks (from 0) of the two order statistics between which the median lies with at least 95 %
 * probability, by the binomial distribution of how many samples fall below it (Conover, Practical
 * Nonparametric Statistics, 3.2). With fewer than six samples no two ranks reach 95 %: the whole range.
 */
export function medianRanks(count: number): readonly [number, number] {
  let below = 0;
  let term = 0.5 ** count;
  let rank = 0;
  // P(fewer than rank + 1 of n samples lie below the median) on either side may be 2.5 %.
  for (let k = 0; k < count / 2; k++) {
    below += term;
    if (below > 0.025) break;
    rank = k;
    term = (term * (count - k)) / (k + 1);
  }
  return [rank, count - 1 - rank];
}

/** Offsets from the median are kept in steps of a ten-thousandth of it, far below any interval. */
const OFFSET_STEPS = 10_000;

const fieldsBesideMedian = ["low", "lowerQuartile", "upperQuartile", "high"] as const;

/** How far the other order statistics are from the median, in ten-thousandths of it: what a link carries. */
export const offsetsOf = (statistics: OrderStatistics): number[] =>
  // A time is never nothing.
  fieldsBesideMedian.map((field) =>
    Math.max(1 - OFFSET_STEPS, Math.round((statistics[field] / statistics.median - 1) * OFFSET_STEPS)),
  );

/** The reverse of `offsetsOf`. */
export function fromOffsets(count: number, median: number, offsets: readonly number[]): OrderStatistics {
  const [low = 0, lowerQuartile = 0, upperQuartile = 0, high = 0] = offsets.map((offset) =>
    Number((median * (1 + offset / OFFSET_STEPS)).toPrecision(6)),
  );
  return { count, median, low, lowerQuartile, upperQuartile, high };
}

/** The order statistics that reports read. Throws on an empty list. */
export function orderStatistics(samples: readonly number[]): OrderStatistics {
  const sorted = [...samples].sort((a, b) => a - b);
  const count = sorted.length;
  const at = (position: number) => {
    const [lower, upper] = [sorted[Math.floor(position)], sorted[Math.ceil(position)]];
    if (lower === undefined || upper === undefined) throw new RangeError("no samples");
    return lower + (upper - lower) * (position - Math.floor(position));
  };
  const [low, high] = medianRanks(count);
  const median = fiveDigits(at((count - 1) * 0.5));
  const exact = {
    count,
    median,
    low: Math.min(at(low), median),
    lowerQuartile: Math.min(at((count - 1) * 0.25), median),
    upperQuartile: Math.max(at((count - 1) * 0.75), median),
    high: Math.max(at(high), median),
  };
  return fromOffsets(count, median, offsetsOf(exact));
}

/**
 * Seconds per dispatch of each round: the least-squares slope of time over dispatches, in which fixed
 * costs of a submit cancel out. Rounds whose slope noise has made zero or negative count as the shortest
 * time that a result can hold.
 */
export function slopes(spans: readonly Span[], clock: Measurement["clock"]): number[] {
  const time = (span: Span) => (clock === "timestamp-query" ? (span.gpu ?? span.wall) : span.wall);
  return Array.from({ length: Math.floor(spans.length / SPANS_PER_ROUND) }, (_, round) => {
    const points = spans.slice(round * SPANS_PER_ROUND, (round + 1) * SPANS_PER_ROUND);
    const meanX = points.reduce((sum, { dispatches }) => sum + dispatches, 0) / SPANS_PER_ROUND;
    const meanY = points.reduce((sum, span) => sum + time(span), 0) / SPANS_PER_ROUND;
    const covariance = points.reduce(
      (sum, span) => sum + (span.dispatches - meanX) * (time(span) - meanY),
      0,
    );
    const variance = points.reduce((sum, { dispatches }) => sum + (dispatches - meanX) ** 2, 0);
    return Math.max(covariance / variance, 1e-12);
  });
}

/** Seconds per dispatch, whether the result holds raw spans or a link's order statistics. */
export function secondsPerDispatch({ timing, clock }: Measurement): OrderStatistics {
  if (timing.kind === "order-statistics") {
    const { kind: _, ...statistics } = timing;
    return statistics;
  }
  return orderStatistics(slopes(timing.spans, clock));
}

/** Seconds of the whole call. */
export function secondsPerCall(measurement: Measurement): Estimate {
  const { median, low, high } = secondsPerDispatch(measurement);
  const { pieces } = measurement;
  return { value: median * pieces, low: low * pieces, high: high * pieces };
}

/** `amount` per second of an estimated time. */
export const rateOf = (amount: number, { value, low, high }: Estimate): Estimate => ({
  value: amount / value,
  low: amount / high,
  high: amount / low,
});

/** The estimate as a share of another figure. */
export const shareOf = (estimate: Estimate, of: number): Estimate => ({
  value: estimate.value / of,
  low: estimate.low / of,
  high: estimate.high / of,
});
