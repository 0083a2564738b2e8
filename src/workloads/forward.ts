// The forward pass of a model: which kernels are called on which tensors. Pure: the engine runs it.

import { activationsOf, bitsOf, type DType, weightBytes } from "../kernels/elements";
import { MATVEC_MAX_M } from "../kernels/matvec";
import { decoderOf, layerWindow } from "./decoder";
import { type Bound, collector, type ForwardOptions, type ForwardPass } from "./forward_pass";
import type { ModelConfig } from "./model";

/** Rows of a piece of a vocabulary are a multiple of this, so that each piece's logits begin at a legal offset. */
const PIECE_ROWS = 128;

/** A vocabulary in so many pieces of so many rows each; the last one may have rows to spare. */
export function vocabularyPieces(
  { vocab_size, hidden_size }: ModelConfig,
  dtype: DType,
  largestBinding: number,
): { pieces: number; rows: number } {
  const pieces = Math.ceil((vocab_size * hidden_size * weightBytes[dtype]) / largestBinding);
  if (pieces <= 1) return { pieces: 1, rows: vocab_size };
  const rows = Math.ceil(vocab_size / pieces / PIECE_ROWS) * PIECE_ROWS;
  return { pieces: Math.ceil(vocab_size / rows), rows };
}

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

/**
 * A pass of a model over `tokens` new tokens of each of `batch` sequences. Tensors are
 *
 *   embed_tokens.p, lm_head.p, layers.i.*_proj   matrices as `dtype` stores them; p counts pieces of the vocabulary
 *   layers.i.*norm, *bias, norm                  vectors; `no_bias` is zero
 *   layers.i.k, layers.i.v                       the KV cache, (batch · kvHeads · capacity, head_dim), also where a
 *                                                layer's window is shorter
 *   last.bxn                                     the rows of the last tokens of b sequences of n
 *   angles, angles.local                         cosines and sines of every position
 *   position                                     where the first of the new tokens stands, in every sequence
 *   prompt, sampled                              tokens, sequence by sequence
 *   logits                                       block by block of the vocabulary, each with all rows
 *
 * Attention is called with as many keys as the cache has room for: how many there are is the engine's to say, step by
 * step. Throws where the model is none that is known, or an option makes no sense.
 */
