// What samples say about a time: the median and an interval for it.

import type { Measurement } from "../result";
import { medianInterval, quantile } from "../statistics";
import { type Clock, type OrderStatistics, samplesOf, type Timing } from "../timing";

/** A figure and the interval that holds the true one with about 95 % probability, if the samples are independent. */
export interface Estimate {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** Five digits, more than a clock resolves: a link keeps as many, and so shows what its result showed. */
export const fiveDigits = (value: number) => Number(value.toPrecision(5));

/** Offsets from the median are kept in steps of a ten-thousandth of it, far below any interval. */
const OFFSET_STEPS = 10_000;

const fieldsBesideMedian = ["low", "lowerQuartile", "upperQuartile", "high"] as const;

/**
 * How far the other order statistics are from the median, in ten-thousandths of it and to two digits, which is more
 * than an interval is known to: what a link carries.
 */
export const offsetsOf = (statistics: OrderStatistics): number[] =>
  // A time is never nothing.
  fieldsBesideMedian.map((field) => {
    const steps = Math.round((statistics[field] / statistics.median - 1) * OFFSET_STEPS);
    return Math.max(1 - OFFSET_STEPS, Number(steps.toPrecision(2)));
  });

/** The reverse of `offsetsOf`. */
export function fromOffsets(count: number, median: number, offsets: readonly number[]): OrderStatistics {
  const [low = 0, lowerQuartile = 0, upperQuartile = 0, high = 0] = offsets.map((offset) =>
    Number((median * (1 + offset / OFFSET_STEPS)).toPrecision(6)),
  );
  return { count, median, low, lowerQuartile, upperQuartile, high };
}

/** The order statistics that reports read, with the bootstrapped interval of the median. Throws on an empty list. */
export function orderStatistics(samples: readonly number[], intervalOf = medianInterval): OrderStatistics {
  const sorted = [...samples].sort((a, b) => a - b);
  const median = fiveDigits(quantile(sorted, 0.5));
  const { low, high } = intervalOf(samples);
  const exact = {
    count: samples.length,
    median,
    low: Math.min(low, median),
    lowerQuartile: Math.min(quantile(sorted, 0.25), median),
    upperQuartile: Math.max(quantile(sorted, 0.75), median),
    high: Math.max(high, median),
  };
  return fromOffsets(exact.count, median, offsetsOf(exact));
}

// A report asks for the same measurement's figures many times, and an interval takes a thousand resamples.
const known = new WeakMap<Timing, OrderStatistics>();

/** Seconds per dispatch by a clock, whether the timing holds raw spans or a link's order statistics. */
export function statisticsOf(timing: Timing, clock: Clock): OrderStatistics {
  if (timing.kind === "order-statistics") {
    const { kind: _, odd: __, ...statistics } = timing;
    return statistics;
  }
  const found = known.get(timing) ?? orderStatistics(samplesOf(timing, clock));
  known.set(timing, found);
  return found;
}

/** Seconds per dispatch: burst speed, on memory that no cache holds. */
export const secondsPerDispatch = ({ timing, clock }: Measurement): OrderStatistics =>
  statisticsOf(timing, clock);

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
