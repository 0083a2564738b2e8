// A training step in a real browser: its gradients against central differences in float64, AdamW against float64, and
// whether a model learns.

import { describe, expect, test } from "vitest";
import { prepareTraining, type Training } from "../../src/engine/training";
import { planTraining } from "../../src/engine/training_plan";
import {
  adamW,
  gradientOf,
  type ModelConfig,
  type TrainingOptions,
  trainedTensors,
  training,
} from "../../src/workloads";
import { useDevice } from "./device";
import { differences, referenceLoss, worstShare } from "./training_reference";

const gpu = useDevice();

/** So small that the loss can be computed twice for every weight; two query heads share one of keys and values. */
const smallest: ModelConfig = {
  _name_or_path: "smallest",
  model_type: "llama",
  hidden_size: 8,
  intermediate_size: 12,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 4,
  vocab_size: 11,
  tie_word_embeddings: true,
  max_position_embeddings: 64,
  hidden_act: "silu",
  rms_norm_eps: 1e-5,
  rope_theta: 100,
};

/** The models, and the weights whose gradients are looked at: all where there are none. */
const models: Record<string, readonly [model: ModelConfig, only?: RegExp]> = {
  "llama, tied": [smallest],
  "mistral, untied, with a window": [
    { ...smallest, model_type: "mistral", tie_word_embeddings: false, sliding_window: 3 },
  ],
  "qwen2, with biases": [{ ...smallest, model_type: "qwen2" }, /qkv_bias|input_layernorm/],
};

const options: TrainingOptions = { batch: 2, tokens: 5, optimiser: adamW };

/** Tokens that come more than once, and some that do not come. */
const sequences = (vocabulary: number, { batch, tokens } = options) =>
  Array.from({ length: batch }, (_, sequence) =>
    Array.from({ length: tokens + 1 }, (_, i) => (5 * sequence + i * i + 3) % vocabulary),
  );

async function prepared(
  model: ModelConfig,
  changes: Partial<TrainingOptions> = {},
  { seed = 1, steps = 1 }: { seed?: number; steps?: number } = {},
): Promise<Training> {
  const pass = training(model, { ...options, ...changes });
  const ready = await prepareTraining(gpu(), planTraining(gpu(), pass, { steps }), seed);
  ready.writeTokens(sequences(model.vocab_size, { ...options, ...changes }));
  return ready;
}

function run(ready: Training, from: number, to: number): void {
  for (let step = from; step < to; step++) {
    const encoder = gpu().device.createCommandEncoder();
    ready.encode(encoder, step);
    gpu().device.queue.submit([encoder.finish()]);
  }
}

/** What every trained tensor holds now. */
async function read(ready: Training, nameOf = (name: string) => name) {
  const all = new Map<string, { columns: number; values: Float64Array }>();
  for (const { name, columns } of trainedTensors(ready.plan.pass.tensors))
    all.set(name, { columns, values: await ready.readTensor(nameOf(name)) });
  return all;
}

describe.each(Object.entries(models))("%s", (_, [model, only = /./]) => {
  test("the loss and the gradient of every weight agree with differences in float64", async () => {
    const ready = await prepared(model);
    const weights = await read(ready);
    run(ready, 0, 1);
    const gradients = await read(ready, gradientOf);
    const tokens = sequences(model.vocab_size);
    const [loss] = await ready.readLosses(1);
    expect(loss).toBeCloseTo(referenceLoss(model, weights, tokens), 5);
    const worst = [...gradients].flatMap(([name, { values }]) => {
      if (!only.test(name)) return [];
      const expected = differences(model, weights, tokens, name);
      expect(Math.max(...expected.map(Math.abs)), name).toBeGreaterThan(1e-3);
      const error = worstShare(values, expected);
      expect(error, name).toBeLessThan(1e-4);
      return [error];
    });
    expect(worst.length).toBeGreaterThan(2);
    console.log(`${worst.length} gradients: ${Math.max(...worst).toExponential(1)} from float64`);
    ready.destroy();
  });
});

