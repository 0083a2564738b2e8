// How much trouble is taken with one cell: what presets mean.

import type { Preset } from "./plan";

export interface Effort {
  readonly minRounds: number;
  readonly maxRounds: number;
  /** Enough when half the interval of the median is below this share of it. */
  readonly precision: number;
  readonly warmupSeconds: number;
  /** Warming up ends here even if blocks still differ. */
  readonly warmupLimit: number;
  /** No more rounds are begun after this, if there are enough. */
  readonly cellSeconds: number;
  readonly minSpanSeconds: number;
  /** How often a throttled cell is left to rest and begun again at most. */
  readonly rests: number;
  /** Whether every start of a search is tried, and every shape of a probe; else the first start and the last, at one shape. */
  readonly search: boolean;
  /** For the search of one kernel's best tuning; all starts are tried in any case. */
  readonly tuningSeconds: number;
  /** Whether cells that stream memory are timed once more on memory that a cache holds. */
  readonly cacheHot: boolean;
}

export const efforts: Readonly<Record<Preset, Effort>> = {
  smoke: {
    minRounds: 6,
    maxRounds: 6,
    precision: 1,
    warmupSeconds: 0,
    warmupLimit: 0,
    cellSeconds: 1,
    minSpanSeconds: 0.002,
    rests: 0,
    search: false,
    tuningSeconds: 0,
    cacheHot: false,
  },
  quick: {
    minRounds: 10,
    maxRounds: 24,
    precision: 0.02,
    warmupSeconds: 0.1,
    warmupLimit: 0.6,
    cellSeconds: 1.2,
    minSpanSeconds: 0.016,
    rests: 1,
    search: true,
    tuningSeconds: 3,
    cacheHot: true,
  },
  standard: {
    minRounds: 12,
    maxRounds: 60,
    precision: 0.01,
    warmupSeconds: 0.5,
    warmupLimit: 2,
    cellSeconds: 4,
    minSpanSeconds: 0.016,
    rests: 2,
    search: true,
    tuningSeconds: 8,
    cacheHot: true,
  },
  rigorous: {
    minRounds: 20,
    maxRounds: 250,
    precision: 0.005,
    warmupSeconds: 1,
    warmupLimit: 3,
    cellSeconds: 15,
    minSpanSeconds: 0.033,
    rests: 2,
    search: true,
    tuningSeconds: 30,
    cacheHot: true,
  },
};
