// Cross-validation: whole chips held out, and random rows.

import type { Category } from "../src/analysis/prediction/calibration";
import { type Calibration, kinship } from "../src/analysis/prediction/calibration";
import { halfWidth } from "../src/analysis/prediction/interval";
import { figureOf } from "../src/analysis/prediction/row_answer";
import type { Case } from "../src/analysis/prediction/row_case";
import { efficienciesOf, fitted, logMeasured, type Parameter } from "./fit";

/** The logarithm of predicted over measured, of a row that the fit did not see. */
export interface Residual {
  readonly each: Case;
  readonly log: number;
  /** Chips of the row's kind that the fit saw, by `kinship`. */
  readonly kin: number;
}

/** Residuals of every row under fits that did not see its fold. */
export function heldOut(
  cases: readonly Case[],
  parameters: readonly Parameter[],
  foldOf: (each: Case, index: number) => string,
  start: readonly number[],
): Residual[] {
  const folds = cases.map(foldOf);
  return [...new Set(folds)].flatMap((fold) => {
    const seen = cases.filter((_, i) => folds[i] !== fold);
    const known = efficienciesOf(parameters, fitted(seen, parameters, start, 3));
    const kin = kinOf(seen);
    const kinOfCase = ({ category, setting }: Case) => kin[kinship(category, setting.traits)] ?? 0;
    return cases.flatMap((each, i) =>
      folds[i] === fold
        ? [{ each, log: Math.log(figureOf(each, known)) - logMeasured(each), kin: kinOfCase(each) }]
        : [],
    );
  });
}

export const byChip = ({ row }: Case): string => row.chipId;
/** Five folds, spread by the row's number. */
export const byRow = ({ row }: Case): string => String((Number(row.id.slice(1, 4)) * 7919) % 5);

/** Median and 90th percentile of |predicted/measured − 1|. */
export function errors(residuals: readonly Residual[], category: Category) {
  const sizes = residuals
    .filter(({ each }) => each.category === category)
    .map(({ log }) => Math.abs(Math.expm1(log)))
    .sort((a, b) => a - b);
  const at = (p: number) => sizes[Math.min(sizes.length - 1, Math.floor(p * sizes.length))] ?? Number.NaN;
  return { n: sizes.length, median: at(0.5), p90: at(0.9) };
}

/** How far off a row may be, of chips as familiar as the fit found its own to be. */
const allowed = ({ each, kin }: Residual, spread: Calibration["spread"]) => {
  const { category, setting, unknowns } = each;
  const chips = { [kinship(category, setting.traits)]: kin };
  return halfWidth({ spread, chips }, category, setting.traits, unknowns);
};

/**
 * The half width, in e-folds, that holds nine of ten residuals of a category, for kinds of chips that are familiar:
 * residuals of others count as much smaller as their intervals are wider. With the correction for finite samples.
 */
export function spreadOf(residuals: readonly Residual[], category: Category): number {
  const unit = { decode: 1, prefill: 1, serving: 1 };
  const sizes = residuals
    .filter(({ each }) => each.category === category)
    .map((residual) => Math.abs(residual.log) / allowed(residual, unit))
    .sort((a, b) => a - b);
  return sizes[Math.min(sizes.length, Math.ceil(0.9 * (sizes.length + 1))) - 1] ?? Number.NaN;
}

/** Chips of each kind, among the cases. */
export function kinOf(cases: readonly Case[]): Record<string, number> {
  const chips = new Map<string, Set<string>>();
  for (const { row, category, setting } of cases) {
    const key = kinship(category, setting.traits);
    chips.set(key, (chips.get(key) ?? new Set()).add(row.chipId));
  }
  return Object.fromEntries([...chips].map(([key, ids]): [string, number] => [key, ids.size]).sort());
}

/** The share of residuals of a category that the intervals hold. */
export function coverage(
  residuals: readonly Residual[],
  spread: Calibration["spread"],
  category: Category,
): number {
  const ofCategory = residuals.filter(({ each }) => each.category === category);
  const held = ofCategory.filter((residual) => Math.abs(residual.log) <= allowed(residual, spread));
  return held.length / ofCategory.length;
}
