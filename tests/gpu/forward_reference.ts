// A decoder in float64, written down from the papers and transformers' source, knowing nothing of kernels or passes.

import type { CacheType, DType } from "../../src/kernels/elements";
import type { Matrix } from "../../src/kernels/kernel";
import { expertPieces, type ModelConfig, rowPieces, vocabularyPieces } from "../../src/workloads";

type Vector = Float64Array<ArrayBuffer>;

type Weights = (name: string) => Matrix;

const looked = new WeakMap<Weights, Map<string, Vector[]>>();

/** A matrix's rows as arrays: weights are looked up many times. */
function dense(weight: Weights, name: string, rows: number, columns: number): Vector[] {
  const known = looked.get(weight) ?? new Map<string, Vector[]>();
  looked.set(weight, known);
  const found =
    known.get(name) ??
    Array.from({ length: rows }, (_, row) =>
      Float64Array.from({ length: columns }, (_, column) => weight(name)(row, column)),
    );
  known.set(name, found);
  return found;
}

const times = (rows: readonly Vector[], x: Vector): Vector =>
  Float64Array.from(rows, (row) => row.reduce((sum, value, i) => sum + value * x[i]!, 0));

const plus = (a: Vector, b: Vector): Vector => a.map((value, i) => value + b[i]!);

function normed(x: Vector, weight: Vector, epsilon: number): Vector {
  const mean = x.reduce((sum, value) => sum + value * value, 0) / x.length;
  return x.map((value, i) => (value / Math.sqrt(mean + epsilon)) * weight[i]!);
}

type Scaling = NonNullable<ModelConfig["rope_scaling"]>;

/** Radians per position, as transformers' `_compute_llama3_parameters` has them. */
function llamaFrequency(
  frequency: number,
  {
    factor,
    low_freq_factor,
    high_freq_factor,
    original_max_position_embeddings,
  }: Extract<Scaling, { rope_type: "llama3" }>,
): number {
  const wavelength = (2 * Math.PI) / frequency;
  if (wavelength < original_max_position_embeddings / high_freq_factor) return frequency;
  if (wavelength > original_max_position_embeddings / low_freq_factor) return frequency / factor;
  const smooth =
    (original_max_position_embeddings / wavelength - low_freq_factor) / (high_freq_factor - low_freq_factor);
  return ((1 - smooth) * frequency) / factor + smooth * frequency;
}

/** The same of pair `i` as its `_compute_yarn_parameters` has them. */
function yarnFrequency(
  frequency: number,
  i: number,
  { head_dim: dim, rope_theta: base = 0 }: ModelConfig,
  scaling: Extract<Scaling, { rope_type: "yarn" }>,
): number {
  const { factor, beta_fast, beta_slow, truncate, original_max_position_embeddings } = scaling;
  const dimensionOf = (rotations: number) =>
    (dim * Math.log(original_max_position_embeddings / (rotations * 2 * Math.PI))) / (2 * Math.log(base));
  let [low, high] = [dimensionOf(beta_fast), dimensionOf(beta_slow)];
  if (truncate) [low, high] = [Math.floor(low), Math.ceil(high)];
  [low, high] = [Math.max(low, 0), Math.min(high, dim - 1)];
  const interpolated = Math.max(0, Math.min(1, (i - low) / (high - low)));
  return (frequency / factor) * interpolated + frequency * (1 - interpolated);
}

function frequencies(model: ModelConfig, local: boolean): number[] {
  const { head_dim, rope_theta: theta = 0, rope_scaling, rope_local_base_freq } = model;
  const rope_theta = local && rope_local_base_freq !== undefined ? rope_local_base_freq : theta;
  return Array.from({ length: head_dim / 2 }, (_, i) => {
    const frequency = 1 / rope_theta ** ((2 * i) / head_dim);
    if (rope_scaling === undefined) return frequency;
    return rope_scaling.rope_type === "llama3"
      ? llamaFrequency(frequency, rope_scaling)
      : yarnFrequency(frequency, i, model, rope_scaling);
  });
}

