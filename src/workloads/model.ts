// Models as data: the fields of a Hugging Face config.json that decide the shapes, and those that decide what is
// computed, under their own names.

import * as v from "valibot";
import { MAX_HEAD_DIM } from "../kernels/attention";
import gemma3 from "./models/gemma-3-1b.json";
import gptOss from "./models/gpt-oss-20b.json";
import llama8b from "./models/llama-3.1-8b.json";
import llama70b from "./models/llama-3.1-70b.json";
import llama1b from "./models/llama-3.2-1b.json";
import llama3b from "./models/llama-3.2-3b.json";
import mistral from "./models/mistral-7b.json";
import qwen25 from "./models/qwen2.5-0.5b.json";
import qwen3 from "./models/qwen3-8b.json";
import qwen3Moe from "./models/qwen3-30b-a3b.json";
import smollm2 from "./models/smollm2-135m.json";

const count = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(2 ** 24));

const factor = (least: number) => v.pipe(v.number(), v.minValue(least), v.maxValue(1024));

/** Positions stretched as Llama 3.1 does it: slow rotations are slowed down further, fast ones are left alone. */
const llamaScalingSchema = v.pipe(
  v.strictObject({
    rope_type: v.literal("llama3"),
    factor: factor(1),
    low_freq_factor: factor(0.001),
    high_freq_factor: factor(0.001),
    original_max_position_embeddings: count,
  }),
  v.check(
    ({ low_freq_factor, high_freq_factor }) => low_freq_factor < high_freq_factor,
    "low_freq_factor must be below high_freq_factor",
  ),
);

/**
 * As YaRN does it (Peng et al., arXiv 2309.00071): rotations of more than `beta_fast` turns within the original context
 * are left alone, those of fewer than `beta_slow` slowed down, and scores made larger.
 */
const yarnScalingSchema = v.pipe(
  v.strictObject({
    rope_type: v.literal("yarn"),
    factor: factor(1),
    beta_fast: factor(0.001),
    beta_slow: factor(0.001),
    /** Whether the two bounds are rounded to whole pairs of a head. */
    truncate: v.boolean(),
    original_max_position_embeddings: count,
  }),
  v.check(({ beta_fast, beta_slow }) => beta_slow < beta_fast, "beta_slow must be below beta_fast"),
);

const ropeScalingSchema = v.variant("rope_type", [llamaScalingSchema, yarnScalingSchema]);

export const modelConfigSchema = v.pipe(
  v.strictObject({
    _name_or_path: v.string(),
    model_type: v.string(),
    hidden_size: v.pipe(count, v.multipleOf(4)),
    intermediate_size: v.pipe(count, v.multipleOf(4)),
    num_hidden_layers: count,
    num_attention_heads: count,
    num_key_value_heads: count,
    head_dim: v.pipe(count, v.multipleOf(4), v.maxValue(MAX_HEAD_DIM)),
    vocab_size: count,
    /** Whether the LM head is the embedding table read again. */
    tie_word_embeddings: v.boolean(),
    max_position_embeddings: count,
    /** Keys that a local layer's query sees, where the model has local layers. */
    sliding_window: v.optional(count),
    /** Every n-th layer is global, the others are local. gpt-oss's config spells that out layer by layer. */
    sliding_window_pattern: v.optional(count),
    /** The activation of the feed-forward layers. */
    hidden_act: v.optional(v.string()),
    /** Whether the projections to queries, keys, values and back have a bias. */
    attention_bias: v.optional(v.boolean()),
    rms_norm_eps: v.optional(v.pipe(v.number(), v.minValue(1e-9), v.maxValue(0.1))),
    rope_theta: v.optional(v.pipe(v.number(), v.minValue(1), v.maxValue(1e12))),
    rope_scaling: v.optional(ropeScalingSchema),
    /** rope_theta of local layers, where it is another one. */
    rope_local_base_freq: v.optional(v.pipe(v.number(), v.minValue(1), v.maxValue(1e12))),
    /** What scores are divided by the root of; head_dim where absent. */
    query_pre_attn_scalar: v.optional(count),
    /** Experts of each layer, in the words of Qwen and in those of gpt-oss; absent in a dense model. */
    num_experts: v.optional(count),
    num_local_experts: v.optional(count),
    /** How many of them a token goes through. */
    num_experts_per_tok: v.optional(count),
    /** Width of an expert; intermediate_size where absent. */
    moe_intermediate_size: v.optional(v.pipe(count, v.multipleOf(4))),
    /** Whether what a token's experts count adds up to one. */
    norm_topk_prob: v.optional(v.boolean()),
    /** What gpt-oss's activation holds its two factors within. */
    swiglu_limit: v.optional(v.pipe(v.number(), v.minValue(0.001), v.maxValue(1000))),
  }),
  v.check(
    (model) => (model.num_experts_per_tok ?? 0) <= (model.num_experts ?? model.num_local_experts ?? 0),
    "num_experts_per_tok must be no more than the experts",
  ),
  v.check(
    (model) => model.num_attention_heads % model.num_key_value_heads === 0,
    "num_attention_heads must be a multiple of num_key_value_heads",
  ),
);