export function forward(model: ModelConfig, options: ForwardOptions): ForwardPass {
  assertOptions(model, options);
  const decoder = decoderOf(model);
  const { dtype, batch, tokens: queries, capacity, fused } = options;
  const {
    hidden_size: hidden,
    intermediate_size: intermediate,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    num_key_value_heads: kvHeads,
    head_dim: headDim,
    vocab_size: vocab,
  } = model;
  const M = batch * queries;
  const { nanoEpsilon } = decoder;
  const { tensors, dispatches, call } = collector(dtype);
  const vocabulary = vocabularyPieces(model, dtype, options.largestBinding);
  const pieces = Array.from({ length: vocabulary.pieces }, (_, piece) => piece);

  const linear = (
    label: string,
    layer: number | null,
    weights: string,
    shape: { M: number; N: number; K: number },
    input: string,
    output: string | Bound,
  ) => {
    if (shape.M <= MATVEC_MAX_M)
      call(label, layer, { kernel: "matvec", shape }, { x: input, w: weights, y: output });
    else call(label, layer, { kernel: "matmul", shape }, { a: input, b: weights, c: output });
  };
  const norm = (label: string, layer: number | null, weight: string, x: string, normed = "normed") =>
    call(
      label,
      layer,
      { kernel: "rms_norm", shape: { rows: M, columns: hidden, nanoEpsilon } },
      { x, weight, normed },
    );

  for (const piece of pieces) {
    call(
      "embed_tokens",
      null,
      {
        kernel: decoder.scaledEmbedding ? "scaled_embed" : "embed",
        shape: { tokens: M, vocab: vocabulary.rows, hidden, piece: piece + 1 },
      },
      { ids: options.from, table: `embed_tokens.${piece}`, out: "residual.0" },
    );
  }
  // The residual goes back and forth between two tensors: no call reads and writes the same one.
  let residual = 0;
  /** Adds what a block has left in `delta`, and norms the sum for the next one. */
  const connect = (label: string, layer: number | null, weight: string, delta = "delta") => {
    const [x, sum] = [`residual.${residual}`, `residual.${1 - residual}`];
    residual = 1 - residual;
    if (fused.addNorm) {
      const shape = { rows: M, columns: hidden, nanoEpsilon };
      call(label, layer, { kernel: "add_rms_norm", shape }, { x, y: delta, weight, sum, normed: "normed" });
      return;
    }
    call("residual", layer, { kernel: "add", shape: { rows: M, columns: hidden } }, { x, y: delta, sum });
    norm(label, layer, weight, sum);
  };

  for (let layer = 0; layer < layers; layer++) {
    const at = (name: string) => `layers.${layer % options.residentLayers}.${name}`;
    const [k, v] = [`layers.${layer}.k`, `layers.${layer}.v`];
    if (layer === 0) norm("input_layernorm", layer, at("input_layernorm"), "residual.0");

    const width = (heads + 2 * kvHeads) * headDim;
    linear("qkv_proj", layer, at("qkv_proj"), { M, N: width, K: hidden }, "normed", "qkv");
    const turned = {
      qkv: "qkv",
      bias: decoder.qkvBias ? at("qkv_bias") : "no_bias",
      angles: decoder.localTheta && layerWindow(model, layer) !== undefined ? "angles.local" : "angles",
      position: "position",
      q: "q",
      k,
      v,
    };
    const rope = { batch, queries, heads, kvHeads, headDim, capacity };
    if (decoder.qkNorm) {
      call(
        "rope",
        layer,
        { kernel: "norm_rope", shape: { ...rope, nanoEpsilon } },
        { ...turned, norms: at("qk_norms") },
      );
    } else call("rope", layer, { kernel: "rope", shape: rope }, turned);
    const window = Math.min(layerWindow(model, layer) ?? capacity, capacity);
    call(
      "attention",
      layer,
      { kernel: "attention", shape: { batch, queries, keys: capacity, heads, kvHeads, headDim, window } },
      { q: "q", k, v, o: "attended" },
    );
    linear("o_proj", layer, at("o_proj"), { M, N: hidden, K: heads * headDim }, "attended", "delta");
    if (decoder.postNorms) {
      norm("post_attention_layernorm", layer, at("post_attention_layernorm"), "delta", "block");
      connect("pre_feedforward_layernorm", layer, at("pre_feedforward_layernorm"), "block");
    } else connect("post_attention_layernorm", layer, at("post_attention_layernorm"));

    const gateUp = at("gate_up_proj");
    if (fused.gateUp && M <= MATVEC_MAX_M && decoder.activation === "silu") {
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
    linear("down_proj", layer, at("down_proj"), { M, N: hidden, K: intermediate }, "activated", "delta");
    const block = decoder.postNorms ? "block" : "delta";
    if (decoder.postNorms)
      norm("post_feedforward_layernorm", layer, at("post_feedforward_layernorm"), "delta", block);
    if (layer + 1 < layers) {
      const next = `layers.${(layer + 1) % options.residentLayers}.input_layernorm`;
      connect("input_layernorm", layer + 1, next, block);
    } else if (options.logits !== "none") connect("norm", null, "norm", block);
  }

  if (options.logits !== "none") {
    const rows = options.logits === "all" ? M : batch;
    if (rows < M) {
      // The rows of the last tokens, by their numbers: what an embedding table is read by. Activations are floats.
      const shape = { tokens: rows, vocab: M, hidden, piece: 1 };
      const last = `last.${batch}x${queries}`;
      const values = Array.from({ length: batch }, (_, sequence) => (sequence + 1) * queries - 1);
      const gather = collector(activationsOf[dtype]);
      gather.call(
        "last_token",
        null,
        { kernel: "embed", shape },
        { ids: last, table: "normed", out: "last_normed" },
      );
      for (const tensor of gather.tensors.values())
        if (!tensors.has(tensor.name))
          tensors.set(tensor.name, tensor.name === last ? { ...tensor, values } : tensor);
      dispatches.push(...gather.dispatches);
    }
    const element = activationsOf[dtype];
    const input = rows < M ? "last_normed" : "normed";
    for (const piece of pieces) {
      const weights = `${model.tie_word_embeddings ? "embed_tokens" : "lm_head"}.${piece}`;
      const padded = Math.ceil(vocabulary.rows / 4) * 4;
      const offset = (piece * rows * padded * bitsOf[element]) / 8;
      const shape = { M: rows, N: vocabulary.rows, K: hidden };
      linear("lm_head", null, weights, shape, input, { tensor: "logits", offset });
    }
    const { sampling } = options;
    if (sampling !== null) {
      const shape = { rows: batch, columns: vocab, block: vocabulary.rows };
      if (sampling.kind === "greedy")
        call("sample", null, { kernel: "argmax", shape }, { logits: "logits", ids: "sampled" });
      else {
        const milliTemperature = Math.round(1000 * sampling.temperature);
        call(
          "sample",
          null,
          { kernel: "sample", shape: { ...shape, milliTemperature, seed: sampling.seed } },
          { logits: "logits", position: "position", ids: "sampled" },
        );
      }
    }
  }
  return { model, options, tensors: [...tensors.values()], dispatches };
}
