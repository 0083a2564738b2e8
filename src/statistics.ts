// The statistics of measurement: numbers in, numbers out. Samples are few (ten to some hundred), skewed and
// heavy-tailed, so everything rests on order statistics; nothing is ever dropped.

/** Uniform numbers in [0, 1) from a seed: mulberry32 (Ettinger 2017, public domain). */
export function uniform(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let word = Math.imul(state ^ (state >>> 15), 1 | state);
    word = (word + Math.imul(word ^ (word >>> 7), 61 | word)) ^ word;
    return ((word ^ (word >>> 14)) >>> 0) / 2 ** 32;
  };
}

const ascending = (values: readonly number[]) => [...values].sort((a, b) => a - b);

/** The quantile of sorted values, interpolated between neighbours. Throws a RangeError where there is none. */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  const position = (sorted.length - 1) * share;
  const [lower, upper] = [sorted[Math.floor(position)], sorted[Math.ceil(position)]];
  if (lower === undefined || upper === undefined) throw new RangeError("no samples");
  return lower + (upper - lower) * (position - Math.floor(position));
}

/** The middle value. Throws a RangeError where there is none. */
export const median = (values: readonly number[]): number => quantile(ascending(values), 0.5);

/** Median of the absolute deviations from the median, scaled to a normal distribution's standard deviation. */
export function robustDeviation(values: readonly number[]): number {
  const middle = median(values);
  return 1.4826 * median(values.map((value) => Math.abs(value - middle)));
}

/** P(Z <= z) of the standard normal distribution (Abramowitz & Stegun 26.2.17; error below 1e-7). */
export function normalCdf(z: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(z));
  const series =
    t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  const tail = (series * Math.exp((-z * z) / 2)) / Math.sqrt(2 * Math.PI);
  return z > 0 ? 1 - tail : tail;
}

/** The 97.5 % point of the standard normal distribution: 95 % lie within it on both sides. */
export const Z95 = 1.959964;

