import { describe, expect, test } from "vitest";
import {
  TRAINING_STATE_BYTES,
  trainingBounds,
  trainingFlops,
  trainingRoofSeconds,
  trainingStep,
} from "../../src/analysis/training_step";
import { chip, chips } from "../../src/chips/index";
import { kvCacheBytes, linears, modelConfig, modelIds, parameters } from "../../src/workloads";

const llama = modelConfig("llama-3.1-8b");
/** Weights that are multiplied by: all but the embedding table. */
const matrices = 32 * (6144 * 4096 + 4096 * 4096 + 28_672 * 4096 + 4096 * 14_336) + 128_256 * 4096;

describe("a training step of Llama 3.1 8B on 4 sequences of 8192 tokens", () => {
  const step = trainingStep(llama, 8192, 4);
  const tokens = 4 * 8192;
  // Two products of 2 FLOP per pair and number of a head; half of all pairs are visible.
  const attention = 32 * 4 * 32 * 128 * 4 * ((8192 * 8193) / 2);

  test("takes 6 FLOP per weight and token and 3.5 times attention's forward pass", () => {
    expect(matrices).toBe(7_504_658_432);
    expect(step.tokens).toBe(tokens);
    expect(trainingFlops(step) / (6 * matrices * tokens + 3.5 * attention)).toBeCloseTo(1, 12);
    // 1.475 PFLOP of matrices and 0.246 of attention.
    expect(trainingFlops(step) / 1e15).toBeCloseTo(1.7218, 3);
  });

  test("spends a third of its products on the forward pass, two thirds on the two backward ones", () => {
    const flops = (of: RegExp) =>
      step.operators
        .filter(({ label }) => of.test(label))
        .reduce((sum, each) => sum + each.count * each.flops, 0);
    const forward = flops(/^(qkv_proj|o_proj|gate_up_proj|down_proj|lm_head)$/);
    expect(forward).toBe(2 * matrices * tokens);
    expect(flops(/ dX$/)).toBe(forward);
    expect(flops(/ dW$/)).toBe(forward);
    expect(flops(/dQ, dK, dV$/) / flops(/^attention$/)).toBe(2.5);
  });

  test("moves operands and results of each product once, in 16 bits", () => {
    const bytes = (label: string) => step.operators.find((each) => each.label === label)?.bytes;
    const elements = tokens * 4096 + tokens * 6144 + 4096 * 6144;
    for (const label of ["qkv_proj", "qkv_proj dX", "qkv_proj dW"]) expect(bytes(label)).toBe(2 * elements);
    // Q and O have 32 heads, K and V have 8; the backward pass moves each of them and its gradient.
    expect(bytes("attention")).toBe(2 * tokens * 128 * (32 + 8 + 8 + 32));
    expect(bytes("attention dQ, dK, dV")).toBe(2 * 2 * tokens * 128 * (32 + 8 + 8 + 32));
  });

  test("ends with AdamW: 28 bytes per parameter, the embedding table included, no arithmetic", () => {
    expect(step.operators.at(-1)).toEqual({
      label: "AdamW",
      phase: "optimiser",
      count: 1,
      flops: 0,
      bytes: 28 * parameters(llama),
    });
    // 8.03 billion parameters of 16 bytes: an H100 of 80 GB does not hold them.
    expect(TRAINING_STATE_BYTES * parameters(llama)).toBeCloseTo(128.5e9, -8);
  });

  test("is compute-bound on an H100, but for the optimiser", () => {
    const [bound] = trainingBounds(step, [chip("h100-sxm")!]);
    const compute = trainingFlops(step) / 989e12;
    const optimiser = (28 * parameters(llama)) / 3.35e12;
    expect(step.tokens / bound!.tokensPerSecond!).toBeGreaterThan(compute);
    expect(step.tokens / bound!.tokensPerSecond! / (compute + optimiser)).toBeCloseTo(1, 2);
    expect(bound!.tokensPerSecond).toBeCloseTo(18_100, -3);
  });
});

test("every model's step takes 6 FLOP per matrix weight and token and more for attention", () => {
  for (const id of modelIds) {
    const model = modelConfig(id);
    const weights = linears(model).reduce((sum, { N, K, perToken }) => sum + N * K * perToken, 0);
    const flops = trainingFlops(trainingStep(model, 512, 2));
    expect(flops / (6 * weights * 1024), id).toBeGreaterThan(1);
    expect(flops / (6 * weights * 1024), id).toBeLessThan(1.2);
  }
});

test("a larger batch makes a token cheaper: weights and optimiser are shared", () => {
  const roof = { flops: 1e15, bandwidth: 1e12 };
  const perToken = (batch: number) =>
    trainingRoofSeconds(trainingStep(llama, 128, batch), roof) / (128 * batch);
  expect(perToken(8)).toBeLessThan(perToken(1));
  expect(perToken(1)).toBeGreaterThan(3 * perToken(64));
});

test("every chip has a bound or names what is missing", () => {
  const bounds = trainingBounds(trainingStep(llama, 2048, 1), chips);
  expect(bounds.map((each) => each.chip.id)).toEqual(chips.map(({ id }) => id));
  for (const { roof, tokensPerSecond } of bounds) expect(tokensPerSecond !== undefined).toBe(roof.known);
});

test.each([0, -1, 1.5, Number.NaN])("a step of %d tokens or sequences is refused", (wrong) => {
  expect(() => trainingStep(llama, wrong, 1)).toThrow("tokens of a training step is");
  expect(() => trainingStep(llama, 1, wrong)).toThrow("batch of a training step is");
});

describe("a KV cache", () => {
  test("of Llama 3.1 8B takes 128 KiB per token in f16, as much with quantised weights, twice that in f32", () => {
    expect(kvCacheBytes(llama, 1, "f16")).toBe(2 * 32 * 8 * 128 * 2);
    expect(kvCacheBytes(llama, 1000, "q4_0")).toBe(1000 * 131_072);
    expect(kvCacheBytes(llama, 1, "f32")).toBe(262_144);
    // In q8_0 each 32 numbers take 34 bytes.
    expect(kvCacheBytes(llama, 1, "f16", "q8_0")).toBe(2 * 32 * 8 * (128 / 32) * 34);
  });

  test("of a model with local layers stops growing in them at the window", () => {
    const gemma = modelConfig("gemma-3-1b");
    const [global, local] = [Math.floor(26 / 6), 26 - Math.floor(26 / 6)];
    const perLayer = 2 * gemma.num_key_value_heads * gemma.head_dim * 2;
    expect(kvCacheBytes(gemma, 512, "f16")).toBe(26 * 512 * perLayer);
    expect(kvCacheBytes(gemma, 10_000, "f16")).toBe((global * 10_000 + local * 512) * perLayer);
  });
});
