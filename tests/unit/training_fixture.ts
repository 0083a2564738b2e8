// A result with models that were trained, as the engine would write it: round numbers.

import type { Result } from "../../src/result";
import { type MeasuredTraining, type TrainingCase, trainingCases } from "../../src/training_result";
import { around, forwarded } from "./forward_fixture";

/** 512 tokens in a step of 0.1 s: 10 ms forwards more than a third of it, and so on. */
export const trainedOnce = (
  wanted: TrainingCase,
  changes: Partial<MeasuredTraining> = {},
): MeasuredTraining => ({
  status: "measured",
  ...wanted,
  tokens: 512,
  layers: 4,
  ofLayers: 16,
  bytes: { weights: 1e9, gradients: 1e9, moments: 2e9, activations: 5e8, other: 1e6 },
  clock: "timestamp-query",
  times: { kind: "samples", seconds: around(0.1) },
  phases: { forward: 0.025, backward: 0.05, optimiser: 0.025 },
  work: {
    forward: { flops: 1e12, bytes: 5e9 },
    backward: { flops: 2e12, bytes: 1e10 },
    optimiser: { flops: 3.75e9, bytes: 7e9 },
  },
  dispatches: 374,
  loss: { first: 11.5, last: 0.25 },
  steps: 13,
  hidden: false,
  ...changes,
});

/** A plan's trainings: the first was done, in f16 there is none. */
export function trainedResult(
  words = "forward=on train=on dtype=f32,f16",
  changes: Partial<MeasuredTraining> = {},
): Result {
  const result = forwarded(words);
  const [first, second] = trainingCases(result.plan);
  return {
    ...result,
    trainings: [
      ...(first === undefined ? [] : [trainedOnce(first, changes)]),
      ...(second === undefined
        ? []
        : [{ status: "skipped" as const, ...second, reason: "models are trained in f32, not in f16" }]),
    ],
  };
}