test("AdamW moves every weight as float64 does, two steps in a row", async () => {
  const optimiser = { ...adamW, learningRate: 0.01 };
  const ready = await prepared(smallest, { optimiser }, { steps: 2 });
  const before = await read(ready);
  const moments = new Map([...before].map(([name, { values }]) => [name, values.map(() => 0)] as const));
  const squares = new Map([...before].map(([name, { values }]) => [name, values.map(() => 0)] as const));
  for (const step of [0, 1]) {
    run(ready, step, step + 1);
    const gradients = await read(ready, gradientOf);
    const after = await read(ready);
    for (const [name, weight] of before) {
      const { beta1, beta2, epsilon, learningRate, weightDecay } = optimiser;
      const decay = /norm|bias/.test(name) ? 0 : weightDecay;
      const given = gradients.get(name)!.values;
      const m = moments.get(name)!.map((each, i) => beta1 * each + (1 - beta1) * given[i]!);
      const v = squares.get(name)!.map((each, i) => beta2 * each + (1 - beta2) * given[i]! ** 2);
      const moved = m.map((mean, i) => {
        const root = Math.sqrt(v[i]! / (1 - beta2 ** (step + 1))) + epsilon;
        const change = learningRate * (mean / (1 - beta1 ** (step + 1)) / root + decay * weight.values[i]!);
        return weight.values[i]! - change;
      });
      const actual = after.get(name)!.values;
      // Of the change, not of the weight.
      const changes = moved.map((each, i) => each - weight.values[i]!);
      const found = actual.map((each, i) => each - weight.values[i]!);
      expect(worstShare(found, changes), name).toBeLessThan(1e-4);
      moments.set(name, m);
      squares.set(name, v);
      before.set(name, { ...weight, values: actual });
    }
  }
  ready.destroy();
});

test("a model learns a batch by heart, the same seed to the same bits", async () => {
  const steps = 30;
  const losses: number[][] = [];
  for (const seed of [5, 5, 6]) {
    const ready = await prepared(
      { ...smallest, tie_word_embeddings: false, hidden_size: 32, vocab_size: 29 },
      { tokens: 9, optimiser: { ...adamW, learningRate: 0.01 } },
      { seed, steps },
    );
    run(ready, 0, steps);
    losses.push(await ready.readLosses(steps));
    ready.destroy();
  }
  const [first, again, other] = losses as [number[], number[], number[]];
  expect(again).toEqual(first);
  expect(other).not.toEqual(first);
  console.log(`loss ${first[0]!.toFixed(2)} to ${first.at(-1)!.toFixed(3)} in ${steps} steps`);
  expect(first[0]).toBeGreaterThan(2);
  expect(first.at(-1)).toBeLessThan(0.2 * first[0]!);
});

test("a step in parts, submitted one by one, is the step", async () => {
  const whole = await prepared(smallest, {}, { steps: 2 });
  run(whole, 0, 2);
  const parted = await prepared(smallest, {}, { steps: 2 });
  const count = parted.plan.pass.dispatches.length;
  for (const step of [0, 1]) {
    for (let from = 0; from < count; from += 7) {
      const encoder = gpu().device.createCommandEncoder();
      parted.encode(encoder, step, { from, to: Math.min(from + 7, count) });
      gpu().device.queue.submit([encoder.finish()]);
    }
  }
  expect(await parted.readLosses(2)).toEqual(await whole.readLosses(2));
  for (const ready of [whole, parted]) {
    const stamps = await ready.readStamps(2);
    if (gpu().has("timestamp-query")) {
      const [first, second] = stamps!;
      for (const { begin, end } of [...first!, ...second!]) expect(end).toBeGreaterThanOrEqual(begin);
      expect(second![0]!.begin).toBeGreaterThanOrEqual(first![2]!.end);
    } else expect(stamps).toBeNull();
    ready.destroy();
  }
});

test("what cannot be trained is refused, with the reason", async () => {
  const plan = (model: ModelConfig, changes: Partial<TrainingOptions> = {}) =>
    training(model, { ...options, ...changes });
  expect(() => plan({ ...smallest, model_type: "qwen3" })).toThrow(/norms of queries and keys/);
  expect(() => plan(smallest, { tokens: 65 })).toThrow(/max_position_embeddings, 64/);
  expect(() => plan(smallest, { batch: 0 })).toThrow(/batch: 0/);
  expect(() => plan(smallest, { optimiser: { ...adamW, beta2: 1 } })).toThrow(/beta2: 1/);
  const ready = await prepared(smallest);
  expect(() => ready.writeTokens([[1, 2, 3]])).toThrow(/2 sequences of 5 tokens/);
  expect(() => ready.writeTokens(sequences(99))).toThrow(/no token of 11/);
  expect(() => ready.encode(gpu().device.createCommandEncoder(), 1)).toThrow(/step 1 is beyond the 1/);
  ready.destroy();
  const large = training({ ...smallest, vocab_size: 2 ** 22, hidden_size: 512 }, options);
  expect(() => planTraining(gpu(), large, { steps: 1 })).toThrow(/embed_tokens.0 has 8589934592 bytes/);
});
