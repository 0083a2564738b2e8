// Steps of training, timed: what is reported is plain data, and adds up.

import { expect, test, vi } from "vitest";
import { runTraining, type TrainingMeasurement, type TrainingRun } from "../../src/engine/training_run";
import { adamW } from "../../src/workloads";
import { useDevice } from "./device";
import { tinyModels } from "./tiny_models";

const gpu = useDevice();

const run: TrainingRun = {
  model: tinyModels.llama,
  batch: 2,
  tokens: 24,
  optimiser: { ...adamW, learningRate: 0.01 },
  seconds: 0.2,
  least: 3,
  most: 5,
};

function assertSound(found: TrainingMeasurement): void {
  expect(structuredClone(found)).toEqual(found);
  const { samples, phases, losses, bytes, work } = found;
  expect(samples.length).toBeGreaterThanOrEqual(3);
  expect(samples.length).toBeLessThanOrEqual(5);
  for (const seconds of [...samples, ...Object.values(phases)]) {
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThan(60);
  }
  expect(losses.every(Number.isFinite)).toBe(true);
  expect(losses.at(-1)).toBeLessThan(losses[0] ?? 0);
  expect(bytes.gradients).toBe(bytes.weights - 4 * 128);
  expect(bytes.moments).toBe(2 * bytes.gradients);
  expect(work.backward.flops).toBeGreaterThan(1.9 * work.forward.flops);
}

test("by the GPU's clock, or the wall's where it has none", async () => {
  const plans: TrainingMeasurement["bytes"][] = [];
  const found = await runTraining(gpu(), run, { onPlan: (bytes) => plans.push(bytes) });
  expect(plans).toEqual([found.bytes]);
  assertSound(found);
  // Two steps before those that count, and by the wall clock three behind them.
  expect(found.losses).toHaveLength(2 + found.samples.length + (found.clock === "wall" ? 3 : 0));
});

test("by the wall clock, phase by phase, where there are no timestamps", async () => {
  const has = vi
    .spyOn(gpu(), "has")
    .mockImplementation((feature) => feature !== "timestamp-query" && gpu().device.features.has(feature));
  const found = await runTraining(gpu(), run);
  has.mockRestore();
  expect(found.clock).toBe("wall");
  assertSound(found);
  expect(found.losses).toHaveLength(2 + found.samples.length + 3);
});

test("a clock so coarse that it sees nothing pass leaves no step out", async () => {
  const has = vi
    .spyOn(gpu(), "has")
    .mockImplementation((feature) => feature !== "timestamp-query" && gpu().device.features.has(feature));
  const now = vi.spyOn(gpu().clock, "now").mockReturnValue(1);
  const { losses } = await runTraining(gpu(), run).finally(() => {
    has.mockRestore();
    now.mockRestore();
  });
  expect(losses.every((loss) => loss > 0)).toBe(true);
});

test("a model that does not learn is no measurement", async () => {
  const optimiser = { ...run.optimiser, learningRate: 0, weightDecay: 0 };
  await expect(runTraining(gpu(), { ...run, optimiser })).rejects.toThrow(/does not learn/);
});

test.each([
  [{ tokens: 300 }, /max_position_embeddings, 256/],
  [{ batch: 0.5 }, /batch: 0.5/],
  [{ model: tinyModels.gemma3 }, /gemma3_text cannot be trained here/],
] as const)("%j is refused", async (changes, says) => {
  await expect(runTraining(gpu(), { ...run, ...changes })).rejects.toThrow(says);
});
