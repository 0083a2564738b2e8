// What a decoder computes, beside its shapes: where the architectures that the forward pass knows differ.

import { activationsOf, BLOCK, type CacheType, cacheOf, type DType, dtypes } from "../kernels/elements";
import { type ModelConfig, mixtureOf } from "./model";

export interface Decoder {
  /** Whether queries, keys and values have a bias. */
  readonly qkvBias: boolean;
  /** Whether each head of queries and keys is normed before it is turned. */
  readonly qkNorm: boolean;
  /** What gates a feed-forward layer: SwiGLU, GeGLU, or gpt-oss's own, which holds both factors within a limit. */
  readonly activation: "silu" | "gelu" | "clamped";
  /** Whether embeddings are multiplied by √hidden_size. */
  readonly scaledEmbedding: boolean;
  /** Whether what attention and the feed-forward layer give is normed before it is added. */
  readonly postNorms: boolean;
  /** Whether local layers are turned with a theta of their own. */
  readonly localTheta: boolean;
  /** Whether feed-forward layers are mixtures of experts. */
  readonly experts: boolean;
  /** Whether the projection behind attention, routers and experts have biases. */
  readonly biases: boolean;
  /** Whether each head has a sink, one more score without a value. */
  readonly sinks: boolean;
  /** Added to the mean of the squares in every norm, in billionths. */
  readonly nanoEpsilon: number;
}

type Traits = Omit<Decoder, "nanoEpsilon">;

const llama: Traits = {
  qkvBias: false,
  qkNorm: false,
  activation: "silu",
  scaledEmbedding: false,
  postNorms: false,
  localTheta: false,
  experts: false,
  biases: false,
  sinks: false,
};

/**
 * By `model_type`. Gemma stores what its norms multiply by less one; here it is stored whole.
 */
const architectures: Readonly<Record<string, Traits>> = {
  llama,
  mistral: llama,
  qwen2: { ...llama, qkvBias: true },
  qwen3: { ...llama, qkNorm: true },
  gemma3_text: {
    ...llama,
    qkNorm: true,
    activation: "gelu",
    scaledEmbedding: true,
    postNorms: true,
    localTheta: true,
  },
  qwen3_moe: { ...llama, qkNorm: true, experts: true },
  gpt_oss: {
    ...llama,
    qkvBias: true,
    activation: "clamped",
    experts: true,
    biases: true,
    sinks: true,
  },
};

/** What an activation is called in a config. */
const hiddenAct: Readonly<Record<Decoder["activation"], string>> = {
  silu: "silu",
  gelu: "gelu_pytorch_tanh",
  clamped: "silu",
};

/** What is wrong with a model's experts, or undefined. */
function whyNoExperts(model: ModelConfig, { experts, activation }: Traits): string | undefined {
  if (!experts)
    return mixtureOf(model) === undefined ? undefined : `${model.model_type} is not known with experts`;
  if (mixtureOf(model) === undefined) return "num_experts or num_experts_per_tok is missing";
  if (activation === "clamped")
    return model.swiglu_limit === undefined ? "swiglu_limit is missing" : undefined;
  return model.norm_topk_prob === true
    ? undefined
    : "norm_topk_prob: experts that count for more or less than one together are not known";
}

/** Why the forward pass cannot compute a model, or undefined. Names the field that is missing or wrong. */
export function whyNoForward(model: ModelConfig): string | undefined {
  const traits = Object.hasOwn(architectures, model.model_type) ? architectures[model.model_type] : undefined;
  if (traits === undefined) {
    const known = Object.keys(architectures).join(", ");
    return `model_type ${JSON.stringify(model.model_type.slice(0, 40))} is not known: ${known} are`;
  }
  const missing = (["hidden_act", "rms_norm_eps", "rope_theta"] as const).find(
    (field) => model[field] === undefined,
  );
  if (missing !== undefined) return `${missing} is missing`;
  const activation = hiddenAct[traits.activation];
  if (model.hidden_act !== activation)
    return `hidden_act is ${model.hidden_act}: ${model.model_type} is known with ${activation}`;
  if (traits.localTheta && model.sliding_window !== undefined && model.rope_local_base_freq === undefined)
    return "rope_local_base_freq is missing";
  if ((model.query_pre_attn_scalar ?? model.head_dim) !== model.head_dim)
    return "query_pre_attn_scalar is another one than head_dim";
  if (model.attention_bias === true && !traits.biases)
    return "attention_bias: a bias after attention is not known";
  if (model.attention_bias !== true && traits.biases)
    return `attention_bias: ${model.model_type} is known with biases`;
  const experts = whyNoExperts(model, traits);
  if (experts !== undefined) return experts;
  if (model.head_dim % 4 !== 0) return "head_dim must be a multiple of 4";
  return model.num_attention_heads % model.num_key_value_heads === 0
    ? undefined
    : "num_attention_heads must be a multiple of num_key_value_heads";
}

/** Why the forward pass has no KV cache of this type beside a model's weights in `dtype`, or undefined. */
export function whyNoCache(
  { head_dim, model_type }: Pick<ModelConfig, "head_dim" | "model_type">,
  dtype: DType,
  cache: CacheType,
): string | undefined {
  if (cache === "q8_0" && architectures[model_type]?.sinks === true)
    return "a KV cache in q8_0 is not known beside attention sinks";
  if (cache === "q8_0")
    return head_dim % BLOCK === 0
      ? undefined
      : `a KV cache in q8_0 has blocks of ${BLOCK}, and head_dim ${head_dim} is no multiple of that`;
  return dtypes.some((each) => activationsOf[each] === activationsOf[dtype] && cacheOf[each] === cache)
    ? undefined
    : `a KV cache in ${cache} is not known beside ${dtype}, whose activations are ${activationsOf[dtype]}`;
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
