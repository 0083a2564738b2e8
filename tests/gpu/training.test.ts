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
import { differences, referenceLoss, type Weights, worstShare } from "./training_reference";

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

const models: Record<string, ModelConfig> = {
  "llama, tied": smallest,
  "llama, untied": { ...smallest, tie_word_embeddings: false },
  "mistral, with a window": {
    ...smallest,
    model_type: "mistral",
    tie_word_embeddings: false,
    sliding_window: 3,
  },
  "qwen2, with biases": { ...smallest, model_type: "qwen2" },
};

const options: TrainingOptions = { batch: 2, tokens: 6, optimiser: adamW };

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
async function read(ready: Training, nameOf = (name: string) => name): Promise<Weights> {
  const all = new Map<string, { columns: number; values: Float64Array }>();
  for (const { name, columns } of trainedTensors(ready.plan.pass.tensors))
    all.set(name, { columns, values: await ready.readTensor(nameOf(name)) });
  return all;
}

describe.each(Object.entries(models))("%s", (_, model) => {
  test("the loss and the gradient of every weight agree with differences in float64", async () => {
    const ready = await prepared(model);
    const weights = await read(ready);
    run(ready, 0, 1);
    const gradients = await read(ready, gradientOf);
    const tokens = sequences(model.vocab_size);
    const [loss] = await ready.readLosses(1);
    expect(loss).toBeCloseTo(referenceLoss(model, weights, tokens), 5);
    const worst = [...gradients].map(([name, { values }]) => {
      const expected = differences(model, weights, tokens, name);
      expect(Math.max(...expected.map(Math.abs)), name).toBeGreaterThan(1e-3);
      const error = worstShare(values, expected);
      expect(error, name).toBeLessThan(1e-4);
      return error;
    });
    console.log(`${worst.length} gradients: ${Math.max(...worst).toExponential(1)} from float64`);
    ready.destroy();
  });
});
