// What fits, before anything is run: bytes by hand, limits of the device, and what would fit instead.

import { describe, expect, test } from "vitest";
import { type FitQuestion, isWhole, memoryFor, modelFit, whatWouldFit } from "../../src/analysis/model_fit";
import { dtypes } from "../../src/kernels/elements";
import { fitSentence, fitTable } from "../../src/report/model_fit_report";
import { layersWithin, modelConfig, modelIds, parameters } from "../../src/workloads";

const GIB = 2 ** 30;

const question = (changes: Partial<FitQuestion> = {}): FitQuestion => ({
  dtype: "f32",
  prompt: 512,
  generate: 127,
  depth: 0,
  batch: 1,
  memory: 8 * GIB,
  ...changes,
});

const device = (binding: number, ...features: string[]) => ({
  features,
  limits: { maxStorageBufferBindingSize: binding, maxBufferSize: binding },
});

describe("bytes", () => {
  test("of weights are those of all matrices, and a little for norms", () => {
    for (const dtype of ["f32", "f16"] as const) {
      const { weights } = modelFit("llama-3.2-1b", question({ dtype }));
      const matrices = parameters(modelConfig("llama-3.2-1b")) * (dtype === "f32" ? 4 : 2);
      expect(weights).toBeGreaterThan(matrices);
      expect(weights).toBeLessThan(1.001 * matrices);
    }
  });

  test("of the KV cache are two numbers per key, head and layer, of every sequence at its longest", () => {
    // 16 layers, 8 heads of 64; 640 tokens with the one that is sampled last.
    const bytes = (dtype: "f32" | "q4_0", batch: number, depth: number) =>
      modelFit("llama-3.2-1b", question({ dtype, batch, depth })).cache;
    expect(bytes("f32", 1, 0)).toBe(640 * 16 * 2 * 8 * 64 * 4);
    expect(bytes("f32", 4, 4096)).toBe(4 * (4096 + 640) * 16 * 2 * 8 * 64 * 4);
    // Quantised models keep it in f16.
    expect(bytes("q4_0", 1, 0)).toBe(640 * 16 * 2 * 8 * 64 * 2);
  });

  test("that are allocated are fewer where layers take turns", () => {
    const [whole, turns] = [
      modelFit("llama-3.1-8b", question({ memory: 64 * GIB })),
      modelFit("llama-3.1-8b", question()),
    ];
    expect(whole.allocated).toBeGreaterThan(whole.weights);
    expect(turns.weights).toBe(whole.weights);
    expect(turns.allocated).toBeLessThan(0.4 * whole.allocated);
    expect([isWhole(whole), isWhole(turns)]).toEqual([true, false]);
    expect(turns.residentLayers).toBe(layersWithin(modelConfig("llama-3.1-8b"), "f32", 8 * GIB));
  });
});

describe("a model cannot be run", () => {
  test("beyond its context", () => {
    const { problem } = modelFit("smollm2-135m", question({ depth: 8000 }));
    expect(problem).toBe("smollm2-135m reads 8192 tokens at most, and depth, prompt and answer are 8640");
  });

  test("where a tensor outgrows a binding, and it is said which", () => {
    // Keys of 64 sequences of 131,712 - 640 tokens: 8 heads of 64 in f32.
    const deep = question({ depth: 100_000, batch: 64, memory: 64 * GIB });
    expect(modelFit("llama-3.2-1b", deep, device(4 * GIB)).problem).toMatch(
      /^layers\.0\.k has \d+ MiB, and a binding of this device holds 4096 MiB$/,
    );
    expect(
      modelFit("llama-3.2-1b", { ...deep, depth: 0, batch: 1 }, device(4 * GIB)).problem,
    ).toBeUndefined();
    // Vocabularies and layers' matrices come in pieces instead.
    expect(
      modelFit("llama-3.2-1b", { ...deep, depth: 0, batch: 1 }, device(2 ** 25)).problem,
    ).toBeUndefined();
    expect(modelFit("llama-3.2-1b", question(), device(2 ** 28)).problem).toBeUndefined();
  });

  test("where weights may take less than one layer", () => {
    const small = question({ dtype: "q4_0", memory: 2 ** 28 });
    expect(modelFit("qwen3-30b-a3b", small, device(GIB)).problem).toMatch(
      /^one layer takes 335 MiB in q4_0, and weights may take 256: memory=669MiB would do$/,
    );
    expect(modelFit("qwen3-30b-a3b", { ...small, memory: GIB }, device(GIB)).problem).toBeUndefined();
  });

  test("in f16 where the device has none; quantised it can", () => {
    expect(modelFit("llama-3.2-1b", question({ dtype: "f16" }), device(GIB)).problem).toBe(
      "this device has no shader-f16",
    );
    expect(
      modelFit("llama-3.2-1b", question({ dtype: "f16" }), device(GIB, "shader-f16")).problem,
    ).toBeUndefined();
    expect(modelFit("llama-3.2-1b", question({ dtype: "q4_0" }), device(GIB)).problem).toBeUndefined();
  });
});

describe("what would fit instead", () => {
  test("is memory in which all layers lie, for every model and type", () => {
    for (const id of modelIds)
      for (const dtype of dtypes) {
        const memory = memoryFor(id, dtype);
        const { num_hidden_layers: layers } = modelConfig(id);
        expect(layersWithin(modelConfig(id), dtype, memory), `${id} ${dtype}`).toBe(layers);
        const unit = memory > GIB ? GIB : 2 ** 24;
        expect(layersWithin(modelConfig(id), dtype, memory - unit), `${id} ${dtype}`).toBeLessThan(layers);
      }
  });

  test("is another type, or the largest of the models that do", () => {
    const fit = modelFit("llama-3.1-8b", question());
    const instead = whatWouldFit(fit);
    expect(instead).toMatchObject({ memory: 30 * GIB, dtypes: ["q8_0", "q4_0"] });
    for (const { model, dtype } of instead.models)
      expect(isWhole(modelFit(model, question({ dtype })))).toBe(true);
    expect(instead.models).not.toContainEqual(expect.objectContaining({ model: "llama-3.1-8b" }));
    expect(fitSentence(fit)).toMatch(
      /^llama-3\.1-8b f32: 29\.9 GiB of weights, 160 MiB of KV cache for 1 × 640 tokens; memory=8GiB holds 5 of 32 layers, which take turns\. Would fit: it with memory=30GiB; it as dtype=q8_0 or q4_0; .+ f32\.$/,
    );
  });

  test("is said of what cannot be run at all, and nothing where it fits", () => {
    expect(fitSentence(modelFit("smollm2-135m", question({ depth: 8000 })))).toMatch(
      /^smollm2-135m f32 cannot be run whole: smollm2-135m reads 8192 tokens at most.* Would fit: llama/,
    );
    expect(fitSentence(modelFit("smollm2-135m", question()))).toMatch(/; fits memory=8GiB\.$/);
  });
});

test("the table has every model in every type, with what it takes", () => {
  const { rows, ids } = fitTable(modelIds, dtypes, question(), device(GIB));
  expect(rows).toHaveLength(modelIds.length * dtypes.length);
  expect(ids[0]).toBe("smollm2-135m f32");
  const of = (id: string) => rows[ids.indexOf(id)]?.map(({ text }) => text);
  expect(of("smollm2-135m f32")?.slice(4)).toEqual(["fits", "not known"]);
  expect(of("smollm2-135m f16")?.slice(4)).toEqual(["no: this device has no shader-f16", ""]);
  expect(of("llama-3.1-70b f32")?.[4]).toMatch(/^\d+ of 80 layers in memory, taking turns$|^no: /);
});
