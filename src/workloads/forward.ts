// The forward pass of a model: which kernels are called on which tensors. Pure: the engine runs it.

import { activationsOf, bitsOf, type DType } from "../kernels/elements";
import { bytesOf } from "../kernels/kernel";
import { MATVEC_MAX_M } from "../kernels/matvec";
import { weightOperands } from "../kernels/product";
import { layerWindow } from "./decoder";
import { type Builder, builder, weightsAt } from "./forward_build";
import { mixtureOfExperts } from "./forward_experts";
import { collector, type ForwardOptions, type ForwardPass } from "./forward_pass";
import { rowPieces } from "./matrix_pieces";
import type { ModelConfig } from "./model";

function assertOptions(model: ModelConfig, options: ForwardOptions): void {
  const { batch, tokens, capacity, logits, sampling, from, residentLayers } = options;
  const wrong = (
    [
      [Number.isInteger(batch) && batch >= 1, "batch is a whole number from 1"],
      [Number.isInteger(tokens) && tokens >= 1, "tokens are a whole number from 1"],
      [tokens <= capacity, `capacity ${capacity} does not hold ${tokens} tokens`],
      [
        capacity <= model.max_position_embeddings,
        `capacity ${capacity} is more than max_position_embeddings ${model.max_position_embeddings}`,
      ],
      [from === "prompt" || tokens === 1, "one token of each sequence was sampled"],
      [
        sampling === null || logits === "last" || (logits === "all" && tokens === 1),
        "sampling needs logits of the last token",
      ],
      [
        residentLayers >= 1 && residentLayers <= model.num_hidden_layers,
        `residentLayers is from 1 to ${model.num_hidden_layers}`,
      ],
      [
        sampling?.kind !== "temperature" || (sampling.temperature >= 0.001 && sampling.temperature <= 1000),
        "temperature is from 0.001 to 1000",
      ],
    ] as const
  ).find(([right]) => !right);
  if (wrong !== undefined) throw new RangeError(wrong[1]);
}

/** From tokens to the residual stream. */
function embedding({ model, options, decoder, M, call, vocabulary, pieces }: Builder): void {
  for (const piece of pieces) {
    const shape = { tokens: M, vocab: vocabulary.rows, hidden: model.hidden_size, piece: piece + 1 };
    call(
      "embed_tokens",
      null,
      { kernel: decoder.scaledEmbedding ? "scaled_embed" : "embed", shape },
      { ids: options.from, table: `embed_tokens.${piece}`, out: "residual.0" },
    );
  }
}

/** Bindings begin at multiples of this: minStorageBufferOffsetAlignment, unless a device was asked for less. */
const OFFSET_BYTES = 256;

/** Whether a row of a matrix begins where a binding may, and so do its scales and the output that belongs to it. */
const beginsLegally = (row: number, columns: number, dtype: DType): boolean =>
  [
    ...weightOperands("weights", row, columns, dtype).map(bytesOf),
    (row * bitsOf[activationsOf[dtype]]) / 8,
  ].every((offset) => offset % OFFSET_BYTES === 0);

