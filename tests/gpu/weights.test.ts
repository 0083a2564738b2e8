// Weights from files through a whole transformer in a real browser: logits against float64, and the sentences that a
// trained model knows.

import { describe, expect, test } from "vitest";
import { prepareForward } from "../../src/engine/forward";
import { planForward } from "../../src/engine/forward_plan";
import { uploadWeights } from "../../src/engine/forward_upload";
import { writeText } from "../../src/engine/text";
import { writeTokens } from "../../src/engine/write_text";
import { cacheOf, type DType, dtypes } from "../../src/kernels/elements";
import type { Matrix } from "../../src/kernels/kernel";
import { randomAt } from "../../src/kernels/random";
import { parseResult } from "../../src/result";
import type { TextOrder } from "../../src/text_result";
import { blobSource } from "../../src/weight_files/byte_source";
import { openCheckpoint, type WeightFiles } from "../../src/weight_files/checkpoint";
import { allFused, forward, type ModelConfig } from "../../src/workloads";
import configUrl from "../fixtures/tiny-llama/config.json?url";
import modelUrl from "../fixtures/tiny-llama/model.safetensors?url";
import tokenizerUrl from "../fixtures/tiny-llama/tokenizer.json?url";
import { type FixtureFiles, ggufOfFixture } from "../tiny_llama/fixture";
import { sentences } from "../tiny_llama/sentences";
import { ggufOf, huggingFaceTensors, type PlainTensor, safetensorsOf } from "../weight_models";
import { stored } from "../weight_writers";
import { host, useDevice } from "./device";
import { argmaxOf, referenceLogits, worstError } from "./forward_reference";
import { tinyModels } from "./tiny_models";
import { notRun } from "./whole_models";

const gpu = useDevice();

const filesOf = (parts: Readonly<Record<string, BlobPart | object>>): WeightFiles =>
  new Map(
    Object.entries(parts).map(([name, content]) => {
      const binary = content instanceof Blob || ArrayBuffer.isView(content);
      return [name, blobSource(name, new Blob([binary ? content : JSON.stringify(content)] as BlobPart[]))];
    }),
  );

/** Weights of a size at which logits tell architectures apart; those that nothing is stored of are refused. */
function randomWeights(model: ModelConfig): (name: string) => Matrix {
  const columns: Readonly<Record<string, number>> = {
    down_proj: model.intermediate_size,
    o_proj: model.num_attention_heads * model.head_dim,
  };
  return (name) => {
    const stem = name.split(".").at(-1) ?? "";
    const width = columns[stem] ?? model.hidden_size;
    let seed = 0;
    for (const letter of name) seed = (Math.imul(seed, 31) + letter.charCodeAt(0)) | 0;
    if (/norms?$/.test(stem)) return (row, column) => 1 + randomAt(seed, row * width + column);
    if (stem === "qkv_bias") return (_row, column) => randomAt(seed, column);
    const size = name.startsWith("embed") ? 1 : 4 / Math.sqrt(width);
    return (row, column) => size * randomAt(seed, row * width + column);
  };
}

/** Of which tensors of a layer a matrix of the pass consists. */
const PARTS: Readonly<Record<string, readonly string[]>> = {
  qkv_proj: ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
  o_proj: ["self_attn.o_proj"],
  gate_up_proj: ["mlp.gate_proj", "mlp.up_proj"],
  down_proj: ["mlp.down_proj"],
};

/** What weights have become by being stored. GGUF keeps vectors in F32. */
function afterStoring(
  model: ModelConfig,
  tensors: readonly PlainTensor[],
  { type, format }: { type: string; format: "safetensors" | "gguf" },
  weight: (name: string) => Matrix,
): (name: string) => Matrix {
  const matrix = (names: readonly string[]): Matrix => {
    const parts = names.flatMap((name) => tensors.filter((each) => each.name === `${name}.weight`));
    const columns = parts[0]?.shape[1] ?? 1;
    const numbers = Float64Array.from(parts.flatMap((each) => [...stored(type, each.numbers).numbers]));
    return (row, column) => numbers[row * columns + column] ?? Number.NaN;
  };
  const vector = (name: string): Matrix => {
    const less = model.model_type === "gemma3_text" ? 1 : 0;
    return (row, column) =>
      (stored(format === "gguf" ? "F32" : type, [weight(name)(row, column) - less]).numbers[0] ?? 0) + less;
  };
  const make = (name: string): Matrix => {
    const [, layer, stem = ""] = /^layers\.(\d+)\.(\w+)$/.exec(name) ?? [];
    if (layer === undefined)
      return name === "norm"
        ? vector(name)
        : matrix([name.startsWith("embed") ? "model.embed_tokens" : "lm_head"]);
    const parts = PARTS[stem];
    return parts === undefined ? vector(name) : matrix(parts.map((part) => `model.layers.${layer}.${part}`));
  };
  const known = new Map<string, Matrix>();
  return (name) => {
    const found = known.get(name) ?? make(name);
    known.set(name, found);
    return found;
  };
}

