// What a decoder computes, beside its shapes: where the architectures that the forward pass knows differ.

import type { ModelConfig } from "./model";

export interface Decoder {
  /** Whether queries, keys and values have a bias. */
  readonly qkvBias: boolean;
  /** Whether each head of queries and keys is normed before it is turned. */
  readonly qkNorm: boolean;
  /** Added to the mean of the squares in every norm, in billionths. */
  readonly nanoEpsilon: number;
}

type Traits = Pick<Decoder, "qkvBias" | "qkNorm">;

/** By `model_type`. Llama's projections can have biases, and then the one back has one too. */
const architectures: Readonly<Record<string, Traits>> = {
  llama: { qkvBias: false, qkNorm: false },
  mistral: { qkvBias: false, qkNorm: false },
  qwen2: { qkvBias: true, qkNorm: false },
  qwen3: { qkvBias: false, qkNorm: true },
};

/** What is known of architectures that are not computed. */
const reasons: Readonly<Record<string, string>> = {
  gemma3_text:
    "gemma3_text has four norms in a layer that add one to their weights, scales its embeddings, and turns local and global layers differently",
};

/** Why the forward pass cannot compute a model, or undefined. Names the field that is missing or wrong. */
export function whyNoForward(model: ModelConfig): string | undefined {
  const traits = Object.hasOwn(architectures, model.model_type) ? architectures[model.model_type] : undefined;
  if (traits === undefined) {
    const known = Object.keys(architectures).join(", ");
    return (
      (Object.hasOwn(reasons, model.model_type) ? reasons[model.model_type] : undefined) ??
      `model_type ${JSON.stringify(model.model_type.slice(0, 40))} is not known: ${known} are`
    );
  }
  const missing = (["hidden_act", "rms_norm_eps", "rope_theta"] as const).find(
    (field) => model[field] === undefined,
  );
  if (missing !== undefined) return `${missing} is missing`;
  if (model.hidden_act !== "silu") return `hidden_act is ${model.hidden_act}: only silu is known`;
  if (model.attention_bias === true) return "attention_bias: a bias after attention is not known";
  if (model.head_dim % 4 !== 0) return "head_dim must be a multiple of 4";
  return model.num_attention_heads % model.num_key_value_heads === 0
    ? undefined
    : "num_attention_heads must be a multiple of num_key_value_heads";
}

/** What a model's decoder computes. Throws where the forward pass cannot compute it. */
export function decoderOf(model: ModelConfig): Decoder {
  const reason = whyNoForward(model);
  const traits = architectures[model.model_type];
  if (reason !== undefined || traits === undefined)
    throw new Error(`${model._name_or_path}: ${reason ?? "unknown architecture"}`);
  return { ...traits, nanoEpsilon: Math.round((model.rms_norm_eps ?? 0) * 1e9) };
}

/** How many keys a query of a layer sees at most; undefined where it sees all of them. */
export function layerWindow(model: ModelConfig, layer: number): number | undefined {
  const { sliding_window, sliding_window_pattern } = model;
  const global = sliding_window_pattern !== undefined && (layer + 1) % sliding_window_pattern === 0;
  return global ? undefined : sliding_window;
}
