// What is odd about the samples of a cell, in their order.

import type { Measurement } from "../result";
import { drift, median, modes, notch, quantile } from "../statistics";
import { type Oddity, samplesOf } from "../timing";

/** A change between the first and the second half of a cell that is worth a word. */
export const DRIFTED = 0.05;

/** Timestamps and wall clock may differ by this share beyond what their own noise explains. */
const CLOCKS_AGREE = 0.05;

/** An interruption takes a sample this far from the median, as a share; where clocks are coarse, less is a rounding. */
const FAR = 0.05;

/** More interrupted samples than this share are more than the odd one. */
const MANY = 0.1;

/** How far the wall clock's slope is from the timestamps', as a share, and how well both are known. */
function clockDifference({ timing, clock }: Measurement): { difference: number; noise: number } | undefined {
  if (timing.kind !== "spans" || clock !== "timestamp-query") return undefined;
  const [wall, gpu] = [samplesOf(timing, "wall"), samplesOf(timing, "timestamp-query")];
  const noise = notch(wall) / median(wall) + notch(gpu) / median(gpu);
  return { difference: Math.abs(median(wall) / median(gpu) - 1), noise };
}

/** How much slower the later half of a cell is than the earlier, where that is certain and worth a word. */
export function driftOf({ timing, clock }: Measurement): number | undefined {
  if (timing.kind !== "spans") return undefined;
  const change = drift(samplesOf(timing, clock));
  return change !== undefined && Math.abs(change) >= DRIFTED ? change : undefined;
}

/** How many samples lie severely outside by Tukey's fences, and far. */
function interrupted(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const [lower, middle, upper] = [0.25, 0.5, 0.75].map((share) => quantile(sorted, share)) as [
    number,
    number,
    number,
  ];
  const fence = Math.max(3 * (upper - lower), FAR * middle);
  return sorted.filter((sample) => sample < lower - fence || sample > upper + fence).length;
}

/** What a reader should know of a cell's samples. A link carries what its result showed. */
export function odditiesOf(measurement: Measurement): readonly Oddity[] {
  const { timing, clock } = measurement;
  if (timing.kind === "order-statistics") return timing.odd;
  const samples = samplesOf(timing, clock);
  const clocks = clockDifference(measurement);
  const found: [Oddity, boolean][] = [
    ["drift", driftOf(measurement) !== undefined],
    ["two speeds", modes(samples) !== undefined],
    ["clocks disagree", clocks !== undefined && clocks.difference > CLOCKS_AGREE + clocks.noise],
    ["outliers", interrupted(samples) > MANY * samples.length],
  ];
  return found.flatMap(([oddity, is]) => (is ? [oddity] : []));
}
