// Whole models out of files: what is found, what is refused before anything is allocated, and their tokenizers.

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  type Checkpoint,
  closestType,
  openCheckpoint,
  whyNoRoom,
  whyNotStored,
} from "../../src/weight_files/checkpoint";
import { openTokenizer } from "../../src/weight_files/tokenizer";
import { matrixBytes, modelConfig, parameters } from "../../src/workloads";
import { fixtureModel, fixtureTensors, ggufOfFixture } from "../tiny_llama/fixture";
import { sentences } from "../tiny_llama/sentences";
import { ggufOf, safetensorsOf } from "../weight_models";
import { watched } from "./weight_bytes";

const folder = new URL("../fixtures/tiny-llama/", import.meta.url);
const fixture = (name: string) => Uint8Array.from(readFileSync(new URL(name, folder)));
const text = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

const files = {
  "model.safetensors": fixture("model.safetensors"),
  "config.json": fixture("config.json"),
  "tokenizer.json": fixture("tokenizer.json"),
};
const opened = (parts: Readonly<Record<string, Uint8Array>>) =>
  openCheckpoint(new Map(Object.entries(parts).map(([name, bytes]) => [name, watched(bytes, name)])));

const model = fixtureModel(JSON.parse(new TextDecoder().decode(files["config.json"])));
const tensors = fixtureTensors(files["model.safetensors"]);
const without = (name: string) => tensors.filter((each) => each.name !== name);
const with_ = (name: string, changes: object) =>
  tensors.map((each) => (each.name === name ? { ...each, ...changes } : each));

async function tokenizerOf({ tokenizer }: Checkpoint) {
  if ("missing" in tokenizer) throw new Error(tokenizer.missing);
  return openTokenizer(tokenizer.where, tokenizer.files);
}

test("a folder of Hugging Face's: config, weights and tokenizer", async () => {
  const checkpoint = await opened(files);
  expect(checkpoint).toMatchObject({ naming: "safetensors", storedAs: "BF16", ends: [1], model });
  expect(checkpoint.weights.stored).toHaveLength(tensors.length);
  const { encode, decode } = await tokenizerOf(checkpoint);
  for (const sentence of sentences) {
    const [begin, ...rest] = encode(sentence);
    expect(begin).toBe(0);
    expect(decode(rest)).toBe(sentence);
  }
});

test.each(["F32", "F16", "Q8_0", "Q4_0"])(
  "a GGUF file of %s: the same model and the same tokenizer",
  async (type) => {
    const checkpoint = await opened({ "tiny.gguf": ggufOfFixture(files, type) });
    expect(checkpoint).toMatchObject({ naming: "gguf", storedAs: type, ends: [1] });
    expect({ ...checkpoint.model, _name_or_path: "" }).toEqual({ ...model, _name_or_path: "" });
    const [own, theirs] = [await tokenizerOf(checkpoint), await tokenizerOf(await opened(files))];
    for (const sentence of [...sentences, "naïve 😀\n  ½ 12345", ""])
      expect(own.encode(sentence)).toEqual(theirs.encode(sentence));
  },
);

test("what a library says of a tokenizer.json is shown without its control characters", async () => {
  const tokenizer = { ...JSON.parse(new TextDecoder().decode(files["tokenizer.json"])) };
  tokenizer.pre_tokenizer = { type: "\u001b[2J" };
  const checkpoint = await opened({ ...files, "tokenizer.json": text(tokenizer) });
  await expect(tokenizerOf(checkpoint)).rejects.toThrow(
    "tokenizer.json: makes no tokenizer: Unknown PreTokenizer type: \ufffd[2J",
  );
});

test("a tokenizer.json beside a GGUF file is taken before its own", async () => {
  const { tokenizer } = await opened({
    "tiny.gguf": ggufOfFixture(files, "F16"),
    "tokenizer.json": files["tokenizer.json"],
  });
  expect(tokenizer).toMatchObject({ where: "tokenizer.json" });
});

