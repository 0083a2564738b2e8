// GGUF's metadata as a model.

import type { ModelConfig } from "../workloads";
import { BadWeights, quoted } from "./byte_source";
import type { Gguf, GgufValue } from "./gguf";
import { checkedModel } from "./hf_config";
import type { StoredTensor } from "./stored_tensor";

/** What GGML calls an architecture, and what Hugging Face calls it. Mistral's files say llama. */
const architectures: Readonly<Record<string, ModelConfig["model_type"]>> = {
  llama: "llama",
  qwen2: "qwen2",
  qwen3: "qwen3",
  gemma3: "gemma3_text",
};

/** Numbers are stored in f32: so many digits of them are meant. */
const shortest = (value: number): number => Number(value.toPrecision(7));

/** Every sixth layer of Gemma is global, and local ones have a theta of their own; files need not say so. */
const GEMMA = { pattern: 6, localTheta: 10_000 };

export interface GgufModel {
  readonly model: ModelConfig;
  /** By what each of the model's rotations is divided, where the file says so: Llama 3.1's stretching. */
  readonly ropeDivisors: StoredTensor | undefined;
}

/** The model of a GGUF file. Throws BadWeights that names the key which is missing, wrong or not known. */
export function modelOfGguf({ file, metadata, tensors }: Gguf): GgufModel {
  const where = quoted(file.name);
  const given = metadata.get("general.architecture");
  const architecture = typeof given === "string" ? given : undefined;
  const type =
    architecture !== undefined && Object.hasOwn(architectures, architecture)
      ? architectures[architecture]
      : undefined;
  if (architecture === undefined || type === undefined) {
    const known = Object.keys(architectures).join(", ");
    const said = given === undefined ? "is missing" : `${quoted(JSON.stringify(given))} is not known`;
    throw new BadWeights(`${where}: general.architecture ${said}: ${known} are`);
  }
  const key = (name: string) => `${architecture}.${name}`;
  const value = (name: string): GgufValue | undefined => metadata.get(key(name));
  const number = (name: string): number | undefined => {
    const found = value(name);
    if (found === undefined || typeof found === "number") return found;
    // Some files list what is the same in every layer.
    if (found instanceof Float64Array && found.length > 0 && found.every((each) => each === found[0]))
      return found[0];
    throw new BadWeights(
      `${where}: ${key(name)} is not one number: layers of different shapes are not known`,
    );
  };
  const needed = (name: string): number => {
    const found = number(name);
    if (found === undefined) throw new BadWeights(`${where}: ${key(name)} is missing`);
    return found;
  };
  const tensor = (name: string) => tensors.find((each) => each.name === name);

  const splits = metadata.get("split.count");
  if (typeof splits === "number" && splits > 1)
    throw new BadWeights(
      `${where}: one of ${splits} files of a model: join them with llama-gguf-split --merge`,
    );
  const embedding = tensor("token_embd.weight");
  if (embedding === undefined) throw new BadWeights(`${where}: token_embd.weight is missing`);
  const scaling = value("rope.scaling.type") ?? "none";
  const factor = number("rope.scaling.factor") ?? 1;
  if (scaling !== "none" && !(scaling === "linear" && (factor === 1 || factor === 0)))
    throw new BadWeights(`${where}: ${key("rope.scaling.type")} ${quoted(String(scaling))} is not known`);
  const hidden = needed("embedding_length");
  const heads = needed("attention.head_count");
  const headDim = number("attention.key_length") ?? hidden / heads;
  if (!Number.isInteger(headDim))
    throw new BadWeights(
      `${where}: ${key("embedding_length")} ${hidden} is no multiple of ${key("attention.head_count")} ${heads}`,
    );
  for (const name of ["attention.value_length", "rope.dimension_count"]) {
    if ((number(name) ?? headDim) !== headDim)
      throw new BadWeights(
        `${where}: ${key(name)} is ${number(name)}, and heads have ${headDim}: that is not known`,
      );
  }
  const experts = number("expert_count") ?? 0;
  if (experts > 0)
    throw new BadWeights(`${where}: ${key("expert_count")} is ${experts}: experts are not known`);
  const gemma = type === "gemma3_text";
  const window = number("attention.sliding_window");
  const name = metadata.get("general.name");

  const model = checkedModel(where, {
    _name_or_path: typeof name === "string" ? quoted(name) : where,
    model_type: type,
    hidden_size: hidden,
    intermediate_size: needed("feed_forward_length"),
    num_hidden_layers: needed("block_count"),
    num_attention_heads: heads,
    num_key_value_heads: number("attention.head_count_kv") ?? heads,
    head_dim: headDim,
    vocab_size: embedding.shape[0],
    tie_word_embeddings: tensor("output.weight") === undefined,
    max_position_embeddings: needed("context_length"),
    hidden_act: gemma ? "gelu_pytorch_tanh" : "silu",
    rms_norm_eps: shortest(needed("attention.layer_norm_rms_epsilon")),
    rope_theta: shortest(number("rope.freq_base") ?? 10_000),
    ...(type === "llama" && window !== undefined && window > 0 && { sliding_window: window }),
    ...(gemma && {
      sliding_window: window,
      sliding_window_pattern: number("attention.sliding_window_pattern") ?? GEMMA.pattern,
      rope_local_base_freq: number("rope.freq_base_swa") ?? GEMMA.localTheta,
    }),
  });
  const ropeDivisors = tensor("rope_freqs.weight");
  if (
    ropeDivisors !== undefined &&
    (ropeDivisors.type !== "F32" || ropeDivisors.shape.join() !== String(headDim / 2))
  )
    throw new BadWeights(`${where}: rope_freqs.weight is not ${headDim / 2} numbers of F32`);
  return { model, ropeDivisors };
}