/** From the normed residual stream to what attention gives, in `delta`. */
function attentionBlock(build: Builder, layer: number): void {
  const { model, options, decoder, M, call, linear, product } = build;
  const { batch, tokens: queries, capacity } = options;
  const {
    hidden_size: hidden,
    num_attention_heads: heads,
    num_key_value_heads: kvHeads,
    head_dim: headDim,
  } = model;
  const at = (name: string) => weightsAt(build, layer, name);
  const quantised = options.cache === "q8_0";
  const kv = `layers.${layer}.kv`;
  const cache = quantised
    ? { kv, scales: `${kv}.scales` }
    : { k: `layers.${layer}.k`, v: `layers.${layer}.v` };
  const own = layerWindow(model, layer);

  const [queryRows, keyRows] = [heads * headDim, kvHeads * headDim];
  const parts = [
    ["q_proj", 0, queryRows],
    ["k_proj", queryRows, keyRows],
    ["v_proj", queryRows + keyRows, keyRows],
  ] as const;
  const whole = { N: queryRows + 2 * keyRows, K: hidden };
  const apart =
    !options.fused.qkv &&
    M === 1 &&
    rowPieces(whole, options.dtype, options.largestBinding).pieces === 1 &&
    parts.every(([, row]) => beginsLegally(row, hidden, options.dtype));
  if (apart) {
    const elementBytes = bitsOf[activationsOf[options.dtype]] / 8;
    for (const [label, row, N] of parts) {
      const weights = { tensor: at("qkv_proj"), row };
      product(label, layer, weights, { M, N, K: hidden }, "normed", {
        tensor: "qkv",
        offset: row * elementBytes,
      });
    }
  } else linear("qkv_proj", layer, at("qkv_proj"), { M, ...whole }, "normed", "qkv");
  const turned = {
    qkv: "qkv",
    bias: decoder.qkvBias ? at("qkv_bias") : "no_bias",
    angles: decoder.localTheta && own !== undefined ? "angles.local" : "angles",
    position: "position",
    q: "q",
    ...cache,
  };
  const rope = { batch, queries, heads, kvHeads, headDim, capacity };
  if (decoder.qkNorm) {
    const shape = { ...rope, nanoEpsilon: decoder.nanoEpsilon };
    const kernel = quantised ? "norm_rope_q8_0" : "norm_rope";
    call("rope", layer, { kernel, shape }, { ...turned, norms: at("qk_norms") });
  } else call("rope", layer, { kernel: quantised ? "rope_q8_0" : "rope", shape: rope }, turned);
  const window = Math.min(own ?? capacity, capacity);
  const shape = { batch, queries, keys: capacity, heads, kvHeads, headDim, window };
  const kernel = quantised ? "attention_q8_0" : "attention";
  const attended = { q: "q", ...cache, o: "attended" };
  if (decoder.sinks)
    call("attention", layer, { kernel: "sink_attention", shape }, { ...attended, sinks: at("sinks") });
  else call("attention", layer, { kernel, shape }, attended);
  const projected = decoder.biases ? "projected" : "delta";
  linear("o_proj", layer, at("o_proj"), { M, N: hidden, K: heads * headDim }, "attended", projected);
  if (decoder.biases) {
    const operands = { x: projected, bias: at("o_bias"), sum: "delta" };
    call("o_proj", layer, { kernel: "add_bias", shape: { rows: M, columns: hidden } }, operands);
  }
}

/** From the normed residual stream to what the feed-forward layer gives, in `delta`. */
function feedForward(build: Builder, layer: number): void {
  const { model, options, decoder, M, call, linear } = build;
  const { hidden_size: hidden, intermediate_size: intermediate } = model;
  const gateUp = weightsAt(build, layer, "gate_up_proj");
  const { pieces } = rowPieces({ N: 2 * intermediate, K: hidden }, options.dtype, options.largestBinding);
  if (options.fused.gateUp && M <= MATVEC_MAX_M && decoder.activation === "silu" && pieces === 1) {
    const shape = { M, N: intermediate, K: hidden };
    call("gate_up_proj", layer, { kernel: "swiglu", shape }, { x: "normed", w: gateUp, y: "activated" });
  } else {
    linear("gate_up_proj", layer, gateUp, { M, N: 2 * intermediate, K: hidden }, "normed", "gated");
    call(
      "activation",
      layer,
      {
        kernel: decoder.activation === "silu" ? "silu_mul" : "gelu_mul",
        shape: { rows: M, columns: intermediate },
      },
      { gated: "gated", y: "activated" },
    );
  }
  const down = weightsAt(build, layer, "down_proj");
  linear("down_proj", layer, down, { M, N: hidden, K: intermediate }, "activated", "delta");
}

/** A decoder layer, from its normed input to that of the next one, or to what the LM head reads. */
function decoderLayer(build: Builder, layer: number): void {
  const { model, options, decoder, norm, connect } = build;
  const at = (name: string) => weightsAt(build, layer, name);
  // What a block gives is added as it is, or normed before.
  const given = decoder.postNorms ? "block" : "delta";
  attentionBlock(build, layer);
  if (decoder.postNorms) {
    norm("post_attention_layernorm", layer, at("post_attention_layernorm"), "delta", given);
    connect("pre_feedforward_layernorm", layer, at("pre_feedforward_layernorm"), given);
  } else connect("post_attention_layernorm", layer, at("post_attention_layernorm"), given);

  if (decoder.experts) mixtureOfExperts(build, layer);
  else feedForward(build, layer);
  if (decoder.postNorms)
    norm("post_feedforward_layernorm", layer, at("post_feedforward_layernorm"), "delta", given);
  if (layer + 1 < model.num_hidden_layers) {
    const next = weightsAt(build, layer + 1, "input_layernorm");
    connect("input_layernorm", layer + 1, next, given);
  } else if (options.logits !== "none") connect("norm", null, "norm", given);
}

