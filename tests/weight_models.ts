// Models as files: the tensors of a forward pass under the names and in the order that Hugging Face and GGML give them.
// Written from their documentation, not from the readers.

import type { Matrix } from "../src/kernels/kernel";
import type { ModelConfig } from "../src/workloads";
import { ggufFile, safetensorsFile, stored, type WrittenTensor, type WrittenValue } from "./weight_writers";

export interface PlainTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly numbers: Float64Array;
}

/** By how much Gemma's norms in safetensors are less than what is multiplied by. */
const isGemma = ({ model_type }: ModelConfig) => model_type === "gemma3_text";

/** Every tensor of a model by Hugging Face's name; `weight` gives the forward pass's own, vocabularies in one piece. */
export function huggingFaceTensors(model: ModelConfig, weight: (name: string) => Matrix): PlainTensor[] {
  const { hidden_size: hidden, intermediate_size: inner, head_dim: headDim } = model;
  const [queries, keys] = [model.num_attention_heads * headDim, model.num_key_value_heads * headDim];
  const matrix = (name: string, from: string, first: number, rows: number, columns: number): PlainTensor => {
    const at = weight(from);
    const numbers = Float64Array.from({ length: rows * columns }, (_, i) =>
      at(first + Math.floor(i / columns), i % columns),
    );
    return { name, shape: [rows, columns], numbers };
  };
  const vector = (name: string, from: string, row: number, first: number, length: number): PlainTensor => {
    const at = weight(from);
    const less = isGemma(model) && /norm\.weight$/.test(name) ? 1 : 0;
    return {
      name,
      shape: [length],
      numbers: Float64Array.from({ length }, (_, i) => at(row, first + i) - less),
    };
  };
  const layers = Array.from({ length: model.num_hidden_layers }, (_, layer) => {
    const to = (name: string) => `model.layers.${layer}.${name}`;
    const from = (name: string) => `layers.${layer}.${name}`;
    const norms = ["input_layernorm", "post_attention_layernorm"];
    if (isGemma(model)) norms.push("pre_feedforward_layernorm", "post_feedforward_layernorm");
    const parts = [
      ["q", 0, queries],
      ["k", queries, keys],
      ["v", queries + keys, keys],
    ] as const;
    return [
      ...norms.map((name) => vector(to(`${name}.weight`), from(name), 0, 0, hidden)),
      ...parts.map(([part, first, rows]) =>
        matrix(to(`self_attn.${part}_proj.weight`), from("qkv_proj"), first, rows, hidden),
      ),
      ...(model.model_type === "qwen2"
        ? parts.map(([part, first, rows]) =>
            vector(to(`self_attn.${part}_proj.bias`), from("qkv_bias"), 0, first, rows),
          )
        : []),
      ...(model.model_type === "qwen3" || isGemma(model)
        ? ["q", "k"].map((part, row) =>
            vector(to(`self_attn.${part}_norm.weight`), from("qk_norms"), row, 0, headDim),
          )
        : []),
      matrix(to("self_attn.o_proj.weight"), from("o_proj"), 0, hidden, queries),
      matrix(to("mlp.gate_proj.weight"), from("gate_up_proj"), 0, inner, hidden),
      matrix(to("mlp.up_proj.weight"), from("gate_up_proj"), inner, inner, hidden),
      matrix(to("mlp.down_proj.weight"), from("down_proj"), 0, hidden, inner),
    ];
  });
  return [
    matrix("model.embed_tokens.weight", "embed_tokens.0", 0, model.vocab_size, hidden),
    ...layers.flat(),
    vector("model.norm.weight", "norm", 0, 0, hidden),
    ...(model.tie_word_embeddings
      ? []
      : [matrix("lm_head.weight", "lm_head.0", 0, model.vocab_size, hidden)]),
  ];
}

/** A safetensors file of these tensors. */
export const safetensorsOf = (tensors: readonly PlainTensor[], dtype = "F32"): Uint8Array<ArrayBuffer> =>
  safetensorsFile(
    tensors.map(({ name, shape, numbers }) => ({ name, dtype, shape, bytes: stored(dtype, numbers).bytes })),
  );

const GGUF_NAMES: readonly (readonly [RegExp, string])[] = [
  [/^model\.embed_tokens\./, "token_embd."],
  [/^model\.norm\./, "output_norm."],
  [/^lm_head\./, "output."],
  [/^model\.layers\.(\d+)\./, "blk.$1."],
  [/self_attn\.([qkv])_proj\./, "attn_$1."],
  [/self_attn\.([qk])_norm\./, "attn_$1_norm."],
  [/self_attn\.o_proj\./, "attn_output."],
  [/mlp\.(gate|up|down)_proj\./, "ffn_$1."],
  [/\.input_layernorm\./, ".attn_norm."],
];

