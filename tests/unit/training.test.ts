// A training step as data: what it calls on what, what it takes and what it has to compute.

import { describe, expect, test } from "vitest";
import { trainingFlops, trainingStep } from "../../src/analysis/training_step";
import { kernelOf } from "../../src/kernels";
import { outputsOf } from "../../src/kernels/kernel";
import {
  adamW,
  gradientOf,
  linears,
  type ModelConfig,
  modelConfig,
  modelIds,
  parameters,
  trainableLayers,
  trainedTensors,
  training,
  trainingStateBytes,
  trainingWork,
  whyNoTraining,
} from "../../src/workloads";

const options = { batch: 2, tokens: 24, optimiser: adamW };
const models: [string, ModelConfig][] = (["smollm2-135m", "qwen2.5-0.5b", "mistral-7b"] as const).map(
  (id) => [id, { ...modelConfig(id), num_hidden_layers: 3 }],
);

describe.each(models)("%s", (_, model) => {
  const pass = training(model, options);

  test("reads nothing that was not written or given, and keeps what the way back needs", () => {
    const given =
      /^(embed_tokens|lm_head|layers\.|norm$|no_bias|angles|position|prompt|targets|schedule|mean|square)/;
    const written = new Map<string, number>();
    pass.dispatches.forEach(({ call, dtype, binds, label }, at) => {
      const operands = kernelOf(call.kernel).operands(call.shape, dtype);
      const outputs = outputsOf(operands).map(({ name }) => binds[name]!.tensor);
      for (const { name, role } of operands) {
        const { tensor } = binds[name]!;
        if (role === "output") continue;
        if (!given.test(tensor)) expect(written.has(tensor), `${label} reads ${tensor}`).toBe(true);
        // Nobody reads and writes the same memory, but for AdamW.
        if (call.kernel !== "adamw") expect(outputs).not.toContain(tensor);
      }
      for (const tensor of outputs) {
        if (tensor.startsWith("kept")) expect(written.has(tensor), `${tensor} is written once`).toBe(false);
        written.set(tensor, at);
      }
    });
  });

  test("gives every weight its gradient, and moves it once", () => {
    const moved = pass.dispatches.filter(({ call }) => call.kernel === "adamw");
    const trained = trainedTensors(pass.tensors);
    expect(moved.map(({ binds }) => binds.next_weight!.tensor).sort()).toEqual(
      trained.map(({ name }) => name).sort(),
    );
    for (const { name, rows, columns } of trained) {
      const gradient = pass.tensors.find((each) => each.name === gradientOf(name));
      expect([gradient?.rows, gradient?.columns], name).toEqual([rows, columns]);
    }
    const decayed = moved.filter(({ binds }) => binds.schedule!.tensor === "schedule");
    expect(decayed.every(({ binds }) => !/norm$|bias$/.test(binds.weight!.tensor))).toBe(true);
    const matrices = trained.filter(({ role }) => role === "matrix");
    expect(decayed).toHaveLength(matrices.length);
    expect(matrices.reduce((sum, { rows, columns }) => sum + rows * columns, 0)).toBe(parameters(model));
  });

  test("needs the FLOP of products and attention that the analysis bounds it with, and little more", () => {
    const { forward, backward, optimiser } = trainingWork(pass);
    const bound = trainingFlops(trainingStep(model, options.tokens, options.batch));
    const needed = forward.flops + backward.flops;
    expect(needed).toBeGreaterThan(bound);
    expect(needed).toBeLessThan(1.03 * bound);
    expect(backward.flops / forward.flops).toBeGreaterThan(1.95);
    expect(backward.flops / forward.flops).toBeLessThan(2.05);
    // Weight, gradient and two moments in, three of them out.
    expect(optimiser.bytes).toBeGreaterThan(28 * parameters(model));
    expect(optimiser.bytes).toBeLessThan(28.1 * parameters(model));
  });
});

test("the products of the way back are those of the way there, twice", () => {
  const model = { ...modelConfig("smollm2-135m"), num_hidden_layers: 2 };
  const { dispatches } = training(model, options);
  const flops = (kernel: string) =>
    dispatches
      .filter(({ call }) => call.kernel === kernel)
      .reduce((sum, { call, dtype }) => sum + kernelOf(call.kernel).work(call.shape, dtype).flops, 0);
  const once = linears(model).reduce((sum, { N, K, count }) => sum + 2 * 48 * N * K * count, 0);
  for (const kernel of ["matmul", "matmul_nn", "matmul_tn"]) expect(flops(kernel), kernel).toBe(once);
});

test("says by name what cannot be trained", () => {
  const reasons = modelIds.flatMap((id) => {
    const reason = whyNoTraining(modelConfig(id));
    return reason === undefined ? [] : [`${id}: ${reason}`];
  });
  expect(reasons).toEqual([
    "qwen3-8b: qwen3 cannot be trained here: norms of queries and keys have no backward pass",
    "gemma-3-1b: gemma3_text cannot be trained here: norms behind its blocks have no backward pass",
    "qwen3-30b-a3b: qwen3_moe cannot be trained here: norms of queries and keys have no backward pass",
    "gpt-oss-20b: gpt_oss cannot be trained here: clamped-gated layers have no backward pass",
  ]);
  expect(whyNoTraining({ ...modelConfig("smollm2-135m"), model_type: "mamba" })).toMatch(
    /"mamba" is not known/,
  );
});

test("knows how many layers fit with 16 bytes for each weight", () => {
  const model = modelConfig("smollm2-135m");
  expect(trainingStateBytes(model, 30)).toBe(16 * parameters(model));
  for (const layers of [1, 2, 17, 30]) {
    const bytes = trainingStateBytes(model, layers);
    expect(trainableLayers(model, bytes)).toBe(layers);
    expect(trainableLayers(model, bytes - 1)).toBe(layers - 1);
  }
  expect(trainableLayers(model, 2 ** 40)).toBe(30);
  expect(trainableLayers(model, 0)).toBe(0);
});
