// Gradients of a training step against another program's: jax-js differentiates a decoder written with its own operators.

import { defaultDevice, init, type Array as JaxArray, nn, numpy as np, valueAndGrad } from "@jax-js/jax";
import { expect, test } from "vitest";
import { prepareTraining } from "../../src/engine/training";
import { planTraining } from "../../src/engine/training_plan";
import {
  adamW,
  gradientOf,
  inverseFrequencies,
  type ModelConfig,
  ropeAngles,
  trainedTensors,
  training,
} from "../../src/workloads";
import { useDevice } from "./device";
import { tinyModels } from "./tiny_models";
import { worstShare } from "./training_reference";

const gpu = useDevice();

const [batch, tokens] = [2, 11];
const rows = batch * tokens;

type Parameters = Record<string, JaxArray>;

const array = (values: ArrayLike<number>, ...shape: number[]) =>
  np.array(Float32Array.from(values), { shape });

const oneHot = (ids: readonly number[], classes: number) =>
  array(
    ids.flatMap((id) => Array.from({ length: classes }, (_, i) => Number(i === id))),
    ids.length,
    classes,
  );

/** x · Wᵀ. */
const linear = (x: JaxArray, weights: JaxArray) => np.matmul(x, np.transpose(weights));

function normed(x: JaxArray, weight: JaxArray, epsilon: number): JaxArray {
  const mean = np.mean(np.square(x.ref), -1, { keepdims: true });
  return x.div(np.sqrt(mean.add(epsilon))).mul(weight);
}

/** The mean loss of a model whose tokens are all in one row of queries, and see only those of their own sequence. */
function lossOf(model: ModelConfig, sequences: readonly (readonly number[])[]) {
  const { head_dim: headDim, num_attention_heads: heads, num_key_value_heads: kvHeads, vocab_size } = model;
  const epsilon = model.rms_norm_eps ?? 0;
  const half = headDim / 2;
  const angles = ropeAngles(inverseFrequencies(model), tokens);
  const table = (from: number) =>
    array(
      Array.from({ length: rows * half }, (_, i) => {
        const position = Math.floor(i / half) % tokens;
        return angles[position * headDim + from + (i % half)] ?? 0;
      }),
      rows,
      1,
      half,
    );
  const mask = array(
    Array.from({ length: rows * rows }, (_, i) => {
      const [query, key] = [Math.floor(i / rows), i % rows];
      const same = Math.floor(query / tokens) === Math.floor(key / tokens);
      const near = query - key < (model.sliding_window ?? tokens);
      return same && key <= query && near ? 0 : -1e9;
    }),
    1,
    rows,
    rows,
  );

  const turned = (x: JaxArray) => {
    const [low, high] = np.split(x, 2, -1) as [JaxArray, JaxArray];
    const [cosine, sine] = [table(0), table(half)];
    const first = low.ref.mul(cosine.ref).sub(high.ref.mul(sine.ref));
    return np.concatenate([first, high.mul(cosine).add(low.mul(sine))], -1);
  };

  return (given: Parameters): JaxArray => {
    const weight = (name: string) => given[name]!.ref;
    const ids = sequences.flatMap((each) => each.slice(0, -1));
    const targets = sequences.flatMap((each) => each.slice(1));
    let x = np.matmul(oneHot(ids, vocab_size), weight("embed_tokens.0"));
    for (let layer = 0; layer < model.num_hidden_layers; layer++) {
      const of = (name: string) => weight(`layers.${layer}.${name}`);
      let qkv = linear(normed(x.ref, of("input_layernorm"), epsilon), of("qkv_proj"));
      if (model.model_type === "qwen2") qkv = qkv.add(of("qkv_bias"));
      const parts = np.split(qkv.reshape([rows, heads + 2 * kvHeads, headDim]), [heads, heads + kvHeads], 1);
      const [q, k, v] = parts as [JaxArray, JaxArray, JaxArray];
      const shared = (part: JaxArray) => np.repeat(part, heads / kvHeads, 1);
      const scores = np.einsum("ihd,jhd->hij", turned(q), shared(turned(k))).mul(1 / Math.sqrt(headDim));
      const shares = nn.softmax(scores.add(mask.ref), -1);
      const attended = np.einsum("hij,jhd->ihd", shares, shared(v)).reshape([rows, heads * headDim]);
      x = x.add(linear(attended, of("o_proj")));
      const gated = linear(normed(x.ref, of("post_attention_layernorm"), epsilon), of("gate_up_proj"));
      const [gate, up] = np.split(gated, 2, -1) as [JaxArray, JaxArray];
      x = x.add(linear(nn.silu(gate).mul(up), of("down_proj")));
    }
    const head = weight(model.tie_word_embeddings ? "embed_tokens.0" : "lm_head.0");
    const logits = linear(normed(x, weight("norm"), epsilon), head);
    const chosen = np.sum(logits.ref.mul(oneHot(targets, vocab_size)), -1);
    return np.mean(nn.logsumexp(logits, -1).sub(chosen));
  };
}

/** Those of the tiny models that can be trained. */
const trained = ["llama", "llama, heads of an odd kind", "mistral", "qwen2"] as const;

test.each(trained.map((name) => [name, tinyModels[name]] as const))(
  "%s: the loss and every gradient agree with jax-js's",
  async (_, model) => {
    await init("wasm");
    defaultDevice("wasm");
    const sequences = Array.from({ length: batch }, (_, sequence) =>
      Array.from({ length: tokens + 1 }, (_, i) => (sequence * 97 + i * i * 13 + 5 * i) % model.vocab_size),
    );
    const pass = training(model, { batch, tokens, optimiser: adamW });
    const ready = await prepareTraining(gpu(), planTraining(gpu(), pass, { steps: 1 }), 3);
    const parameters: Parameters = {};
    const all = trainedTensors(pass.tensors);
    for (const { name, rows: count, columns } of all) {
      const values = await ready.readTensor(name);
      parameters[name] = count === 1 ? array(values, columns) : array(values, count, columns);
    }
    ready.writeTokens(sequences);
    const encoder = gpu().device.createCommandEncoder();
    ready.encode(encoder, 0);
    gpu().device.queue.submit([encoder.finish()]);
    const [loss] = await ready.readLosses(1);

    const [value, gradients] = valueAndGrad(lossOf(model, sequences))(parameters);
    expect(loss).toBeCloseTo((await value.data())[0] ?? Number.NaN, 4);
    const errors: number[] = [];
    for (const { name } of all) {
      const expected = await gradients[name]!.data();
      const error = worstShare(await ready.readTensor(gradientOf(name)), Array.from(expected));
      expect(error, name).toBeLessThan(1e-3);
      errors.push(error);
    }
    console.log(`${errors.length} gradients: ${Math.max(...errors).toExponential(1)} from jax-js`);
    ready.destroy();
  },
);