function ggufName(name: string, gemma: boolean): string {
  const norms: readonly (readonly [RegExp, string])[] = gemma
    ? [
        [/\.post_attention_layernorm\./, ".post_attention_norm."],
        [/\.pre_feedforward_layernorm\./, ".ffn_norm."],
        [/\.post_feedforward_layernorm\./, ".post_ffw_norm."],
      ]
    : [[/\.post_attention_layernorm\./, ".ffn_norm."]];
  return [...GGUF_NAMES, ...norms].reduce((given, [from, to]) => given.replace(from, to), name);
}

/** Llama's queries and keys in GGUF: of each head first the two numbers that are turned together first, then the next two. */
function interleaved({ shape, numbers }: PlainTensor, headDim: number): Float64Array {
  const columns = shape[1] ?? 0;
  const out = new Float64Array(numbers.length);
  for (let row = 0; row < numbers.length / columns; row++) {
    const [head, at] = [Math.floor(row / headDim), row % headDim];
    const from = head * headDim + (at % 2) * (headDim / 2) + Math.floor(at / 2);
    out.set(numbers.subarray(from * columns, (from + 1) * columns), row * columns);
  }
  return out;
}

/** By what Llama 3.1 divides each rotation, as GGUF stores it. */
function ropeDivisors({ head_dim, rope_theta = 1, rope_scaling }: ModelConfig): Float64Array | undefined {
  if (rope_scaling?.rope_type !== "llama3") return undefined;
  const {
    factor,
    low_freq_factor: low,
    high_freq_factor: high,
    original_max_position_embeddings: old,
  } = rope_scaling;
  return Float64Array.from({ length: head_dim / 2 }, (_, i) => {
    const wavelength = 2 * Math.PI * rope_theta ** ((2 * i) / head_dim);
    if (wavelength < old / high) return 1;
    if (wavelength > old / low) return factor;
    const smooth = (old / wavelength - low) / (high - low);
    return 1 / ((1 - smooth) / factor + smooth);
  });
}

const ARCHITECTURES: Readonly<Record<string, string>> = { gemma3_text: "gemma3", mistral: "llama" };

/** A GGUF file of the same model, its matrices stored as `type`. */
export function ggufOf(
  model: ModelConfig,
  tensors: readonly PlainTensor[],
  type: string,
  more: Readonly<Record<string, WrittenValue>> = {},
): Uint8Array<ArrayBuffer> {
  const gemma = isGemma(model);
  const architecture = ARCHITECTURES[model.model_type] ?? model.model_type;
  const divisors = ropeDivisors(model);
  const written = tensors.map((tensor): WrittenTensor => {
    const { name, shape } = tensor;
    const turned = architecture === "llama" && /[qk]_proj\.weight$/.test(name);
    const whole = gemma && /norm\.weight$/.test(name);
    const numbers = turned
      ? interleaved(tensor, model.head_dim)
      : tensor.numbers.map((each) => each + Number(whole));
    const dtype = shape.length === 1 ? "F32" : type;
    return { name: ggufName(name, gemma), dtype, shape, bytes: stored(dtype, numbers).bytes };
  });
  if (divisors !== undefined)
    written.push({
      name: "rope_freqs.weight",
      dtype: "F32",
      shape: [divisors.length],
      bytes: stored("F32", divisors).bytes,
    });
  const key = (name: string) => `${architecture}.${name}`;
  return ggufFile(
    {
      "general.architecture": { text: architecture },
      "general.name": { text: "tiny" },
      [key("embedding_length")]: { u32: model.hidden_size },
      [key("feed_forward_length")]: { u32: model.intermediate_size },
      [key("block_count")]: { u32: model.num_hidden_layers },
      [key("attention.head_count")]: { u32: model.num_attention_heads },
      [key("attention.head_count_kv")]: { u32: model.num_key_value_heads },
      [key("attention.key_length")]: { u32: model.head_dim },
      [key("attention.value_length")]: { u32: model.head_dim },
      [key("attention.layer_norm_rms_epsilon")]: { f32: model.rms_norm_eps ?? 0 },
      [key("context_length")]: { u32: model.max_position_embeddings },
      [key("rope.freq_base")]: { f32: model.rope_theta ?? 0 },
      ...(model.sliding_window !== undefined && {
        [key("attention.sliding_window")]: { u32: model.sliding_window },
      }),
      ...(model.sliding_window_pattern !== undefined && {
        [key("attention.sliding_window_pattern")]: { u32: model.sliding_window_pattern },
      }),
      ...(model.rope_local_base_freq !== undefined && {
        [key("rope.freq_base_swa")]: { f32: model.rope_local_base_freq },
      }),
      ...more,
    },
    written,
  );
}
