// Cross-validation: whole chips held out, and random rows.

import { type Case, type Category, valueOf } from "../src/analysis/prediction/published_row";
import { efficienciesOf, fit, logMeasured, type Parameter } from "./fit";

/** The logarithm of predicted over measured, of a row that the fit did not see. */
export interface Residual {
  readonly each: Case;
  readonly log: number;
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
    const known = efficienciesOf(parameters, fit(seen, parameters, start, 3));
    return cases.flatMap((each, i) =>
      folds[i] === fold ? [{ each, log: Math.log(valueOf(each, known)) - logMeasured(each) }] : [],
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