/** The 97.5 % point of Student's t for five degrees of freedom or more (Abramowitz & Stegun 26.7.5; within 0.5 %). */
export function t95(freedom: number): number {
  const z = Z95;
  return (
    z +
    (z ** 3 + z) / (4 * freedom) +
    (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * freedom ** 2) +
    (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / (384 * freedom ** 3)
  );
}

export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** Of bootstrapped medians; the interval's own noise is then far below its width. */
const RESAMPLES = 2000;

/** The same samples give the same interval everywhere. */
const BOOTSTRAP_SEED = 0x70f;

/** Fewer samples than this have no resamples worth the name. */
const FEW = 6;

/** The 97.5 % points of Student's t for one to four degrees of freedom. */
const T95_FEW = [12.706, 4.303, 3.182, 2.776];

/** Student's interval around the median; times are positive, and so are its ends. */
function fewInterval(sorted: readonly number[]): Interval {
  const [only] = sorted;
  const factor = T95_FEW[sorted.length - 2];
  if (only === undefined) throw new RangeError("no samples");
  if (factor === undefined) return { low: only, high: only };
  const middle = quantile(sorted, 0.5);
  const half = factor * Math.sqrt(moments(sorted).variance / sorted.length);
  return { low: Math.max(middle - half, only / 10), high: middle + half };
}

/**
 * The interval that holds the true median in about 95 % of cases: the percentile bootstrap with percentiles
 * expanded for few samples (Hesterberg, The American Statistician 69:4, 2015, section 4.2). Over normal, skewed and
 * heavy-tailed samples of 10 to 40 it holds it in 94 to 98 %. With fewer than six samples it is Student's.
 */
export function medianInterval(samples: readonly number[]): Interval {
  const sorted = ascending(samples);
  const count = sorted.length;
  if (count < FEW) return fewInterval(sorted);
  const random = uniform(BOOTSTRAP_SEED);
  const drawn = new Uint16Array(count);
  const medians = new Float64Array(RESAMPLES);
  const [lower, upper] = [(count - 1) >> 1, count >> 1];
  for (let resample = 0; resample < RESAMPLES; resample++) {
    drawn.fill(0);
    for (let i = 0; i < count; i++) drawn[Math.floor(random() * count)]!++;
    // The two middle ranks of the resample, found by walking through how often each sample was drawn.
    let at = 0;
    let seen = drawn[0]!;
    while (seen <= lower) seen += drawn[++at]!;
    const below = sorted[at]!;
    while (seen <= upper) seen += drawn[++at]!;
    medians[resample] = (below + sorted[at]!) / 2;
  }
  medians.sort();
  const tail = normalCdf(-Math.sqrt(count / (count - 1)) * t95(count - 1));
  return { low: quantile(medians, tail), high: quantile(medians, 1 - tail) };
}

/** Groups of neighbours into which a series falls for its interval, and the fewest samples for which it does. */
const SERIES_GROUPS = 8;
const SERIES_LEAST = 2 * SERIES_GROUPS;

/**
 * The interval of the median of samples that follow each other at once, as steps of one run do: what disturbs one disturbs
 * its neighbours, and so they tell less than as many independent ones. It is that of the medians of a few groups of
 * neighbours (batch means: Law & Kelton), and never narrower than `medianInterval`, which is all there is for fewer
 * than sixteen. Where neighbours' noise is correlated by 0.9, 64 samples have it hold the true median.
 */
export function seriesInterval(samples: readonly number[]): Interval {
  const independent = medianInterval(samples);
  const { length } = samples;
  if (length < SERIES_LEAST) return independent;
  const middles = Array.from({ length: SERIES_GROUPS }, (_, group) =>
    median(
      samples.slice(
        Math.floor((group * length) / SERIES_GROUPS),
        Math.floor(((group + 1) * length) / SERIES_GROUPS),
      ),
    ),
  );
  const [middle, ofGroups, { low, high }] = [median(samples), median(middles), medianInterval(middles)];
  return {
    low: Math.max(Math.min(independent.low, middle - (ofGroups - low)), independent.low / 10),
    high: Math.max(independent.high, middle + (high - ofGroups)),
  };
}

/** The least-squares slope of y over x, for two different x at least. */
export function slope(points: readonly { readonly x: number; readonly y: number }[]): number {
  const meanX = points.reduce((sum, { x }) => sum + x, 0) / points.length;
  const meanY = points.reduce((sum, { y }) => sum + y, 0) / points.length;
  const covariance = points.reduce((sum, { x, y }) => sum + (x - meanX) * (y - meanY), 0);
  return covariance / points.reduce((sum, { x }) => sum + (x - meanX) ** 2, 0);
}

/** Half of a quick 95 % interval of the median (McGill, Tukey & Larsen 1978), for deciding when to stop. */
export function notch(samples: readonly number[]): number {
  const sorted = ascending(samples);
  return (1.57 * (quantile(sorted, 0.75) - quantile(sorted, 0.25))) / Math.sqrt(sorted.length);
}

/** How many samples lie beyond Tukey's fences: 1.5 interquartile ranges past the quartiles are mild, 3 severe. */
export interface Outliers {
  readonly mild: number;
  readonly severe: number;
}

/** Counts Tukey's outliers on both sides; a severe one is not counted as a mild one too. */
export function outliers(samples: readonly number[]): Outliers {
  const sorted = ascending(samples);
  const [lower, upper] = [quantile(sorted, 0.25), quantile(sorted, 0.75)];
  const beyond = (fences: number) =>
    sorted.filter(
      (value) => value < lower - fences * (upper - lower) || value > upper + fences * (upper - lower),
    ).length;
  const severe = beyond(3);
  return { mild: beyond(1.5) - severe, severe };
}

/**
 * How much slower the second half of samples in time order is than the first, as a share; undefined where a
 * rank test cannot tell the halves apart at 1 % (Mann & Whitney 1947, normal approximation), or with fewer than ten.
 */
export function drift(samples: readonly number[]): number | undefined {
  if (samples.length < 10) return undefined;
  const half = samples.length >> 1;
  const [early, late] = [samples.slice(0, half), samples.slice(-half)];
  let larger = 0;
  for (const a of early) for (const b of late) larger += b > a ? 1 : b === a ? 0.5 : 0;
  const expected = (half * half) / 2;
  const deviation = Math.sqrt((half * half * (2 * half + 1)) / 12);
  if (Math.abs(larger - expected) < 2.576 * deviation) return undefined;
  return median(late) / median(early) - 1;
}

/** Two groups of samples, as two clocks or two caches give them. */
export interface Modes {
  readonly fast: number;
  readonly slow: number;
  /** Samples in the slower group, as a share. */
  readonly slowShare: number;
}

/** Ashman's D above which two groups are two: ten normal samples, cut at their best place, reach it in 1 % of cases. */
const APART = 6;

/**
 * The two groups into which samples fall, where they clearly do: at least a fifth of them each, at least
 * 3 % apart, and far apart for their own widths (Ashman, Bird & Zepf, AJ 108, 1994). Undefined otherwise.
 */
export function modes(samples: readonly number[]): Modes | undefined {
  const sorted = ascending(samples);
  const count = sorted.length;
  const least = Math.max(3, Math.ceil(count / 5));
  if (count < 10) return undefined;
  let best: { apart: number; modes: Modes } | undefined;
  for (let cut = least; cut <= count - least; cut++) {
    const [fast, slow] = [moments(sorted.slice(0, cut)), moments(sorted.slice(cut))];
    const width = Math.sqrt((fast.variance + slow.variance) / 2);
    const apart = (slow.mean - fast.mean) / Math.max(width, 1e-6 * fast.mean);
    if (best === undefined || apart > best.apart) {
      best = { apart, modes: { fast: fast.mean, slow: slow.mean, slowShare: (count - cut) / count } };
    }
  }
  if (best === undefined || best.apart < APART) return undefined;
  return best.modes.slow > 1.03 * best.modes.fast ? best.modes : undefined;
}

function moments(values: readonly number[]) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
  return { mean, variance };
}