describe("without a tokenizer a model opens all the same, and says why", () => {
  test.each([
    [
      { "tokenizer.ggml.pre": { text: "unheard-of" } },
      "tiny.gguf: tokenizer.ggml.pre unheard-of is not known",
    ],
    [{ "tokenizer.ggml.model": { text: "bert" } }, "tiny.gguf: tokenizer.ggml.model bert is not known"],
    [{ "tokenizer.ggml.tokens": { u32: 1 } }, "tiny.gguf: tokenizer.ggml.tokens is missing"],
    [
      { "tokenizer.ggml.tokens": { texts: ["a", "b".repeat(1025)] } },
      "tiny.gguf: tokenizer.ggml.tokens has a token of more than 1024 letters",
    ],
    [{ "tokenizer.ggml.merges": { u32: 1 } }, "tiny.gguf: tokenizer.ggml.merges is missing"],
  ] as const)("%j", async (changes, says) => {
    const { tokenizer } = await opened({ "tiny.gguf": ggufOfFixture(files, "F16", changes) });
    expect("missing" in tokenizer ? tokenizer.missing : "").toContain(says);
  });

  test("in a folder", async () => {
    const { "tokenizer.json": _, ...rest } = files;
    expect((await opened(rest)).tokenizer).toEqual({
      missing: "tokenizer.json is missing beside the weights",
    });
  });
});

test("SentencePiece's tokens in a GGUF file: best first, bytes for what there is no token for", async () => {
  const bytes = Array.from(
    { length: 256 },
    (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`,
  );
  const pieces = ["▁", "a", "b", "ab", "▁a", "▁ab", "ba"];
  const tokens = ["<unk>", "<s>", "</s>", ...bytes, ...pieces];
  const scores = tokens.map((_, id) => (id < 259 ? 0 : 259 - id));
  // The longest is worth most.
  scores[tokens.indexOf("▁ab")] = 5;
  scores[tokens.indexOf("ab")] = 4;
  const checkpoint = await opened({
    "tiny.gguf": ggufOfFixture(files, "F16", {
      "tokenizer.ggml.model": { text: "llama" },
      "tokenizer.ggml.tokens": { texts: tokens },
      "tokenizer.ggml.scores": { f32s: scores },
      "tokenizer.ggml.token_type": {
        i32s: tokens.map((_, id) => (id === 0 ? 2 : id < 3 ? 3 : id < 259 ? 6 : 1)),
      },
      "tokenizer.ggml.bos_token_id": { u32: 1 },
      "tokenizer.ggml.eos_token_id": { u32: 2 },
      "tokenizer.ggml.unknown_token_id": { u32: 0 },
    }),
  });
  expect(checkpoint.ends).toEqual([2]);
  const { encode, decode } = await tokenizerOf(checkpoint);
  const named = (of: string) => encode(of).map((id) => tokens[id]);
  expect(named("ab")).toEqual(["<s>", "▁ab"]);
  expect(named("a bab")).toEqual(["<s>", "▁a", "▁", "b", "ab"]);
  expect(named("é")).toEqual(["<s>", "▁", "<0xC3>", "<0xA9>"]);
  for (const each of ["ab", "a bab", "é b", "  a"]) expect(decode(encode(each))).toBe(each);
});

describe("refused before anything is allocated", () => {
  const safetensors = (list: typeof tensors) => ({ ...files, "model.safetensors": safetensorsOf(list) });
  const q = "model.layers.1.self_attn.q_proj.weight";
  const extra = { name: "model.layers.2.mlp.up_proj.weight", shape: [1], numbers: new Float64Array(1) };
  test.each([
    ["no weights", { "config.json": files["config.json"] }, "there is no .safetensors and no .gguf file"],
    [
      "two files",
      { ...files, "other.safetensors": files["model.safetensors"] },
      "2 .safetensors files and no model.safetensors.index.json",
    ],
    [
      "two GGUF files",
      { "a.gguf": files["config.json"], "b.gguf": files["config.json"] },
      "2 .gguf files: choose one of them",
    ],
    [
      "no config",
      { "model.safetensors": files["model.safetensors"] },
      "config.json is missing beside the weights",
    ],
    ["a config that is no JSON", { ...files, "config.json": text("x").subarray(1) }, "config.json: not JSON"],
    [
      "a config that is too long",
      { ...files, "config.json": new Uint8Array(2 ** 21) },
      "config.json: 2097152 bytes",
    ],
    [
      "a tokenizer that is a list",
      { ...files, "tokenizer.json": text([]) },
      "tokenizer.json: no JSON object",
    ],
    ["a tensor that is missing", safetensors(without(q)), `${q} is missing`],
    [
      "a tensor of another shape",
      safetensors(with_(q, { shape: [128, 32] })),
      `${q} is 128x32, and the model's is 64x64`,
    ],
    [
      "a tensor that nobody knows",
      safetensors([...tensors, extra]),
      `${extra.name} is no part of a llama of 2 layers`,
    ],
    [
      "GGUF without an architecture",
      { "x.gguf": ggufOfFixture(files, "F16", { "general.architecture": { u32: 1 } }) },
      'x.gguf: general.architecture "1"'.replace('"1"', "1 is not known"),
    ],
    [
      "GGUF of another one",
      { "x.gguf": ggufOfFixture(files, "F16", { "general.architecture": { text: "mamba" } }) },
      'x.gguf: general.architecture "mamba" is not known: llama, qwen2, qwen3, gemma3 are',
    ],
    [
      "GGUF with experts",
      { "x.gguf": ggufOfFixture(files, "F16", { "llama.expert_count": { u32: 8 } }) },
      "llama.expert_count is 8: experts are not known",
    ],
    [
      "GGUF stretched by yarn",
      { "x.gguf": ggufOfFixture(files, "F16", { "llama.rope.scaling.type": { text: "yarn" } }) },
      "llama.rope.scaling.type yarn is not known",
    ],
    [
      "GGUF in several files",
      { "x.gguf": ggufOfFixture(files, "F16", { "split.count": { u32: 3 } }) },
      "x.gguf: one of 3 files of a model",
    ],
    [
      "GGUF whose heads do not divide",
      { "x.gguf": ggufOfFixture(files, "F16", { "llama.attention.head_count_kv": { u32: 3 } }) },
      "x.gguf: num_attention_heads must be a multiple of num_key_value_heads",
    ],
    [
      "GGUF whose layers differ",
      { "x.gguf": ggufOfFixture(files, "F16", { "llama.feed_forward_length": { i32s: [128, 64] } }) },
      "llama.feed_forward_length is not one number",
    ],
    [
      "GGUF that rotates a part",
      { "x.gguf": ggufOfFixture(files, "F16", { "llama.rope.dimension_count": { u32: 8 } }) },
      "llama.rope.dimension_count is 8, and heads have 16",
    ],
  ])("%s", async (_what, parts: Readonly<Record<string, Uint8Array>>, says) => {
    await expect(opened(parts)).rejects.toThrow(says);
  });

  test("weights of another architecture's file", async () => {
    const bytes = ggufOf({ ...model, num_hidden_layers: 1 }, tensors, "F16");
    await expect(opened({ "x.gguf": bytes })).rejects.toThrow(
      "blk.1.attn_norm.weight is no part of a llama of 1 layers",
    );
  });
});

