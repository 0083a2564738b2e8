// Intervals of 90 %: what cross-validation found for chips that the fit had not seen, wider where less is known.

import type { Estimate } from "../estimate";
import { type Calibration, type Category, kinship } from "./calibration";
import type { Traits } from "./efficiency";

/** Chips of a kind below which a prediction extrapolates. */
const FAMILIAR = 3;
/** How much wider intervals are for chips of a kind that few or none were measured of. */
const UNFAMILIAR = 1.4;
/** And for each thing that a request does not say and that decides its time; serving's spread has them in it already. */
const UNKNOWN = 1.25;

/** e-folds that hold nine of ten: half an interval, on a logarithmic scale. */
export function halfWidth(
  { spread, chips }: Pick<Calibration, "spread" | "chips">,
  category: Category,
  traits: Pick<Traits, "engine" | "maker">,
  unknowns = 0,
): number {
  const familiar = (chips[kinship(category, traits)] ?? 0) >= FAMILIAR;
  const unknown = category === "serving" ? 1 : UNKNOWN ** unknowns;
  return spread[category] * (familiar ? 1 : UNFAMILIAR) * unknown;
}

/** The value and the interval that it shares with its reciprocal: times and rates are off by factors. */
export const within = (value: number, half: number): Estimate => ({
  value,
  low: value * Math.exp(-half),
  high: value * Math.exp(half),
});

/** The sum of two times; their bounds add up, as if both were off the same way. */
export const plus = (a: Estimate, b: Estimate): Estimate => ({
  value: a.value + b.value,
  low: a.low + b.low,
  high: a.high + b.high,
});

export const times = ({ value, low, high }: Estimate, by: number): Estimate => ({
  value: value * by,
  low: low * by,
  high: high * by,
});
