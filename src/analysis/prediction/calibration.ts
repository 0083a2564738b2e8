// What `npm run calibrate` found, as it is committed: efficiencies, how far off predictions are, and what they rest on.

import calibrated from "./efficiencies.json";
import type { Efficiencies, Traits } from "./efficiency";

/** One sequence decoded, one prompt read, or many at once and whole requests: what is calibrated by itself. */
export const categories = ["decode", "prefill", "serving"] as const;
export type Category = (typeof categories)[number];

export interface Calibration {
  readonly efficiencies: Efficiencies;
  /** Nine of ten chips that the fit had not seen were off by at most so many e-folds. */
  readonly spread: Readonly<Record<Category, number>>;
  /** Chips that rows were measured on, by `kinship`. */
  readonly chips: Readonly<Record<string, number>>;
}

export const calibration: Calibration = calibrated;

/** Requests that a measured chip tells most about: the same category, kind of runtime and maker. */
export const kinship = (category: Category, { engine, maker }: Pick<Traits, "engine" | "maker">): string =>
  `${category} ${engine} ${maker}`;
