// How one cell was timed: spans of dispatches in rounds, and the samples that they give. Units: seconds.

import * as v from "valibot";
import { positive, seconds, text, whole } from "./bounds";
import { slope } from "./statistics";

/** One short span and two long ones make a round, and a round one sample. */
export const SPANS_PER_ROUND = 3;

/**
 * n dispatches in one go: by the wall clock, from the completion before or from its own submit to its
 * completion, and, where there are timestamps, by the GPU's own.
 */
export const spanSchema = v.strictObject({
  dispatches: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1e7)),
  wall: seconds,
  gpu: v.nullable(seconds),
});

/**
 * What reports read of the seconds per dispatch: the median, the interval of the median, the quartiles, and
 * how many samples they stand for. This is how a link thins samples.
 */
export const orderStatisticsSchema = v.strictObject({
  count: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1e6)),
  low: positive,
  lowerQuartile: positive,
  median: positive,
  upperQuartile: positive,
  high: positive,
});

/** What can be odd about samples in their order; a link, which has no samples, carries what its result showed. */
export const oddities = ["drift", "two speeds", "clocks disagree", "outliers"] as const;
export type Oddity = (typeof oddities)[number];

/** Rounds of three spans in time order, one short and two long; one round gives one sample, the slope. */
const spansSchema = v.strictObject({
  kind: v.literal("spans"),
  spans: v.pipe(
    v.array(spanSchema),
    v.minLength(SPANS_PER_ROUND),
    v.maxLength(3000),
    v.check((spans) => spans.length % SPANS_PER_ROUND === 0, "spans come in rounds of three"),
    v.check(
      (spans) => roundsOf(spans).every((round) => new Set(round.map((span) => span.dispatches)).size > 1),
      "the spans of a round differ in their dispatches",
    ),
  ),
  /** Rounds at the start that are kept and not used, and why: no sample is dropped in silence. */
  setAside: v.nullable(v.strictObject({ rounds: whole(1000), reason: text })),
});

export const timingSchema = v.variant("kind", [
  spansSchema,
  v.strictObject({
    kind: v.literal("order-statistics"),
    ...orderStatisticsSchema.entries,
    odd: v.pipe(v.array(v.picklist(oddities)), v.maxLength(oddities.length)),
  }),
]);

/** What timed a cell. */
export const clockSchema = v.picklist(["timestamp-query", "wall"]);
export type Clock = v.InferOutput<typeof clockSchema>;

export type Span = v.InferOutput<typeof spanSchema>;
export type Timing = v.InferOutput<typeof timingSchema>;
export type Spans = v.InferOutput<typeof spansSchema>;
export type OrderStatistics = v.InferOutput<typeof orderStatisticsSchema>;

/** Spans in threes. */
export function roundsOf(spans: readonly Span[]): Span[][] {
  const rounds: Span[][] = [];
  for (let i = 0; i < spans.length; i += SPANS_PER_ROUND) rounds.push(spans.slice(i, i + SPANS_PER_ROUND));
  return rounds;
}

/**
 * Seconds per dispatch of each round: the slope of time over dispatches, in which fixed costs of a submit cancel
 * out. Rounds set aside, and rounds in which the clock failed, give none. A slope that noise has made zero or
 * negative counts as the shortest time that a result can hold.
 */
export function samplesOf({ spans, setAside }: Spans, clock: Clock): number[] {
  return roundsOf(spans)
    .slice(setAside?.rounds ?? 0)
    .flatMap((round) => {
      const points = round.flatMap(({ dispatches: x, wall, gpu }) => {
        const y = clock === "wall" ? wall : gpu;
        return y === null ? [] : [{ x, y }];
      });
      return points.length < SPANS_PER_ROUND ? [] : [Math.max(slope(points), 1e-12)];
    });
}

/** Whether a timing has a sample by this clock. */
export const hasSamples = (timing: Timing | undefined, clock: Clock): boolean =>
  timing === undefined || timing.kind !== "spans" || samplesOf(timing, clock).length > 0;