describe("types", () => {
  test.each([
    ["F32", true, "f32"],
    ["BF16", true, "f16"],
    ["BF16", false, "f32"],
    ["F16", true, "f16"],
    ["Q8_0", false, "q8_0"],
    ["Q4_0", true, "q4_0"],
  ] as const)("%s, f16 %s: %s", (storedAs, f16, dtype) => {
    expect(closestType(storedAs, f16)).toBe(dtype);
  });

  test("a model over the budget: what would fit", () => {
    const llama = modelConfig("llama-3.2-1b");
    expect(matrixBytes(llama, "f16")).toBe(2 * parameters(llama));
    expect(whyNoRoom(llama, "q4_0", 2 ** 30)).toBeUndefined();
    expect(whyNoRoom(llama, "f16", 2 ** 30)).toBe(
      "weights in f16 take 2.30 GiB, and memory is 1.00 GiB; dtype=q4_0 (663 MiB) or memory=2357MiB would do",
    );
    expect(whyNoRoom(llama, "f32", 2 ** 20)).toMatch(/; memory=\d+MiB would do$/);
  });

  test("rows that are no whole blocks", () => {
    expect(whyNotStored({ ...model, intermediate_size: 100 }, "q8_0")).toBe(
      "q8_0 has blocks of 32 weights, and rows of down_proj have 100",
    );
    expect(whyNotStored({ ...model, intermediate_size: 100 }, "f16")).toBeUndefined();
    expect(whyNotStored(model, "q4_0")).toBeUndefined();
  });
});