/** x·cos + rotate_half(x)·sin */
function turned(x: Vector, position: number, model: ModelConfig, local: boolean): Vector {
  const turns = frequencies(model, local);
  const half = x.length / 2;
  const { rope_scaling: scaling } = model;
  const length = scaling?.rope_type === "yarn" ? 0.1 * Math.log(scaling.factor) + 1 : 1;
  return x.map((value, d) => {
    const angle = position * turns[d % half]!;
    const other = d < half ? -x[d + half]! : x[d - half]!;
    return length * (value * Math.cos(angle) + other * Math.sin(angle));
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

interface Stored {
  readonly dtype: DType;
  readonly cache?: CacheType;
  readonly largestBinding: number;
  readonly residentLayers: number;
}

/** What a model's weights are, whatever pieces they come in. */
function weightsIn(model: ModelConfig, weight: Weights, { dtype, largestBinding }: Stored) {
  const { hidden_size: hidden } = model;
  return {
    vector: (name: string, length: number, row = 0): Vector =>
      Float64Array.from({ length }, (_, i) => weight(name)(row, i)),
    vocabulary(name: string): Vector[] {
      const { pieces, rows } = vocabularyPieces(model, dtype, largestBinding);
      return Array.from({ length: pieces }, (_, piece) => dense(weight, `${name}.${piece}`, rows, hidden))
        .flat()
        .slice(0, model.vocab_size);
    },
    matrix(name: string, N: number, K: number): Vector[] {
      const { pieces, rows } = rowPieces({ N, K }, dtype, largestBinding);
      if (pieces === 1) return dense(weight, name, N, K);
      return Array.from({ length: pieces }, (_, piece) => dense(weight, `${name}.${piece}`, rows, K))
        .flat()
        .slice(0, N);
    },
    /** An expert's matrix of (N, K). */
    expert(name: string, expert: number, experts: number, N: number, K: number): Vector[] {
      const pieces = expertPieces(experts, N * K, dtype, largestBinding);
      const number = pieces.findIndex(({ until }) => expert < until);
      const { held, until } = pieces[number]!;
      const first = (expert - (until - held)) * N;
      return dense(weight, `${name}.${number}`, held * N, K).slice(first, first + N);
    },
  };
}

type WeightsIn = ReturnType<typeof weightsIn>;

/** What the experts of a token give together; `margins` gets by how much the last one chosen was ahead of the next. */
function mixture(
  model: ModelConfig,
  weights: WeightsIn,
  layer: string,
  x: Vector,
  margins: number[],
  choices: number[][] = [],
): Vector {
  const { hidden_size: hidden, num_experts_per_tok: chosen = 0 } = model;
  const experts = model.num_experts ?? model.num_local_experts ?? 0;
  const inner = model.moe_intermediate_size ?? model.intermediate_size;
  const gptOss = model.model_type === "gpt_oss";
  const bias = (name: string, length: number, row = 0) =>
    gptOss ? weights.vector(`${layer}.${name}_bias`, length, row) : new Float64Array(length);
  // A router's weights are floats, and never in pieces.
  const logits = plus(times(weights.matrix(`${layer}.router`, experts, hidden), x), bias("router", experts));
  const ranked = [...logits.keys()].sort((a, b) => logits[b]! - logits[a]!);
  margins.push(logits[ranked[chosen - 1]!]! - (logits[ranked[chosen]!] ?? Number.NEGATIVE_INFINITY));
  const best = ranked.slice(0, chosen);
  choices.push(best);
  const total = best.reduce((sum, expert) => sum + Math.exp(logits[expert]!), 0);

  let sum = new Float64Array(hidden);
  for (const expert of best) {
    const gateUp = weights.expert(`${layer}.experts.gate_up_proj`, expert, experts, 2 * inner, hidden);
    const gated = plus(times(gateUp, x), bias("experts.gate_up", 2 * inner, expert));
    const activated = gated.slice(0, inner).map((gate, i) => {
      const up = gated[inner + i]!;
      if (!gptOss) return (gate / (1 + Math.exp(-gate))) * up;
      const limit = model.swiglu_limit ?? 0;
      const [low, held] = [Math.min(gate, limit), Math.max(-limit, Math.min(limit, up))];
      return (low / (1 + Math.exp(-1.702 * low))) * (held + 1);
    });
    const down = weights.expert(`${layer}.experts.down_proj`, expert, experts, hidden, inner);
    const given = plus(times(down, activated), bias("experts.down", hidden, expert));
    const weight = Math.exp(logits[expert]!) / total;
    sum = plus(
      sum,
      given.map((value) => weight * value),
    );
  }
  return sum;
}

/**
 * Logits of every token of one sequence. Floats of the KV cache are kept as they are, and in q8_0 as that has them. `margins` gets how far each choice of experts was from another one.
 */
export function referenceLogits(
  model: ModelConfig,
  weight: Weights,
  tokens: readonly number[],
  stored: Stored,
  margins: number[] = [],
  choices: number[][] = [],
): Vector[] {
  const kept = (head: Vector) => (stored.cache === "q8_0" ? keptInBytes(head) : head);
  const {
    hidden_size: hidden,
    intermediate_size: inner,
    num_attention_heads: heads,
    num_key_value_heads: kvHeads,
    head_dim: headDim,
    rms_norm_eps: epsilon = 0,
  } = model;
  const weights = weightsIn(model, weight, stored);
  const { vector, matrix } = weights;
  const embeddings = weights.vocabulary("embed_tokens");

  const gemma = model.model_type === "gemma3_text";
  const gptOss = model.model_type === "gpt_oss";
  let states = tokens.map((token) =>
    embeddings[token]!.map((value) => (gemma ? value * Math.sqrt(hidden) : value)),
  );
  for (let layer = 0; layer < model.num_hidden_layers; layer++) {
    const name = (of: string) => `layers.${layer % stored.residentLayers}.${of}`;
    const width = (heads + 2 * kvHeads) * headDim;
    const projection = matrix(name("qkv_proj"), width, hidden);
    const back = matrix(name("o_proj"), hidden, heads * headDim);
    const local =
      model.sliding_window !== undefined &&
      (model.sliding_window_pattern === undefined || (layer + 1) % model.sliding_window_pattern !== 0);
    const window = local ? (model.sliding_window ?? 0) : Number.POSITIVE_INFINITY;

    const parts = states.map((state, position) => {
      let qkv = times(projection, normed(state, vector(name("input_layernorm"), hidden), epsilon));
      if (model.model_type === "qwen2" || gptOss) qkv = plus(qkv, vector(name("qkv_bias"), width));
      return Array.from({ length: heads + 2 * kvHeads }, (_, head) => {
        let part = qkv.slice(head * headDim, (head + 1) * headDim);
        if (head >= heads + kvHeads) return kept(part);
        if (model.model_type.startsWith("qwen3") || gemma)
          part = normed(part, vector(name("qk_norms"), headDim, head < heads ? 0 : 1), epsilon);
        const result = turned(part, position, model, local);
        return head < heads ? result : kept(result);
      });
    });

    /** What a dense feed-forward layer gives. */
    const denseLayer = (x: Vector): Vector => {
      const gated = times(matrix(name("gate_up_proj"), 2 * inner, hidden), x);
      const activated = gated.slice(0, inner).map((gate, i) => {
        const tanh = Math.tanh(Math.sqrt(2 / Math.PI) * (gate + 0.044715 * gate ** 3));
        return (gemma ? (gate * (1 + tanh)) / 2 : gate / (1 + Math.exp(-gate))) * gated[inner + i]!;
      });
      return times(matrix(name("down_proj"), hidden, inner), activated);
    };
    const fed = (x: Vector): Vector =>
      model.num_experts_per_tok === undefined
        ? denseLayer(x)
        : mixture(model, weights, `layers.${layer % stored.residentLayers}`, x, margins, choices);

    states = states.map((state, position) => {
      const attended = new Float64Array(heads * headDim);
      for (let head = 0; head < heads; head++) {
        const shared = Math.floor(head / (heads / kvHeads));
        const first = Math.max(0, position + 1 - window);
        const scores = parts
          .slice(first, position + 1)
          .map((of) => times([of[heads + shared]!], parts[position]![head]!)[0]! / Math.sqrt(headDim));
        const sink = gptOss ? weight(name("sinks"))(0, head) : Number.NEGATIVE_INFINITY;
        const highest = Math.max(sink, ...scores);
        const shares = scores.map((score) => Math.exp(score - highest));
        const total = shares.reduce((a, b) => a + b, Math.exp(sink - highest));
        shares.forEach((share, i) => {
          const value = parts[first + i]![heads + kvHeads + shared]!;
          for (let d = 0; d < headDim; d++) attended[head * headDim + d]! += (share / total) * value[d]!;
        });
      }
      /** Gemma norms what a block gives before it is added. */
      const given = (by: string, block: Vector) =>
        gemma ? normed(block, vector(name(by), hidden), epsilon) : block;
      let projected = times(back, attended);
      if (gptOss) projected = plus(projected, vector(name("o_bias"), hidden));
      const middle = plus(state, given("post_attention_layernorm", projected));
      const before = gemma ? "pre_feedforward_layernorm" : "post_attention_layernorm";
      const block = fed(normed(middle, vector(name(before), hidden), epsilon));
      return plus(middle, given("post_feedforward_layernorm", block));
    });
  }
  const head = model.tie_word_embeddings ? embeddings : weights.vocabulary("lm_head");
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
