// Weights from files through a whole transformer in a real browser: logits against float64, and the sentences that a
// trained model knows.

import { describe, expect, test } from "vitest";
import { prepareForward } from "../../src/engine/forward";
import { planForward } from "../../src/engine/forward_plan";
import { uploadWeights } from "../../src/engine/forward_upload";
import { writeText } from "../../src/engine/text";
import { type DType, dtypes } from "../../src/kernels/elements";
import type { Matrix } from "../../src/kernels/kernel";
import { randomAt } from "../../src/kernels/random";
import { blobSource } from "../../src/weight_files/byte_source";
import { openCheckpoint, type WeightFiles } from "../../src/weight_files/checkpoint";
import { allFused, forward, type ModelConfig } from "../../src/workloads";
import configUrl from "../fixtures/tiny-llama/config.json?url";
import modelUrl from "../fixtures/tiny-llama/model.safetensors?url";
import tokenizerUrl from "../fixtures/tiny-llama/tokenizer.json?url";
import { sentences } from "../tiny_llama/sentences";
import { ggufOf, huggingFaceTensors, type PlainTensor, safetensorsOf } from "../weight_models";
import { stored } from "../weight_writers";
import { host, useDevice } from "./device";
import { referenceLogits, worstError } from "./forward_reference";
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

async function logitsFromFiles(files: WeightFiles, dtype: DType) {
  const checkpoint = await openCheckpoint(files);
  const { model } = checkpoint;
  const options = {
    dtype,
    batch: 1,
    tokens: prompt.length,
    capacity: 24,
    logits: "all",
    sampling: null,
    from: "prompt",
    fused: allFused,
    residentLayers: model.num_hidden_layers,
    largestBinding: 2 ** 27,
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
  return { logits, options };
}

/** A config.json as Hugging Face writes it; what it leaves out has to be known. */
const configOf = ({ _name_or_path: _, hidden_act, ...model }: ModelConfig) => ({
  ...model,
  ...(model.model_type === "gemma3_text" ? { hidden_activation: hidden_act } : { hidden_act }),
});

const TOLERANCE: Readonly<Record<DType, number>> = { f32: 1e-4, f16: 2e-2, q8_0: 2e-2, q4_0: 2e-2 };

describe.each(Object.entries(tinyModels) as [string, ModelConfig][])("%s", (_name, model) => {
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

describe("a model that knows three sentences", () => {
  const fixture = async (): Promise<WeightFiles> => {
    const [model, config, tokenizer] = await Promise.all(
      [modelUrl, configUrl, tokenizerUrl].map(async (url) => (await fetch(url)).blob()),
    );
    return filesOf({ "model.safetensors": model!, "config.json": config!, "tokenizer.json": tokenizer! });
  };

  test.for(dtypes.flatMap((dtype) => sentences.map((sentence) => [dtype, sentence] as const)))(
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
        { prompt: given, dtypes: [dtype], most: null, memory: 2 ** 30, measure: null },
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
