// Which tensors of a file a tensor of the forward pass is made of. Queries, keys and values are one matrix here, and so
// are gate and up; vectors that belong together are rows of one.

import { decoderOf, type ModelConfig } from "../workloads";
import { BadWeights, quoted } from "./byte_source";
import { isStoredType, type StoredTensor, storedBytes, storedTypes } from "./stored_tensor";

export type Naming = "safetensors" | "gguf";

/** Rows of a file's tensor that follow each other in the pass's. */
export interface Part {
  readonly tensor: StoredTensor;
  readonly firstRow: number;
  readonly rows: number;
  readonly columns: number;
  /**
   * Rows of a head where it comes with the two numbers that are turned together side by side, as GGUF stores Llama's
   * queries and keys; the pass has first all first ones, and then all second ones. 0 for rows in order.
   */
  readonly interleaved: number;
  /** What is added to each number: Gemma's norms are stored less one in safetensors. */
  readonly added: number;
}

export interface WeightMap {
  /** The parts of a tensor of so many rows, in order; those of a vocabulary may have fewer. Throws where there is none of the name. */
  parts(name: string, rows: number): Part[];
  /** Weights in the file. */
  readonly stored: readonly StoredTensor[];
}

/** Rows from `first` on, `count` of them at most, of a tensor that is made of these parts. */
function rowsOf(parts: readonly Part[], first: number, count: number): Part[] {
  let before = 0;
  return parts.flatMap((part) => {
    const from = Math.max(first - before, 0);
    const rows = Math.min(first + count - before, part.rows) - from;
    before += part.rows;
    if (rows <= 0) return [];
    if (part.interleaved > 0 && (from % part.interleaved !== 0 || rows % part.interleaved !== 0))
      throw new BadWeights(
        `${quoted(part.tensor.name)} does not fit into a binding of this device: its heads would be cut`,
      );
    return [{ ...part, firstRow: part.firstRow + from, rows }];
  });
}

/** In a layer: what this pass calls a tensor, and its parts as Hugging Face and as GGML call them. */
const LAYER: Readonly<Record<string, readonly (readonly [safetensors: string, gguf: string])[]>> = {
  qkv_proj: [
    ["self_attn.q_proj.weight", "attn_q.weight"],
    ["self_attn.k_proj.weight", "attn_k.weight"],
    ["self_attn.v_proj.weight", "attn_v.weight"],
  ],
  qkv_bias: [
    ["self_attn.q_proj.bias", "attn_q.bias"],
    ["self_attn.k_proj.bias", "attn_k.bias"],
    ["self_attn.v_proj.bias", "attn_v.bias"],
  ],
  qk_norms: [
    ["self_attn.q_norm.weight", "attn_q_norm.weight"],
    ["self_attn.k_norm.weight", "attn_k_norm.weight"],
  ],
  o_proj: [["self_attn.o_proj.weight", "attn_output.weight"]],
  gate_up_proj: [
    ["mlp.gate_proj.weight", "ffn_gate.weight"],
    ["mlp.up_proj.weight", "ffn_up.weight"],
  ],
  down_proj: [["mlp.down_proj.weight", "ffn_down.weight"]],
  input_layernorm: [["input_layernorm.weight", "attn_norm.weight"]],
};

const norms = (postNorms: boolean): typeof LAYER =>
  postNorms
    ? {
        post_attention_layernorm: [["post_attention_layernorm.weight", "post_attention_norm.weight"]],
        pre_feedforward_layernorm: [["pre_feedforward_layernorm.weight", "ffn_norm.weight"]],
        post_feedforward_layernorm: [["post_feedforward_layernorm.weight", "post_ffw_norm.weight"]],
      }
    : { post_attention_layernorm: [["post_attention_layernorm.weight", "ffn_norm.weight"]] };

/** What a file may have beside its weights: tables that follow from the config. */
const BESIDE = /rotary_emb\.inv_freq$|^rope_freqs\.weight$/;

/**
 * Finds every weight of a model in a file. Throws BadWeights where one is missing, has another shape or a type that is
 * not read, or where the file has weights that this architecture does not know: computing without them would be wrong.
 */
