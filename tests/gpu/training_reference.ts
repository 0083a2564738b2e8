// The loss of a model in float64, and its gradients by central differences: they know nothing of backward passes.

import type { Matrix } from "../../src/kernels/kernel";
import type { ModelConfig } from "../../src/workloads";
import { referenceLogits } from "./forward_reference";

/** Weights by name, row by row. */
export type Weights = ReadonlyMap<string, { readonly columns: number; readonly values: Float64Array }>;

const matrixOf =
  (weights: Weights) =>
  (name: string): Matrix => {
    const found = weights.get(name);
    if (found === undefined) return () => 0;
    return (row, column) => found.values[row * found.columns + column]!;
  };

/** The mean cross-entropy of every next token. */
export function referenceLoss(
  model: ModelConfig,
  weights: Weights,
  sequences: readonly (readonly number[])[],
): number {
  const options = { dtype: "f32", largestBinding: 2 ** 27, residentLayers: model.num_hidden_layers } as const;
  const losses = sequences.flatMap((sequence) =>
    referenceLogits(model, matrixOf(weights), sequence.slice(0, -1), options).map((logits, i) => {
      const peak = logits.reduce((a, b) => Math.max(a, b));
      const total = logits.reduce((sum, logit) => sum + Math.exp(logit - peak), 0);
      return peak + Math.log(total) - logits[sequence[i + 1]!]!;
    }),
  );
  return losses.reduce((a, b) => a + b) / losses.length;
}

const STEP = 1e-5;

/** The gradient of the loss by every number of a tensor. */
export function differences(
  model: ModelConfig,
  weights: Weights,
  sequences: readonly (readonly number[])[],
  name: string,
): Float64Array {
  const { values } = weights.get(name)!;
  return Float64Array.from(values, (value, i) => {
    values[i] = value + STEP;
    const above = referenceLoss(model, weights, sequences);
    values[i] = value - STEP;
    const below = referenceLoss(model, weights, sequences);
    values[i] = value;
    return (above - below) / (2 * STEP);
  });
}

/** The largest difference as a share of the largest expected. */
export function worstShare(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  const all = Array.from(expected, (value, i) => [Math.abs(value), Math.abs(actual[i]! - value)] as const);
  const largest = Math.max(...all.map(([size]) => size));
  const worst = Math.max(...all.map(([, error]) => (Number.isNaN(error) ? Number.POSITIVE_INFINITY : error)));
  return worst / largest;
}
