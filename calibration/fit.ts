// The fit: logarithms of quantities and of groups' effects, so that the logarithms of published figures are met. Least
// squares with Huber's loss and a prior on each parameter (ridge), by Gauss-Newton steps with numeric derivatives.

import type { Category } from "../src/analysis/prediction/calibration";
import {
  type Efficiencies,
  groupKey,
  priors,
  type Quantity,
  type QuantityName,
  quantities,
  quantityNames,
} from "../src/analysis/prediction/efficiency";
import { figureOf } from "../src/analysis/prediction/row_answer";
import type { Case } from "../src/analysis/prediction/row_case";

export interface Parameter {
  readonly quantity: QuantityName;
  /** A group, or the base of its quantity where empty. */
  readonly key: string;
  /** e-folds that it is expected to be off its prior. */
  readonly spread: number;
}

/** How far a row of a category is off when the model is right, in e-folds: what residuals are weighed by. */
const noise: Readonly<Record<Category, number>> = { decode: 0.1, prefill: 0.15, serving: 0.3 };
/** Residuals beyond so many times the noise count linearly. */
const HUBER = 1.3;
/** e-folds that a group's effect is expected to be, by how many traits it has, for a quantity of spread 0.4. */
const effectSpread = [0, 0.3, 0.2, 0.15];
/** Rows of one chip tell much the same: n of them weigh as much as n to this power. */
const CHIP_WEIGHT = 0.65;
/** Chips that an effect has to rest on. */
export const MIN_CHIPS = 2;
/** A row says something of a parameter if e-folds of one move at least so many of the other. */
const SENSITIVE = 0.01;

/** Values of parameters as predictions take them. */
export function efficienciesOf(parameters: readonly Parameter[], values: readonly number[]): Efficiencies {
  const effects = (name: QuantityName) =>
    Object.fromEntries(
      parameters.flatMap(({ quantity, key }, i) =>
        quantity === name && key !== "" && values[i] !== 0 ? [[key, values[i]!]] : [],
      ),
    );
  const entries = quantityNames.map((name): [QuantityName, Efficiencies[QuantityName]] => {
    const base = parameters.findIndex(({ quantity, key }) => quantity === name && key === "");
    return [name, { base: values[base] ?? 0, effects: effects(name) }];
  });
  return { ...priors, ...Object.fromEntries(entries) };
}

/** Every base, and every group that some row belongs to. */
export function parametersOf(cases: readonly Case[]): Parameter[] {
  return quantityNames.flatMap((name): Parameter[] => {
    const { spread, groups }: Quantity = quantities[name];
    const keys = new Map<string, number>();
    for (const { setting } of cases)
      for (const group of groups) keys.set(groupKey(setting.traits, group), group.length);
    const effects = [...keys].sort(([a], [b]) => (a < b ? -1 : 1));
    return [
      { quantity: name, key: "", spread },
      ...effects.map(([key, traits]) => ({
        quantity: name,
        key,
        spread: (effectSpread[traits]! * spread) / 0.4,
      })),
    ];
  });
}

const logValue = (each: Case, known: Efficiencies) => Math.log(figureOf(each, known));
export const logMeasured = (each: Case) => Math.log(each.row.value ?? Number.NaN);

/** By how many e-folds a row's figure moves with a parameter's: the parameters that move it at all. */
type Slopes = { parameter: number; slope: number }[];

/** Each row's logarithm under the values, and its derivatives there. */
function linearised(cases: readonly Case[], parameters: readonly Parameter[], values: readonly number[]) {
  const STEP = 1e-4;
  const known = efficienciesOf(parameters, values);
  const logs = cases.map((each) => logValue(each, known));
  const index = new Map(parameters.map(({ quantity, key }, i) => [`${quantity} ${key}`, i]));
  const slopes: Slopes[] = cases.map(() => []);
  for (const name of quantityNames) {
    const moved = { ...known, [name]: { ...known[name], base: known[name].base + STEP } };
    cases.forEach((each, i) => {
      const slope = (logValue(each, moved) - logs[i]!) / STEP;
      if (slope === 0) return;
      // A group's effect adds to its quantity's base, and so has its slope.
      for (const key of [
        "",
        ...quantities[name].groups.map((group) => groupKey(each.setting.traits, group)),
      ]) {
        const parameter = index.get(`${name} ${key}`);
        if (parameter !== undefined) slopes[i]!.push({ parameter, slope });
      }
    });
  }
  return { logs, slopes };
}