export type ModelConfig = v.InferOutput<typeof modelConfigSchema>;

/** TypeScript reads every text of a JSON file as a string: this says which one it is. A test reads the files by the schema. */
const scaledAs =
  <T extends string>(rope_type: T) =>
  <M extends { rope_scaling: { rope_type: string } }>(model: M) => ({
    ...model,
    rope_scaling: { ...model.rope_scaling, rope_type },
  });
const stretched = scaledAs("llama3");

export const models = {
  "smollm2-135m": smollm2,
  "qwen2.5-0.5b": qwen25,
  "llama-3.2-1b": stretched(llama1b),
  "llama-3.2-3b": stretched(llama3b),
  "llama-3.1-8b": stretched(llama8b),
  "llama-3.1-70b": stretched(llama70b),
  "mistral-7b": mistral,
  "qwen3-8b": qwen3,
  "gemma-3-1b": gemma3,
  "qwen3-30b-a3b": qwen3Moe,
  "gpt-oss-20b": scaledAs("yarn")(gptOss),
} as const satisfies Record<string, ModelConfig>;

export type ModelId = keyof typeof models;
export const modelIds = Object.keys(models) as ModelId[];

export const modelConfig = (id: ModelId): ModelConfig => models[id];

/** The model of an id that a result names: it may come from another version, with other models. */
export const knownModel = (id: string): ModelConfig | undefined =>
  modelIds.filter((known) => known === id).map(modelConfig)[0];

/** The experts of each layer of a model. */
export interface Mixture {
  readonly experts: number;
  /** How many of them a token goes through. */
  readonly perToken: number;
  /** Width of one. */
  readonly intermediate: number;
}

/** What a model's feed-forward layers are a mixture of; undefined where they are dense. */
export function mixtureOf(model: ModelConfig): Mixture | undefined {
  const experts = model.num_experts ?? model.num_local_experts;
  const perToken = model.num_experts_per_tok;
  if (experts === undefined || perToken === undefined) return undefined;
  return { experts, perToken, intermediate: model.moe_intermediate_size ?? model.intermediate_size };
}

/** Linear layers that are alike: y = W·x with W of (N, K). */
export interface Linear {
  readonly label: string;
  readonly N: number;
  readonly K: number;
  /** How many the model has. */
  readonly count: number;
  /** How many a token goes through: fewer where they are experts'. */
  readonly perToken: number;
}

/**
 * Every weight matrix that a forward pass multiplies by. Q, K and V are one matrix, and so are gate and up, of which
 * each expert has its own.
 */
export function linears(model: ModelConfig): Linear[] {
  const { hidden_size: hidden, num_hidden_layers: layers } = model;
  const queries = model.num_attention_heads * model.head_dim;
  const keys = model.num_key_value_heads * model.head_dim;
  const mixture = mixtureOf(model);
  const inner = mixture?.intermediate ?? model.intermediate_size;
  const linear = (label: string, N: number, K: number, count = layers, perToken = count): Linear => ({
    label,
    N,
    K,
    count,
    perToken,
  });
  const all = layers * (mixture?.experts ?? 1);
  const met = layers * (mixture?.perToken ?? 1);
  return [
    linear("qkv_proj", queries + 2 * keys, hidden),
    linear("o_proj", hidden, queries),
    ...(mixture === undefined ? [] : [linear("router", mixture.experts, hidden)]),
    linear("gate_up_proj", 2 * inner, hidden, all, met),
    linear("down_proj", hidden, inner, all, met),
    linear("lm_head", model.vocab_size, hidden, 1),
  ];
}

/** Weights of the matrices of one decoder layer, of all its experts. */
export const layerParameters = (model: ModelConfig): number =>
  linears(model)
    .filter(({ label }) => label !== "lm_head")
    .reduce((sum, { N, K, count }) => sum + (N * K * count) / model.num_hidden_layers, 0);

/** Weights of all matrices, the embedding table included; norms and biases (under 0.1 %) are not counted. */
export function parameters(model: ModelConfig): number {
  const embedding = model.vocab_size * model.hidden_size;
  return layerParameters(model) * model.num_hidden_layers + embedding * (model.tie_word_embeddings ? 1 : 2);
}

/** Weights of the matrices that one token is multiplied by, the LM head included. */
export const activeParameters = (model: ModelConfig): number =>
  linears(model).reduce((sum, { N, K, perToken }) => sum + N * K * perToken, 0);

/** How many layers attend to everything, and how many only to a window. */
export function attentionLayers(model: ModelConfig): { window: number | undefined; count: number }[] {
  const layers = model.num_hidden_layers;
  const { sliding_window: window, sliding_window_pattern: pattern } = model;
  if (window === undefined) return [{ window: undefined, count: layers }];
  const global = pattern === undefined ? 0 : Math.floor(layers / pattern);
  return [
    { window: undefined, count: global },
    { window, count: layers - global },
  ].filter(({ count }) => count > 0);
}
