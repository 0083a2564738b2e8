// A model out of files: a folder of Hugging Face's, a safetensors file with its config beside it, or a GGUF file. All of
// it is read and checked before anything is allocated for it.

import { BLOCK, type DType, dtypes, quantsOf } from "../kernels/elements";
import { memory } from "../units";
import { linears, type ModelConfig, matrixBytes } from "../workloads";
import { BadWeights, type ByteSource, quoted, readJsonFile } from "./byte_source";
import { readGguf } from "./gguf";
import { modelOfGguf } from "./gguf_model";
import { tokenizerOfGguf } from "./gguf_tokenizer";
import { endTokens, modelOfConfig } from "./hf_config";
import { readSafetensors, readShards } from "./safetensors";
import { decodeStored } from "./stored_numbers";
import { jsonObject, type TokenizerFiles } from "./tokenizer";
import { mapWeights, type Naming, type WeightMap } from "./weight_map";

/** Files by name, without folders. */
export type WeightFiles = ReadonlyMap<string, ByteSource>;

export interface Checkpoint {
  readonly naming: Naming;
  readonly model: ModelConfig;
  readonly weights: WeightMap;
  /** The type in which most bytes of the weights are stored. */
  readonly storedAs: string;
  /** Where tokens end a text. */
  readonly ends: readonly number[];
  /** By what each rotation is divided beside what the model's config says. */
  readonly ropeDivisors: readonly number[] | undefined;
  /** What makes a tokenizer, or why there is none. */
  readonly tokenizer:
    | { readonly where: string; readonly files: TokenizerFiles }
    | { readonly missing: string };
}

/** Gemma's tokenizer.json has 33 MB. */
const MOST_TOKENIZER = 2 ** 27;
const MOST_CONFIG = 2 ** 20;

const config = async (files: WeightFiles, name: string): Promise<unknown> => {
  const file = files.get(name);
  return file === undefined ? undefined : readJsonFile(file, MOST_CONFIG);
};

async function tokenizerOf(files: WeightFiles): Promise<Checkpoint["tokenizer"] | undefined> {
  const file = files.get("tokenizer.json");
  if (file === undefined) return undefined;
  const beside = files.get("tokenizer_config.json");
  const tokenizer = jsonObject("tokenizer.json", await readJsonFile(file, MOST_TOKENIZER));
  const settings =
    beside === undefined
      ? {}
      : jsonObject("tokenizer_config.json", await readJsonFile(beside, MOST_TOKENIZER));
  return { where: "tokenizer.json", files: { tokenizer, config: settings } };
}

function mostStored(weights: WeightMap): string {
  const bytes = new Map<string, number>();
  for (const { type, bytes: size } of weights.stored) bytes.set(type, (bytes.get(type) ?? 0) + size);
  return [...bytes].sort(([, a], [, b]) => b - a)[0]?.[0] ?? "F32";
}

async function openGguf(file: ByteSource, files: WeightFiles): Promise<Checkpoint> {
  const gguf = await readGguf(file);
  const { model, ropeDivisors: divisors } = modelOfGguf(gguf);
  const weights = mapWeights(model, "gguf", gguf.tensors);
  const own = tokenizerOfGguf(gguf);
  return {
    naming: "gguf",
    model,
    weights,
    storedAs: mostStored(weights),
    ends: own.ends,
    ropeDivisors: divisors && [
      ...decodeStored("F32", await divisors.file.read(divisors.offset, divisors.bytes), divisors.bytes / 4),
    ],
    tokenizer: (await tokenizerOf(files)) ?? own.tokenizer,
  };
}

async function openSafetensors(files: WeightFiles, name: string | null): Promise<Checkpoint> {
  const shards = files.get("model.safetensors.index.json");
  const singles = [...files.values()].filter(({ name }) => name.endsWith(".safetensors"));
  const [single, ...more] = singles;
  if (shards === undefined && (single === undefined || more.length > 0))
    throw new BadWeights(
      single === undefined
        ? "there is no .safetensors and no .gguf file"
        : `${singles.length} .safetensors files and no model.safetensors.index.json: choose one of them`,
    );
  const settings = await config(files, "config.json");
  if (settings === undefined) throw new BadWeights("config.json is missing beside the weights");
  const model = modelOfConfig(
    "config.json",
    name ?? nameOf(settings) ?? (single ?? shards)?.name ?? "model",
    settings,
  );
  const tensors =
    shards !== undefined
      ? await readShards(shards, files)
      : single === undefined
        ? []
        : await readSafetensors(single);
  const weights = mapWeights(model, "safetensors", tensors);
  const generation = endTokens(await config(files, "generation_config.json"));
  return {
    naming: "safetensors",
    model,
    weights,
    storedAs: mostStored(weights),
    ends: generation.length > 0 ? generation : endTokens(settings),
    ropeDivisors: undefined,
    tokenizer: (await tokenizerOf(files)) ?? { missing: "tokenizer.json is missing beside the weights" },
  };
}

const nameOf = (settings: unknown): string | undefined => {
  if (typeof settings !== "object" || settings === null || !("_name_or_path" in settings)) return undefined;
  const { _name_or_path: name } = settings;
  return typeof name === "string" && name !== "" ? quoted(name) : undefined;
};

/**
 * Opens a model; `name` is what to call one whose files have no good name for it. Throws BadWeights, in one line, where
 * the files are not what they have to be.
 */
export async function openCheckpoint(files: WeightFiles, name: string | null = null): Promise<Checkpoint> {
  const ggufs = [...files.values()].filter(({ name }) => name.endsWith(".gguf"));
  const [gguf, ...more] = ggufs;
  if (gguf === undefined) return openSafetensors(files, name && quoted(name));
  if (more.length > 0) throw new BadWeights(`${ggufs.length} .gguf files: choose one of them`);
  return openGguf(gguf, files);
}

/** The type of a run that changes the stored numbers least; f16 may not be there. */
export const closestType = (storedAs: string, hasF16: boolean): DType => {
  if (storedAs === "Q8_0") return "q8_0";
  if (storedAs === "Q4_0") return "q4_0";
  return storedAs !== "F32" && hasF16 ? "f16" : "f32";
};

/** Why a model cannot be stored in a type, or undefined. */
export function whyNotStored(model: ModelConfig, dtype: DType): string | undefined {
  if (quantsOf[dtype] === undefined) return undefined;
  const odd = linears(model).find(({ K }) => K % BLOCK !== 0);
  return odd && `${dtype} has blocks of ${BLOCK} weights, and rows of ${odd.label} have ${odd.K}`;
}

/** Why a model's weights do not fit into so many bytes in a type, and what would; undefined where they do. */
export function whyNoRoom(model: ModelConfig, dtype: DType, bytes: number): string | undefined {
  const needed = matrixBytes(model, dtype);
  if (needed <= bytes) return undefined;
  const fits = dtypes
    .filter((each) => matrixBytes(model, each) <= bytes && whyNotStored(model, each) === undefined)
    .map((each) => `dtype=${each} (${memory(matrixBytes(model, each))})`);
  const most = `memory=${Math.ceil(needed / 2 ** 20)}MiB`;
  return `weights in ${dtype} take ${memory(needed)}, and memory is ${memory(bytes)}; ${[...fits, most].join(" or ")} would do`;
}