/**
 * How many chips each parameter rests on: those with a row that it moves. Asked at the priors, so that it is the rows
 * that decide and not how far the fit has come.
 */
export function chipsBehind(cases: readonly Case[], parameters: readonly Parameter[]): number[] {
  const none = parameters.map(() => 0);
  const { slopes } = linearised(cases, parameters, none);
  const chips = parameters.map(() => new Set<string>());
  cases.forEach(({ row }, i) => {
    for (const { parameter, slope } of slopes[i]!)
      if (Math.abs(slope) > SENSITIVE) chips[parameter]!.add(row.chipId);
  });
  return chips.map(({ size }) => size);
}

/** Solves A·x = b for a symmetric positive definite A by Cholesky's method; both are overwritten. */
function solve(a: Float64Array[], b: Float64Array): Float64Array {
  const n = b.length;
  for (let i = 0; i < n; i++) {
    const row = a[i]!;
    for (let j = 0; j <= i; j++) {
      const other = a[j]!;
      let sum = row[j]!;
      for (let k = 0; k < j; k++) sum -= row[k]! * other[k]!;
      row[j] = i === j ? Math.sqrt(sum) : sum / other[j]!;
    }
  }
  for (let i = 0; i < n; i++) {
    let sum = b[i]!;
    for (let k = 0; k < i; k++) sum -= a[i]![k]! * b[k]!;
    b[i] = sum / a[i]![i]!;
  }
  for (let i = n - 1; i >= 0; i--) {
    let sum = b[i]!;
    for (let k = i + 1; k < n; k++) sum -= a[k]![i]! * b[k]!;
    b[i] = sum / a[i]![i]!;
  }
  return b;
}

/**
 * What the linearised problem asks the parameters to be: S·Xᵀ·(X·S·Xᵀ + W⁻¹)⁻¹·y, with X the slopes, S the squared
 * spreads, W the rows' weights and y the logarithms to be met: ridge regression in its dual form, as there are more
 * parameters than rows. Parameters that are not free stay at their prior.
 */
function step(
  cases: readonly Case[],
  parameters: readonly Parameter[],
  values: readonly number[],
  weights: readonly number[],
  free: readonly boolean[],
): number[] {
  const { logs, slopes } = linearised(cases, parameters, values);
  const scaled = slopes.map((each) => {
    const dense = new Float64Array(parameters.length);
    for (const { parameter, slope } of each)
      if (free[parameter]) dense[parameter] = slope * parameters[parameter]!.spread;
    return dense;
  });
  const target = new Float64Array(cases.length);
  const matrix = cases.map((each, i) => {
    const sigma = noise[each.category];
    const residual = logMeasured(each) - logs[i]!;
    const weight = weights[i]! * Math.min(1, (HUBER * sigma) / Math.max(1e-9, Math.abs(residual)));
    target[i] = residual;
    const row = new Float64Array(cases.length);
    for (const { parameter, slope } of slopes[i]!) {
      const x = scaled[i]![parameter]!;
      if (x === 0) continue;
      target[i]! += slope * values[parameter]!;
      for (let j = 0; j <= i; j++) row[j]! += x * scaled[j]![parameter]!;
    }
    row[i]! += sigma ** 2 / weight;
    return row;
  });
  const solved = solve(matrix, target);
  return parameters.map(({ spread }, p) =>
    !free[p] ? 0 : spread * scaled.reduce((sum, row, i) => sum + row[p]! * solved[i]!, 0),
  );
}

/**
 * Fits all parameters to the cases, from `start` if there is one. Those that fewer than two chips support stay at their
 * prior: their rows are left to the broader groups. Deterministic.
 */
export function fitted(
  cases: readonly Case[],
  parameters: readonly Parameter[],
  start?: readonly number[],
  steps = 12,
): number[] {
  const perChip = new Map<string, number>();
  const keyOf = ({ row, category }: Case) => `${row.chipId} ${category}`;
  for (const each of cases) perChip.set(keyOf(each), (perChip.get(keyOf(each)) ?? 0) + 1);
  const weights = cases.map((each) => perChip.get(keyOf(each))! ** (CHIP_WEIGHT - 1));
  const free = chipsBehind(cases, parameters).map((chips) => chips >= MIN_CHIPS);
  let values = parameters.map((_, j) => (free[j] ? (start?.[j] ?? 0) : 0));
  for (let i = 0; i < steps; i++) {
    const next = step(cases, parameters, values, weights, free);
    const damping = start === undefined && i < 3 ? 0.6 : 0.9;
    values = values.map((value, j) => value + damping * (next[j]! - value));
  }
  return values;
}
