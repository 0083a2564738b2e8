// Models that predictions are made for: the engine's own and, in architectures.json, those that it cannot run yet.

import * as v from "valibot";
import { type ModelConfig, models } from "../../workloads";
import others from "./architectures.json";

const count = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(2 ** 24));

/** The fields of a Hugging Face config.json that decide work and memory, under their own names. */
export const architectureSchema = v.strictObject({
  _name_or_path: v.string(),
  model_type: v.exactOptional(v.string()),
  hidden_size: count,
  intermediate_size: count,
  num_hidden_layers: count,
  num_attention_heads: count,
  num_key_value_heads: count,
  head_dim: count,
  vocab_size: count,
  tie_word_embeddings: v.boolean(),
  max_position_embeddings: count,
  sliding_window: v.exactOptional(count),
  sliding_window_pattern: v.exactOptional(count),
  /** Routed experts of a layer, and how many of them a token goes through; absent in a dense model. */
  num_experts: v.exactOptional(count),
  /** The same in gpt-oss's words. */
  num_local_experts: v.exactOptional(count),
  num_experts_per_tok: v.exactOptional(count),
  /** Width of one expert; intermediate_size where absent. */
  moe_intermediate_size: v.exactOptional(count),
  /** Experts that every token goes through. */
  num_shared_experts: v.exactOptional(count),
  /** The first layers, which have no experts. */
  first_k_dense_replace: v.exactOptional(count),
  /** Multi-head latent attention: ranks of the projections and of what the cache holds. */
  q_lora_rank: v.exactOptional(count),
  kv_lora_rank: v.exactOptional(count),
  qk_rope_head_dim: v.exactOptional(count),
});

export type Architecture = v.InferOutput<typeof architectureSchema>;

// Not parsed here: tests/unit/prediction_models.test.ts holds the file against the schema.
const known: Readonly<Record<string, Architecture>> = { ...models, ...others };

/** Ids that `architecture` knows: the engine's models first. */
export const architectureIds: readonly string[] = Object.keys(known);

/** A model by its id; undefined if it is not known. */
export const architecture = (id: string): Architecture | undefined =>
  Object.hasOwn(known, id) ? known[id] : undefined;

/** The experts of a layer that has some; undefined for a dense model. */
export interface Experts {
  readonly total: number;
  readonly perToken: number;
  readonly shared: number;
  readonly intermediate: number;
  /** Layers that have experts, and those that do not. */
  readonly layers: number;
  readonly denseLayers: number;
}

export function expertsOf(model: Architecture): Experts | undefined {
  const { num_experts_per_tok: perToken, moe_intermediate_size: intermediate = model.intermediate_size } =
    model;
  const total = model.num_experts ?? model.num_local_experts;
  if (total === undefined || perToken === undefined) return undefined;
  const denseLayers = model.first_k_dense_replace ?? 0;
  return {
    total,
    perToken,
    intermediate,
    shared: model.num_shared_experts ?? 0,
    layers: model.num_hidden_layers - denseLayers,
    denseLayers,
  };
}

/**
 * Weights of one layer's attention. With latent attention queries, keys and values come out of low-rank products, whose
 * parts are of (hidden, q_lora) and (q_lora, heads·(d + rope)), (hidden, kv_lora + rope) and (kv_lora, heads·2d).
 */
export function attentionInputWeights(model: Architecture): number {
  const { hidden_size: hidden, num_attention_heads: heads, head_dim: d } = model;
  const { q_lora_rank: queryRank, kv_lora_rank: rank, qk_rope_head_dim: rope = 0 } = model;
  if (rank === undefined) return hidden * d * (heads + 2 * model.num_key_value_heads);
  const queries =
    queryRank === undefined ? hidden * heads * (d + rope) : queryRank * (hidden + heads * (d + rope));
  return queries + hidden * (rank + rope) + rank * heads * 2 * d;
}

/** Numbers that one token leaves in the KV cache of one layer. */
export const cachedNumbers = (model: Architecture): number =>
  model.kv_lora_rank === undefined
    ? 2 * model.num_key_value_heads * model.head_dim
    : model.kv_lora_rank + (model.qk_rope_head_dim ?? 0);

/** Weights of all matrices, the embedding table included, those that one token is multiplied by, and those of routed and shared experts. */
export function parameterCounts(model: Architecture): { total: number; active: number; experts: number } {
  const { hidden_size: hidden, num_hidden_layers: layers, vocab_size: vocabulary } = model;
  const attention = attentionInputWeights(model) + hidden * model.num_attention_heads * model.head_dim;
  const dense = 3 * hidden * model.intermediate_size;
  const experts = expertsOf(model);
  const embedding = vocabulary * hidden * (model.tie_word_embeddings ? 1 : 2);
  if (experts === undefined) {
    const total = layers * (attention + dense) + embedding;
    return { total, active: total, experts: 0 };
  }
  const expert = 3 * hidden * experts.intermediate;
  const outside = layers * attention + experts.denseLayers * dense + embedding;
  const inside = (each: number) => experts.layers * expert * (each + experts.shared);
  const all = inside(experts.total);
  return { total: outside + all, active: outside + inside(experts.perToken), experts: all };
}

/**
 * The model as the engine's workloads take it, without experts and latent attention: those are weighed apart from the
 * steps, which have the products of a dense model of the same names.
 */
export const workloadConfig = ({
  num_experts: _experts,
  num_local_experts: _localExperts,
  num_experts_per_tok: _perToken,
  ...model
}: Architecture): ModelConfig => ({
  ...model,
  model_type: model.model_type ?? "",
  sliding_window: model.sliding_window,
  sliding_window_pattern: model.sliding_window_pattern,
});
