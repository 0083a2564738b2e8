// A decoder in float64, written down from the papers and transformers' source, knowing nothing of kernels or passes.

import type { CacheType, DType } from "../../src/kernels/elements";
import type { Matrix } from "../../src/kernels/kernel";
import { type ModelConfig, vocabularyPieces } from "../../src/workloads";

type Vector = Float64Array<ArrayBuffer>;

/** A matrix's rows as arrays: weights are looked up many times. */
const dense = (at: Matrix, rows: number, columns: number): Vector[] =>
  Array.from({ length: rows }, (_, row) =>
    Float64Array.from({ length: columns }, (_, column) => at(row, column)),
  );

const times = (rows: readonly Vector[], x: Vector): Vector =>
  Float64Array.from(rows, (row) => row.reduce((sum, value, i) => sum + value * x[i]!, 0));

const plus = (a: Vector, b: Vector): Vector => a.map((value, i) => value + b[i]!);

function normed(x: Vector, weight: Vector, epsilon: number): Vector {
  const mean = x.reduce((sum, value) => sum + value * value, 0) / x.length;
  return x.map((value, i) => (value / Math.sqrt(mean + epsilon)) * weight[i]!);
}

/** Radians per position, as transformers' `_compute_llama3_parameters` has them. */
function frequencies(
  { head_dim, rope_theta: theta = 0, rope_scaling, rope_local_base_freq }: ModelConfig,
  local: boolean,
): number[] {
  const rope_theta = local && rope_local_base_freq !== undefined ? rope_local_base_freq : theta;
  return Array.from({ length: head_dim / 2 }, (_, i) => {
    const frequency = 1 / rope_theta ** ((2 * i) / head_dim);
    if (rope_scaling === undefined) return frequency;
    const { factor, low_freq_factor, high_freq_factor, original_max_position_embeddings } = rope_scaling;
    const wavelength = (2 * Math.PI) / frequency;
    if (wavelength < original_max_position_embeddings / high_freq_factor) return frequency;
    if (wavelength > original_max_position_embeddings / low_freq_factor) return frequency / factor;
    const smooth =
      (original_max_position_embeddings / wavelength - low_freq_factor) /
      (high_freq_factor - low_freq_factor);
    return ((1 - smooth) * frequency) / factor + smooth * frequency;
  });
}

/** x·cos + rotate_half(x)·sin */
function turned(x: Vector, position: number, model: ModelConfig, local: boolean): Vector {
  const turns = frequencies(model, local);
  const half = x.length / 2;
  return x.map((value, d) => {
    const angle = position * turns[d % half]!;
    const other = d < half ? -x[d + half]! : x[d - half]!;
    return value * Math.cos(angle) + other * Math.sin(angle);
  });
}

/** The nearest number of eleven binary digits. */
function half(value: number): number {
  const unit = 2 ** (Math.floor(Math.log2(value)) - 10);
  return Math.round(value / unit) * unit;
}

/** What a cache in q8_0 keeps of a head: of each 32 numbers the largest as an f16, and the nearest 127ths of it. */
function keptInBytes(head: Vector): Vector {
  return head.map((value, d) => {
    const first = d - (d % 32);
    const largest = Math.max(...head.slice(first, first + 32).map(Math.abs));
    return largest === 0 ? 0 : (Math.round((127 * value) / largest) / 127) * half(largest);
  });
}

type Given = { dtype: DType; cache?: CacheType; largestBinding: number; residentLayers: number };