const prompt = [5, 91, 17, 200, 33, 250, 8, 8, 121, 64, 2];

async function logitsFromFiles(files: WeightFiles, dtype: DType, largestBinding = 2 ** 27) {
  const checkpoint = await openCheckpoint(files);
  const { model } = checkpoint;
  const options = {
    dtype,
    cache: cacheOf[dtype],
    batch: 1,
    tokens: prompt.length,
    capacity: 24,
    logits: "all",
    sampling: null,
    from: "prompt",
    fused: allFused,
    residentLayers: model.num_hidden_layers,
    largestBinding,
  } as const;
  const plan = planForward(gpu(), [forward(model, options)], { steps: 0 });
  const ready = await prepareForward(
    gpu(),
    plan,
    uploadWeights(checkpoint, dtype, () => {}),
  );
  ready.writePrompt(prompt);
  const encoder = gpu().device.createCommandEncoder();
  ready.passes[0]!.encode(encoder, 0);
  gpu().device.queue.submit([encoder.finish()]);
  const logits = await ready.readLogits(prompt.length);
  ready.destroy();
  return { logits, options, tensors: plan.buffers.map(({ name }) => name) };
}

/** A config.json as Hugging Face writes it; what it leaves out has to be known. */
const configOf = ({ _name_or_path: _, hidden_act, ...model }: ModelConfig) => ({
  ...model,
  ...(model.model_type === "gemma3_text" ? { hidden_activation: hidden_act } : { hidden_act }),
});

const TOLERANCE: Readonly<Record<DType, number>> = { f32: 1e-4, f16: 2e-2, q8_0: 2e-2, q4_0: 2e-2 };

/** Mixtures of experts are not read from files yet. */
const readable = (Object.entries(tinyModels) as [string, ModelConfig][]).filter(
  ([, { model_type: type }]) => type !== "qwen3_moe" && type !== "gpt_oss",
);

describe.each(readable)("%s", (_name, model) => {
  const weight = randomWeights(model);
  const tensors = huggingFaceTensors(model, weight);

  test.each([
    ["safetensors of F32 in f32", "f32", "F32", "safetensors"],
    ["safetensors of BF16 in f32", "f32", "BF16", "safetensors"],
    ["GGUF of F16 in f32", "f32", "F16", "gguf"],
    ["GGUF of F16 in f16", "f16", "F16", "gguf"],
    ["GGUF of Q8_0 in q8_0", "q8_0", "Q8_0", "gguf"],
    ["GGUF of Q4_0 in q4_0", "q4_0", "Q4_0", "gguf"],
  ] as const)("%s: logits agree with float64", async (what, dtype, type, format) => {
    if (notRun(gpu(), dtype) !== undefined) return;
    const files: WeightFiles =
      format === "gguf"
        ? filesOf({ "tiny.gguf": ggufOf(model, tensors, type) })
        : filesOf({ "model.safetensors": safetensorsOf(tensors, type), "config.json": configOf(model) });
    const { logits, options } = await logitsFromFiles(files, dtype);
    const expected = referenceLogits(
      model,
      afterStoring(model, tensors, { type, format }, weight),
      prompt,
      options,
    );
    const error = worstError(logits, expected);
    console.log(`${what}: ${error.toExponential(1)} from float64`);
    expect(error).toBeLessThan(TOLERANCE[dtype]);
  });
});

test("matrices that no binding holds come in pieces of the same numbers", async () => {
  const model = tinyModels.llama;
  const tensors = huggingFaceTensors(model, randomWeights(model));
  const files = filesOf({
    "model.safetensors": safetensorsOf(tensors, "F32"),
    "config.json": configOf(model),
  });
  const whole = await logitsFromFiles(files, "f32");
  const inPieces = await logitsFromFiles(files, "f32", 2 ** 14);
  expect(inPieces.tensors).toContain("layers.1.gate_up_proj.1");
  expect(worstError(inPieces.logits, whole.logits)).toBeLessThan(TOLERANCE.f32);
});

test("a prompt of several chunks is followed by what float64 finds most likely", async () => {
  const model = tinyModels.qwen3;
  const weight = randomWeights(model);
  const tensors = huggingFaceTensors(model, weight);
  const checkpoint = await openCheckpoint(
    filesOf({ "model.safetensors": safetensorsOf(tensors), "config.json": configOf(model) }),
  );
  // Software adapters read 64 at once.
  const long = Array.from({ length: 150 }, (_, i) => (i * i * 31 + i * 17 + 3) % model.vocab_size);
  const heard: number[] = [];
  const found = await writeTokens(
    gpu(),
    {
      model,
      dtype: "f32",
      prompt: long,
      most: 4,
      ends: [],
      fill: uploadWeights(checkpoint, "f32", () => {}),
    },
    { onToken: (tokens) => heard.push(tokens.length) },
  );
  const options = {
    dtype: "f32",
    cache: "f32",
    largestBinding: 2 ** 27,
    residentLayers: model.num_hidden_layers,
  } as const;
  const logits = referenceLogits(model, weight, [...long, ...found.tokens], options);
  expect(found.tokens).toEqual(logits.slice(long.length - 1, -1).map(argmaxOf));
  expect(heard).toEqual([1, 2, 3, 4]);
  expect(found).toMatchObject({ ended: false });
  expect(found.steps).toHaveLength(3);
});

