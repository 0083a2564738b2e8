// The fit: logarithms of quantities and of groups' effects, so that the logarithms of published figures are met. Least
// squares with Huber's loss and a prior on each parameter (ridge), by Gauss-Newton steps with numeric derivatives.

import {
  type Efficiencies,
  groupKey,
  type Quantity,
  type QuantityName,
  quantities,
  quantityNames,
} from "../src/analysis/prediction/efficiency";
import { type Case, type Category, valueOf } from "../src/analysis/prediction/published_row";

export interface Parameter {
  readonly quantity: QuantityName;
  /** A group, or the base of its quantity where empty. */
  readonly key: string;
  readonly spread: number;
}

/** How far a row of a category is off when the model is right: what residuals are weighed by. */
export const noise: Readonly<Record<Category, number>> = { decode: 0.1, prefill: 0.15, serving: 0.3 };
/** Residuals beyond so many times the noise count linearly. */
const HUBER = 1.3;
/** An effect is expected to be so many e-folds, by how many traits its group has. */
export const effectSpread = [0, 0.3, 0.2, 0.15];
const MIN_CHIPS = 2;
const SENSITIVE = 0.02;

export function efficienciesOf(parameters: readonly Parameter[], values: readonly number[]): Efficiencies {
  const result = Object.fromEntries(
    quantityNames.map((name) => [name, { base: 0, effects: {} as Record<string, number> }]),
  ) as Record<QuantityName, { base: number; effects: Record<string, number> }>;
  parameters.forEach(({ quantity, key }, i) => {
    if (key === "") result[quantity].base = values[i]!;
    else result[quantity].effects[key] = values[i]!;
  });
  return result;
}

/** Every base and every group that some row belongs to. */
export function parametersOf(cases: readonly Case[]): Parameter[] {
  return quantityNames.flatMap((name): Parameter[] => {
    const { spread, groups }: Quantity = quantities[name];
    const keys = new Map<string, number>();
    for (const { setting } of cases)
      for (const group of groups) keys.set(groupKey(setting.traits, group), group.length);
    return [
      { quantity: name, key: "", spread },
      ...[...keys].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, traits]) => ({ quantity: name, key, spread: effectSpread[traits]! * (spread / 0.4) })),
    ];
  });
}

const logValue = (each: Case, known: Efficiencies) => Math.log(valueOf(each, known));
export const logMeasured = (each: Case) => Math.log(each.row.value ?? Number.NaN);

/** Derivatives of each row's logarithm by each parameter, and the logarithms. */
export function linearised(cases: readonly Case[], parameters: readonly Parameter[], values: readonly number[]) {
  const step = 1e-4;
  const at = efficienciesOf(parameters, values);
  const logs = cases.map((each) => logValue(each, at));
  const rows: number[][] = cases.map(() => new Array<number>(parameters.length).fill(0));
  const membership = cases.map(({ setting }) => {
    const has = new Set<string>();
    for (const name of quantityNames) {
      has.add(`${name} `);
      for (const group of quantities[name].groups) has.add(`${name} ${groupKey(setting.traits, group)}`);
    }
    return has;
  });
  // The derivative by a group's effect is that by its quantity's base, for the rows that belong to it.
  for (const name of quantityNames) {
    const base = parameters.findIndex((each) => each.quantity === name && each.key === "");
    const moved = [...values];
    moved[base]! += step;
    const known = efficienciesOf(parameters, moved);
    cases.forEach((each, i) => {
      const slope = (logValue(each, known) - logs[i]!) / step;
      parameters.forEach((parameter, j) => {
        if (parameter.quantity === name && membership[i]!.has(`${name} ${parameter.key}`)) rows[i]![j] = slope;
      });
    });
  }
  return { logs, rows };
}

/** Solves A·x = b for a symmetric positive definite A (Cholesky); both are overwritten. */
function solve(a: number[][], b: number[]): number[] {
  const n = b.length;
  for (let j = 0; j < n; j++) {
    for (let k = 0; k < j; k++) for (let i = j; i < n; i++) a[i]![j]! -= a[i]![k]! * a[j]![k]!;
    const root = Math.sqrt(a[j]![j]!);
    for (let i = j; i < n; i++) a[i]![j]! /= root;
  }
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) b[i]! -= a[i]![k]! * b[k]!;
    b[i]! /= a[i]![i]!;
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) b[i]! -= a[k]![i]! * b[k]!;
    b[i]! /= a[i]![i]!;
  }
  return b;
}

/** Chips by which each parameter is supported: rows that it moves. */
export function supportOf(cases: readonly Case[], rows: readonly (readonly number[])[], count: number): Set<string>[] {
  return Array.from({ length: count }, (_, j) => {
    const chips = new Set<string>();
    cases.forEach((each, i) => {
      if (Math.abs(rows[i]![j]!) > SENSITIVE) chips.add(each.row.chipId);
    });
    return chips;
  });
}

/** One Gauss-Newton step from `values`; parameters that fewer than two chips support stay at their prior. */
function step(
  cases: readonly Case[],
  parameters: readonly Parameter[],
  values: readonly number[],
  weights: (each: Case) => number,
): number[] {
  const { logs, rows } = linearised(cases, parameters, values);
  const support = supportOf(cases, rows, parameters.length);
  const free = parameters.flatMap((_, j) => (support[j]!.size >= MIN_CHIPS ? [j] : []));
  const n = free.length;
  const a = Array.from({ length: n }, () => new Array<number>(n).fill(0));
  const b = new Array<number>(n).fill(0);
  cases.forEach((each, i) => {
    const sigma = noise[each.category];
    const row = rows[i]!;
    const residual = logMeasured(each) - logs[i]!;
    const weight = (weights(each) * Math.min(1, (HUBER * sigma) / Math.abs(residual || 1e-9))) / sigma ** 2;
    // The target of the linearised problem: what the parameters themselves should be.
    const target = residual + free.reduce((sum, j) => sum + row[j]! * values[j]!, 0);
    for (let p = 0; p < n; p++) {
      const x = row[free[p]!]!;
      if (x === 0) continue;
      b[p]! += weight * x * target;
      for (let q = 0; q <= p; q++) a[p]![q]! += weight * x * row[free[q]!]!;
    }
  });
  free.forEach((j, p) => {
    a[p]![p]! += 1 / parameters[j]!.spread ** 2;
    for (let q = 0; q < p; q++) a[q]![p] = a[p]![q]!;
  });
  const solved = solve(a, b);
  const next = new Array<number>(parameters.length).fill(0);
  free.forEach((j, p) => {
    next[j] = solved[p]!;
  });
  return next;
}

/** Fits all parameters to the cases. Deterministic. */
export function fit(cases: readonly Case[], parameters: readonly Parameter[], start?: readonly number[], steps = 12): number[] {
  let values = start === undefined ? new Array<number>(parameters.length).fill(0) : [...start];
  const perChip = new Map<string, number>();
  for (const each of cases) {
    const key = `${each.row.chipId} ${each.category}`;
    perChip.set(key, (perChip.get(key) ?? 0) + 1);
  }
  // Rows of one chip tell much the same.
  const weights = (each: Case) => perChip.get(`${each.row.chipId} ${each.category}`)! ** -0.35;
  for (let i = 0; i < steps; i++) {
    const next = step(cases, parameters, values, weights);
    const damping = i < 3 ? 0.6 : 0.9;
    values = values.map((value, j) => value + damping * (next[j]! - value));
  }
  return values;
}