export function mapWeights(model: ModelConfig, naming: Naming, tensors: readonly StoredTensor[]): WeightMap {
  const { qkvBias, qkNorm, postNorms } = decoderOf(model);
  const { hidden_size: hidden, intermediate_size: inner, head_dim: headDim } = model;
  const [queries, keys] = [model.num_attention_heads * headDim, model.num_key_value_heads * headDim];
  const which = naming === "safetensors" ? 0 : 1;
  const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  const plusOne = naming === "safetensors" && postNorms ? 1 : 0;
  const used = new Set<string>();

  const found = (name: string, shape: readonly number[]): StoredTensor => {
    const tensor = byName.get(name);
    if (tensor === undefined) throw new BadWeights(`${name} is missing`);
    const where = `${quoted(tensor.file.name)}: ${name}`;
    if (tensor.shape.join("x") !== shape.join("x"))
      throw new BadWeights(`${where} is ${tensor.shape.join("x")}, and the model's is ${shape.join("x")}`);
    if (!isStoredType(tensor.type) || storedBytes(tensor.type, shape.at(-1) ?? 0) === undefined)
      throw new BadWeights(
        `${where} is stored as ${quoted(tensor.type)}, which is not read here: ${Object.keys(storedTypes).join(", ")} are`,
      );
    used.add(name);
    return tensor;
  };
  const part = (name: string, shape: readonly number[], more: Partial<Part> = {}): Part => {
    const [rows, columns] = shape.length === 2 ? [shape[0] ?? 0, shape[1] ?? 0] : [1, shape[0] ?? 0];
    return { tensor: found(name, shape), firstRow: 0, rows, columns, interleaved: 0, added: 0, ...more };
  };

  const shapes: Readonly<Record<string, readonly (readonly number[])[]>> = {
    qkv_proj: [queries, keys, keys].map((rows) => [rows, hidden]),
    qkv_bias: [[queries], [keys], [keys]],
    qk_norms: [[headDim], [headDim]],
    o_proj: [[hidden, queries]],
    gate_up_proj: [
      [inner, hidden],
      [inner, hidden],
    ],
    down_proj: [[hidden, inner]],
  };
  const inLayer = Object.entries({ ...LAYER, ...norms(postNorms) }).filter(
    ([name]) => (name !== "qkv_bias" || qkvBias) && (name !== "qk_norms" || qkNorm),
  );
  const turned = naming === "gguf" && model.model_type === "llama";

  const parts = new Map<string, Part[]>();
  for (let layer = 0; layer < model.num_hidden_layers; layer++) {
    const prefix = naming === "safetensors" ? `model.layers.${layer}.` : `blk.${layer}.`;
    for (const [name, names] of inLayer) {
      parts.set(
        `layers.${layer}.${name}`,
        names.map((each, i) =>
          part(`${prefix}${each[which]}`, shapes[name]?.[i] ?? [hidden], {
            interleaved: turned && name === "qkv_proj" && i < 2 ? headDim : 0,
            added: /norms?$/.test(name) ? plusOne : 0,
          }),
        ),
      );
    }
  }
  const vocabulary = [model.vocab_size, hidden];
  const outer =
    naming === "safetensors"
      ? ["model.embed_tokens.weight", "model.norm.weight", "lm_head.weight"]
      : ["token_embd.weight", "output_norm.weight", "output.weight"];
  const [embedding = "", norm = "", head = ""] = outer;
  parts.set("embed_tokens", [part(embedding, vocabulary)]);
  parts.set("norm", [part(norm, [hidden], { added: plusOne })]);
  // A head that is written down although it is the embedding table is that table.
  if (model.tie_word_embeddings) used.add(head);
  else parts.set("lm_head", [part(head, vocabulary)]);

  const strange = tensors.find(({ name }) => !used.has(name) && !BESIDE.test(name));
  if (strange !== undefined)
    throw new BadWeights(
      `${quoted(strange.file.name)}: ${quoted(strange.name)} is no part of a ${model.model_type} of ${model.num_hidden_layers} layers`,
    );

  return {
    stored: [...parts.values()].flat().map(({ tensor }) => tensor),
    parts(name, rows) {
      const [, stem = name, piece] = /^(.+)\.(\d+)$/.exec(name) ?? [];
      const whole = parts.get(stem);
      if (whole === undefined) throw new BadWeights(`no weights are known for ${name}`);
      return piece === undefined ? whole : rowsOf(whole, Number(piece) * rows, rows);
    },
  };
}
