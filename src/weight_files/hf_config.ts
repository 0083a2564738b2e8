// A Hugging Face config.json as a model: what transformers takes where a field is missing, in one shape however old the
// file is, and every field that would change what is computed and is not known refused by name.

import * as v from "valibot";
import { problemOf } from "../bounds";
import { type ModelConfig, modelConfigSchema, whyNoForward } from "../workloads";
import { BadWeights, quoted } from "./byte_source";

/** What transformers takes for fields that a config leaves out, where it is not the same for all. */
interface Defaults {
  readonly tied: boolean;
  readonly theta: number;
  readonly head_dim?: number;
  readonly sliding_window?: number;
}

const byType: Readonly<Record<string, Defaults>> = {
  llama: { tied: false, theta: 10_000 },
  mistral: { tied: false, theta: 10_000, sliding_window: 4096 },
  qwen2: { tied: false, theta: 10_000 },
  qwen3: { tied: false, theta: 10_000, head_dim: 128 },
  gemma3_text: { tied: true, theta: 1_000_000, head_dim: 256, sliding_window: 4096 },
};

/** Gemma's local layers. */
const LOCAL_THETA = 10_000;
const GEMMA_PATTERN = 6;

type Fields = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Fields that must say nothing, or what is said here: anything else is another arithmetic. */
const mustBe: readonly (readonly [string, readonly unknown[], string])[] = [
  ["mlp_bias", [false], "a bias in the feed-forward layers is not known"],
  ["final_logit_softcapping", [], "capped logits are not known"],
  ["attn_logit_softcapping", [], "capped scores are not known"],
  ["quantization_config", [], "weights of other formats than safetensors' own types are not read"],
  ["partial_rotary_factor", [1], "rotating a part of a head is not known"],
];

/** How positions are rotated: older configs have rope_theta and rope_scaling, newer ones rope_parameters. */
function rotation(fields: Fields, { theta }: Defaults): Fields {
  const parameters = fields.rope_parameters;
  if (!isObject(parameters))
    return {
      rope_theta: fields.rope_theta ?? theta,
      rope_scaling: scaling(fields.rope_scaling ?? undefined),
      rope_local_base_freq: fields.rope_local_base_freq,
    };
  const { full_attention: full, sliding_attention: local } = parameters;
  if (!isObject(full))
    return { rope_theta: parameters.rope_theta ?? theta, rope_scaling: scaling(parameters) };
  return {
    rope_theta: full.rope_theta ?? theta,
    rope_scaling: scaling(full),
    rope_local_base_freq: isObject(local) ? local.rope_theta : undefined,
  };
}

/** Llama 3.1's stretching, or none. */
function scaling(given: unknown): unknown {
  if (given === undefined) return undefined;
  if (!isObject(given)) throw new BadWeights("rope_scaling is no object");
  const type = given.rope_type ?? given.type ?? "default";
  if (type === "default") return undefined;
  if (type !== "llama3")
    throw new BadWeights(`rope_scaling of type ${quoted(String(type))} is not known: llama3 is`);
  const { factor, low_freq_factor, high_freq_factor, original_max_position_embeddings } = given;
  return { rope_type: "llama3", factor, low_freq_factor, high_freq_factor, original_max_position_embeddings };
}

/** Which layers are local: by a window alone, by a pattern, or as newer configs list them layer by layer. */
function windows(fields: Fields, { sliding_window: usual }: Defaults): Fields {
  const { model_type: type, layer_types: listed } = fields;
  const window = fields.sliding_window === undefined ? usual : (fields.sliding_window ?? undefined);
  if (type === "qwen2" || type === "qwen3") {
    // Qwen names a window and does not use it unless this says so.
    if (fields.use_sliding_window === true)
      throw new BadWeights("use_sliding_window: local layers of Qwen are not known");
    return {};
  }
  if (type !== "gemma3_text") return { sliding_window: window };
  const pattern = fields.sliding_window_pattern ?? fields._sliding_window_pattern ?? GEMMA_PATTERN;
  if (Array.isArray(listed)) {
    const asPattern = listed.every(
      (each, i) => each === ((i + 1) % Number(pattern) === 0 ? "full_attention" : "sliding_attention"),
    );
    if (!asPattern)
      throw new BadWeights(`layer_types: only every ${quoted(String(pattern))}th layer may be global`);
  }
  return { sliding_window: window, sliding_window_pattern: pattern };
}