/** Logits of every token of one sequence. Floats of the KV cache are kept as they are, and in q8_0 as that has them. */
export function referenceLogits(
  model: ModelConfig,
  weight: (name: string) => Matrix,
  tokens: readonly number[],
  { dtype, cache, largestBinding, residentLayers }: Given,
): Vector[] {
  const kept = (head: Vector) => (cache === "q8_0" ? keptInBytes(head) : head);
  const {
    hidden_size: hidden,
    intermediate_size: inner,
    num_attention_heads: heads,
    num_key_value_heads: kvHeads,
    head_dim: headDim,
    rms_norm_eps: epsilon = 0,
  } = model;
  const { pieces, rows } = vocabularyPieces(model, dtype, largestBinding);
  const vocabulary = (name: string) =>
    Array.from({ length: pieces }, (_, piece) => dense(weight(`${name}.${piece}`), rows, hidden))
      .flat()
      .slice(0, model.vocab_size);
  const vector = (name: string, length: number, row = 0) =>
    Float64Array.from({ length }, (_, i) => weight(name)(row, i));
  const embeddings = vocabulary("embed_tokens");

  const gemma = model.model_type === "gemma3_text";
  let states = tokens.map((token) =>
    embeddings[token]!.map((value) => (gemma ? value * Math.sqrt(hidden) : value)),
  );
  for (let layer = 0; layer < model.num_hidden_layers; layer++) {
    const name = (of: string) => `layers.${layer % residentLayers}.${of}`;
    const width = (heads + 2 * kvHeads) * headDim;
    const projection = dense(weight(name("qkv_proj")), width, hidden);
    const back = dense(weight(name("o_proj")), hidden, heads * headDim);
    const gateUp = dense(weight(name("gate_up_proj")), 2 * inner, hidden);
    const down = dense(weight(name("down_proj")), hidden, inner);
    const local =
      model.sliding_window !== undefined &&
      (model.sliding_window_pattern === undefined || (layer + 1) % model.sliding_window_pattern !== 0);
    const window = local ? (model.sliding_window ?? 0) : Number.POSITIVE_INFINITY;

    const parts = states.map((state, position) => {
      let qkv = times(projection, normed(state, vector(name("input_layernorm"), hidden), epsilon));
      if (model.model_type === "qwen2") qkv = plus(qkv, vector(name("qkv_bias"), width));
      return Array.from({ length: heads + 2 * kvHeads }, (_, head) => {
        let part = qkv.slice(head * headDim, (head + 1) * headDim);
        if (head >= heads + kvHeads) return kept(part);
        if (model.model_type === "qwen3" || gemma)
          part = normed(part, vector(name("qk_norms"), headDim, head < heads ? 0 : 1), epsilon);
        const result = turned(part, position, model, local);
        return head < heads ? result : kept(result);
      });
    });

    states = states.map((state, position) => {
      const attended = new Float64Array(heads * headDim);
      for (let head = 0; head < heads; head++) {
        const shared = Math.floor(head / (heads / kvHeads));
        const first = Math.max(0, position + 1 - window);
        const scores = parts
          .slice(first, position + 1)
          .map((of) => times([of[heads + shared]!], parts[position]![head]!)[0]! / Math.sqrt(headDim));
        const highest = Math.max(...scores);
        const shares = scores.map((score) => Math.exp(score - highest));
        const total = shares.reduce((a, b) => a + b);
        shares.forEach((share, i) => {
          const value = parts[first + i]![heads + kvHeads + shared]!;
          for (let d = 0; d < headDim; d++) attended[head * headDim + d]! += (share / total) * value[d]!;
        });
      }
      /** Gemma norms what a block gives before it is added. */
      const given = (by: string, block: Vector) =>
        gemma ? normed(block, vector(name(by), hidden), epsilon) : block;
      const middle = plus(state, given("post_attention_layernorm", times(back, attended)));
      const before = gemma ? "pre_feedforward_layernorm" : "post_attention_layernorm";
      const gated = times(gateUp, normed(middle, vector(name(before), hidden), epsilon));
      const activated = gated.slice(0, inner).map((gate, i) => {
        const tanh = Math.tanh(Math.sqrt(2 / Math.PI) * (gate + 0.044715 * gate ** 3));
        return (gemma ? (gate * (1 + tanh)) / 2 : gate / (1 + Math.exp(-gate))) * gated[inner + i]!;
      });
      return plus(middle, given("post_feedforward_layernorm", times(down, activated)));
    });
  }
  const head = model.tie_word_embeddings ? embeddings : vocabulary("lm_head");
  return states.map((state) => times(head, normed(state, vector("norm", hidden), epsilon)));
}

/** The largest difference, as a share of the largest of the expected. */
export function worstError(actual: readonly Float64Array[], expected: readonly Float64Array[]): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  return Math.max(
    ...expected.map((row, i) => {
      const scale = row.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      // Whatever is not a number is wrong.
      return row.reduce((most, value, j) => {
        const error = Math.abs(actual[i]![j]! - value) / scale;
        return error <= most ? most : Number.isNaN(error) ? Number.POSITIVE_INFINITY : error;
      }, 0);
    }),
  );
}

/** Whether each row's largest is the largest of the expected too, or was within `tolerance` of it: a tie for this type. */
export const sameChoices = (
  actual: readonly Float64Array[],
  expected: readonly Float64Array[],
  tolerance: number,
): boolean =>
  expected.every((row, i) => {
    const [highest, lowest] = [Math.max(...row), Math.min(...row)];
    const scale = Math.max(highest, -lowest);
    return (row[argmaxOf(actual[i]!)] ?? Number.NEGATIVE_INFINITY) >= highest - 2 * tolerance * scale;
  });

export const argmaxOf = (row: Float64Array): number => row.indexOf(row.reduce((a, b) => Math.max(a, b)));