/** The rows of the last tokens, by their numbers: what an embedding table is read by. Activations are floats. */
function lastTokens({ model, options, M, tensors, dispatches }: Builder): void {
  const { batch, tokens, dtype } = options;
  const last = `last.${batch}x${tokens}`;
  const values = Array.from({ length: batch }, (_, sequence) => (sequence + 1) * tokens - 1);
  const gather = collector(activationsOf[dtype]);
  gather.call(
    "last_token",
    null,
    { kernel: "embed", shape: { tokens: batch, vocab: M, hidden: model.hidden_size, piece: 1 } },
    { ids: last, table: "normed", out: "last_normed" },
  );
  for (const tensor of gather.tensors.values())
    if (!tensors.has(tensor.name))
      tensors.set(tensor.name, tensor.name === last ? { ...tensor, values } : tensor);
  dispatches.push(...gather.dispatches);
}

/** From the last norm to logits, and to a token of each sequence. */
function logits(build: Builder): void {
  const { model, options, M, call, product, vocabulary, pieces } = build;
  const { batch, dtype, sampling } = options;
  const rows = options.logits === "all" ? M : batch;
  if (rows < M) lastTokens(build);
  const input = rows < M ? "last_normed" : "normed";
  for (const piece of pieces) {
    const weights = `${model.tie_word_embeddings ? "embed_tokens" : "lm_head"}.${piece}`;
    const padded = Math.ceil(vocabulary.rows / 4) * 4;
    const offset = (piece * rows * padded * bitsOf[activationsOf[dtype]]) / 8;
    const shape = { M: rows, N: vocabulary.rows, K: model.hidden_size };
    product("lm_head", null, weights, shape, input, { tensor: "logits", offset });
  }
  if (sampling === null) return;
  const shape = { rows: batch, columns: model.vocab_size, block: vocabulary.rows };
  if (sampling.kind === "greedy")
    call("sample", null, { kernel: "argmax", shape }, { logits: "logits", ids: "sampled" });
  else {
    const milliTemperature = Math.round(1000 * sampling.temperature);
    const drawn = { ...shape, milliTemperature, seed: sampling.seed };
    const operands = { logits: "logits", position: "position", ids: "sampled" };
    call("sample", null, { kernel: "sample", shape: drawn }, operands);
  }
}

/**
 * A pass of a model over `tokens` new tokens of each of `batch` sequences. Tensors are
 *
 *   embed_tokens.p, lm_head.p, layers.i.*_proj   matrices as `dtype` stores them; p counts pieces of the vocabulary, and
 *                                                of a layer's matrix where a binding does not hold it: layers.i.*_proj.p
 *   layers.i.experts.*_proj.p                    the experts' matrices, in pieces of whole experts, one below the other
 *   layers.i.router                              logits of experts, as floats
 *   layers.i.*norm, *bias, *sinks, norm          vectors; `no_bias` is zero
 *   layers.i.k, layers.i.v                       the KV cache, (batch · kvHeads · capacity, head_dim), also where a
 *                                                layer's window is shorter
 *   layers.i.kv, layers.i.kv.scales              the same in q8_0: keys and behind them values, and a scale for each 32
 *   last.bxn                                     the rows of the last tokens of b sequences of n
 *   angles, angles.local                         cosines and sines of every position
 *   position                                     where the first of the new tokens stands, in every sequence
 *   prompt, sampled                              tokens, sequence by sequence
 *   chosen_experts, expert_weights               of each token: which experts, and how much they count
 *   logits                                       block by block of the vocabulary, each with all rows
 *
 * Attention is called with as many keys as the cache has room for: how many there are is the engine's to say, step by
 * step. Throws where the model is none that is known, or an option makes no sense.
 */
export function forward(model: ModelConfig, options: ForwardOptions): ForwardPass {
  assertOptions(model, options);
  const build = builder(model, options);
  embedding(build);
  build.norm("input_layernorm", 0, weightsAt(build, 0, "input_layernorm"), "residual.0");
  for (let layer = 0; layer < model.num_hidden_layers; layer++) decoderLayer(build, layer);
  if (options.logits !== "none") logits(build);
  return { model, options, tensors: [...build.tensors.values()], dispatches: build.dispatches };
}