/** Fields without which there is no model, and that no default stands for. */
const REQUIRED = [
  "hidden_size",
  "intermediate_size",
  "num_hidden_layers",
  "num_attention_heads",
  "vocab_size",
  "max_position_embeddings",
  "rms_norm_eps",
] as const;

/** The model that these fields describe, checked as a whole. Throws BadWeights that names the field. */
export function checkedModel(where: string, fields: Fields): ModelConfig {
  const present = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
  const parsed = v.safeParse(modelConfigSchema, present);
  if (!parsed.success) {
    const [issue] = parsed.issues;
    throw new BadWeights(`${where}: ${issue.path === undefined ? issue.message : problemOf(issue, "model")}`);
  }
  const reason = whyNoForward(parsed.output);
  if (reason !== undefined) throw new BadWeights(`${where}: ${reason}`);
  return parsed.output;
}

/** The model of a config.json. Throws BadWeights that names the field which is missing, wrong or not known. */
export function modelOfConfig(where: string, name: string, config: unknown): ModelConfig {
  if (!isObject(config)) throw new BadWeights(`${where}: a config is an object`);
  const { model_type: type } = config;
  const defaults = typeof type === "string" && Object.hasOwn(byType, type) ? byType[type] : undefined;
  if (defaults === undefined) {
    const known = Object.keys(byType).join(", ");
    const said = type === undefined ? "is missing" : `${quoted(JSON.stringify(type))} is not known`;
    throw new BadWeights(`${where}: model_type ${said}: ${known} are`);
  }
  const missing = REQUIRED.find((field) => config[field] === undefined || config[field] === null);
  if (missing !== undefined) throw new BadWeights(`${where}: ${missing} is missing`);
  for (const [field, allowed, says] of mustBe) {
    const value = config[field] ?? undefined;
    if (value !== undefined && !allowed.includes(value)) throw new BadWeights(`${where}: ${field}: ${says}`);
  }
  const { hidden_size: hidden, num_attention_heads: heads } = config;
  const gemma = type === "gemma3_text";
  const headDim = config.head_dim ?? defaults.head_dim ?? Number(hidden) / Number(heads);
  if (!Number.isInteger(headDim))
    throw new BadWeights(
      `${where}: head_dim is missing, and hidden_size ${quoted(String(hidden))} is no multiple of num_attention_heads ${quoted(String(heads))}`,
    );
  const scalar = config.query_pre_attn_scalar ?? undefined;
  try {
    return checkedModel(where, {
      _name_or_path: name,
      model_type: type,
      hidden_size: hidden,
      intermediate_size: config.intermediate_size,
      num_hidden_layers: config.num_hidden_layers,
      num_attention_heads: heads,
      num_key_value_heads: config.num_key_value_heads ?? heads,
      head_dim: headDim,
      vocab_size: config.vocab_size,
      tie_word_embeddings: config.tie_word_embeddings ?? defaults.tied,
      max_position_embeddings: config.max_position_embeddings,
      hidden_act:
        (gemma ? config.hidden_activation : undefined) ??
        config.hidden_act ??
        (gemma ? "gelu_pytorch_tanh" : "silu"),
      ...(type !== "qwen2" && { attention_bias: config.attention_bias ?? undefined }),
      rms_norm_eps: config.rms_norm_eps,
      ...windows(config, defaults),
      ...(gemma && { rope_local_base_freq: LOCAL_THETA }),
      ...Object.fromEntries(
        Object.entries(rotation(config, defaults)).filter(([, value]) => value !== undefined),
      ),
      ...(gemma && { query_pre_attn_scalar: scalar ?? 256 }),
    });
  } catch (error) {
    if (!(error instanceof BadWeights) || error.message.startsWith(where)) throw error;
    throw new BadWeights(`${where}: ${error.message}`);
  }
}

const idsSchema = v.pipe(
  v.union([v.number(), v.array(v.number()), v.null_(), v.undefined_()]),
  v.transform((given) => (given === null || given === undefined ? [] : [given].flat())),
);

/** The tokens that end a text, as a config.json or generation_config.json says. */
export function endTokens(config: unknown): number[] {
  const parsed = v.safeParse(idsSchema, isObject(config) ? config.eos_token_id : undefined);
  return parsed.success ? parsed.output : [];
}
