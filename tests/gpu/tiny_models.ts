// Models small enough for a reference in float64, one of each kind that the forward pass knows.

import type { ModelConfig } from "../../src/workloads";

const tiny: ModelConfig = {
  _name_or_path: "tiny",
  model_type: "llama",
  hidden_size: 64,
  intermediate_size: 96,
  num_hidden_layers: 3,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 16,
  vocab_size: 300,
  tie_word_embeddings: true,
  max_position_embeddings: 256,
  hidden_act: "silu",
  rms_norm_eps: 1e-5,
  rope_theta: 10_000,
};

export const tinyModels = {
  // So short an original context that the tokens of a test see all three kinds of frequencies.
  llama: {
    ...tiny,
    rope_theta: 500,
    rope_scaling: {
      rope_type: "llama3",
      factor: 8,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: 64,
    },
  },
  "llama, heads of an odd kind": {
    ...tiny,
    num_hidden_layers: 2,
    num_attention_heads: 6,
    num_key_value_heads: 2,
    head_dim: 32,
    tie_word_embeddings: false,
    vocab_size: 301,
  },
  mistral: { ...tiny, model_type: "mistral", tie_word_embeddings: false, sliding_window: 5 },
  qwen2: { ...tiny, model_type: "qwen2", rope_theta: 1e6, rms_norm_eps: 1e-6 },
  qwen3: {
    ...tiny,
    model_type: "qwen3",
    attention_bias: false,
    rope_theta: 1e6,
    rms_norm_eps: 1e-6,
    tie_word_embeddings: false,
  },
  // Two local layers to a global one, each turned in its own way.
  gemma3: {
    ...tiny,
    model_type: "gemma3_text",
    hidden_act: "gelu_pytorch_tanh",
    rms_norm_eps: 1e-6,
    rope_theta: 1e6,
    rope_local_base_freq: 100,
    query_pre_attn_scalar: 16,
    sliding_window: 6,
    sliding_window_pattern: 3,
  },
  // Experts of an odd number, of which each token goes through two.
  qwen3_moe: {
    ...tiny,
    model_type: "qwen3_moe",
    attention_bias: false,
    rope_theta: 1e6,
    rms_norm_eps: 1e-6,
    tie_word_embeddings: false,
    num_experts: 7,
    num_experts_per_tok: 2,
    moe_intermediate_size: 32,
    norm_topk_prob: true,
  },
  // So low a limit that gates and others reach it, and so short an original context that some pairs are slowed down.
  gpt_oss: {
    ...tiny,
    model_type: "gpt_oss",
    attention_bias: true,
    intermediate_size: 32,
    num_attention_heads: 8,
    tie_word_embeddings: false,
    sliding_window: 6,
    sliding_window_pattern: 2,
    rope_theta: 500,
    rope_scaling: {
      rope_type: "yarn",
      factor: 8,
      beta_fast: 4,
      beta_slow: 1,
      truncate: false,
      original_max_position_embeddings: 64,
    },
    num_local_experts: 5,
    num_experts_per_tok: 3,
    swiglu_limit: 0.7,
  },
} as const satisfies Record<string, ModelConfig>;