describe("a model that knows three sentences", () => {
  const fixture = async (): Promise<WeightFiles> => {
    const [model, config, tokenizer] = await Promise.all(
      [modelUrl, configUrl, tokenizerUrl].map(async (url) => (await fetch(url)).blob()),
    );
    return filesOf({ "model.safetensors": model!, "config.json": config!, "tokenizer.json": tokenizer! });
  };

  test.each([
    ["F16", "f32"],
    ["Q8_0", "q8_0"],
    ["Q4_0", "q4_0"],
  ] as const)("from a GGUF file of %s in %s, with the tokenizer inside", async (type, dtype) => {
    if (notRun(gpu(), dtype) !== undefined) return;
    const bytes = Object.fromEntries(
      await Promise.all(
        [...(await fixture())].map(async ([name, file]) => [name, await file.read(0, file.size)] as const),
      ),
    ) as unknown as FixtureFiles;
    const outcome = await writeText(
      host,
      filesOf({ "tiny.gguf": ggufOfFixture(bytes, type) }),
      { name: null, prompt: "Where memory", dtypes: [], most: null, memory: 2 ** 30, measure: null },
      () => {},
    );
    if (!outcome.ok) throw new Error(outcome.problem);
    const { prompt: given, texts } = outcome.result;
    expect(given + texts[0]?.text).toBe(sentences[1]);
    // As stored, where the device has it.
    expect(texts[0]?.dtype).toBe(type === "F16" && gpu().has("shader-f16") ? "f16" : dtype);
  });

  test("measured whole by a plan, it is a model of a result like any other", async () => {
    const order: TextOrder = {
      name: "knows three sentences",
      prompt: "No number",
      dtypes: ["f32"],
      most: null,
      memory: 2 ** 30,
      measure: {
        preset: "smoke",
        pp: [16],
        tg: [4],
        depth: [8],
        batch: [2],
        kv: ["auto"],
        fused: [true],
        sustain: 0,
      },
    };
    const outcome = await writeText(host, await fixture(), order, () => {});
    if (!outcome.ok) throw new Error(outcome.problem);
    const { texts, measured } = outcome.result;
    expect(order.prompt + texts[0]?.text).toBe(sentences[2]);
    const parsed = parseResult(JSON.parse(JSON.stringify(measured)));
    if (!parsed.ok) throw new Error(parsed.problem);
    expect(parsed.result.completion).toEqual({ status: "complete" });
    expect(parsed.result.forwards).toMatchObject([
      {
        status: "measured",
        model: order.name,
        dtype: "f32",
        prompt: 16,
        generate: 4,
        depth: 8,
        batch: 2,
        residentLayers: 2,
        ofLayers: 2,
      },
    ]);
  });

  test("that has to be longer than the model's context is refused, and one that does not fit into memory", async () => {
    const order = {
      name: null,
      prompt: "A prompt",
      dtypes: ["f32"],
      most: 120,
      memory: 2 ** 30,
      measure: null,
    } as const;
    const long = await writeText(host, await fixture(), order, () => {});
    expect(long).toMatchObject({ ok: false, fault: "input" });
    expect(!long.ok && long.problem).toContain(
      "129, and the model's context (max_position_embeddings) is 128",
    );
    const large = await writeText(host, await fixture(), { ...order, most: 8, memory: 2 ** 18 }, () => {});
    expect(!large.ok && large.problem).toMatch(/^weights in f32 take .* or dtype=q8_0 .* would do$/);
  });

  test.for(dtypes.map((dtype, i) => [dtype, sentences[i % sentences.length] ?? ""] as const))(
    "in %s writes: %s",
    async ([dtype, sentence], { skip }) => {
      const reason = notRun(gpu(), dtype);
      if (reason !== undefined) return skip(reason);
      const [first = "", second = ""] = sentence.split(" ");
      const given = `${first} ${second}`;
      const texts: string[] = [];
      const outcome = await writeText(
        host,
        await fixture(),
        { name: null, prompt: given, dtypes: [dtype], most: null, memory: 2 ** 30, measure: null },
        ({ text }) => texts.push(text),
      );
      if (!outcome.ok) throw new Error(outcome.problem);
      const [written] = outcome.result.texts;
      expect(given + written?.text).toBe(sentence);
      expect(written?.ended).toBe(true);
      expect(written?.secondsPerToken).toHaveLength(written?.tokens.length ?? 0);
      // It came letter by letter, each longer than the one before.
      expect(texts.at(-1)).toBe(written?.text);
      expect(texts.every((text) => written?.text?.startsWith(text))).toBe(true);
    },
  );
});
