// Prefill and decode of a whole model, timed: what is reported is plain data, and adds up.

import { describe, expect, test, vi } from "vitest";
import { prepareForward } from "../../src/engine/forward";
import { promptTokens } from "../../src/engine/forward_driver";
import type { ForwardMemory, ForwardRun } from "../../src/engine/forward_measurement";
import { planForward } from "../../src/engine/forward_plan";
import { forwardPasses, runForward } from "../../src/engine/forward_run";
import { tuneForward } from "../../src/engine/forward_tune";
import { createTimer } from "../../src/engine/timer";
import { cacheOf, dtypes } from "../../src/kernels/elements";
import { allFused, forward } from "../../src/workloads";
import { useDevice } from "./device";
import { argmaxOf, referenceLogits } from "./forward_reference";
import { tinyModels } from "./tiny_models";
import { notRun } from "./whole_models";

const gpu = useDevice();

const run: ForwardRun = {
  model: tinyModels.qwen3,
  dtype: "f32",
  cache: "f32",
  batch: 1,
  depth: 9,
  prompt: 10,
  chunk: 4,
  generate: 12,
  interactive: 3,
  sustain: 0,
  repetitions: 2,
  sampling: { kind: "greedy" },
  fused: allFused,
  memory: 2 ** 30,
};

describe.each(dtypes)("%s", (dtype) => {
  test("reads a prompt in chunks and writes an answer, at depth", async ({ skip }) => {
    const reason = notRun(gpu(), dtype);
    if (reason !== undefined) return skip(reason);
    const plans: ForwardMemory[] = [];
    const found = await runForward(
      gpu(),
      { ...run, dtype, cache: cacheOf[dtype] },
      { onPlan: (memory) => plans.push(memory) },
    );
    expect(plans).toEqual([found.memory]);
    expect(structuredClone(found)).toEqual(found);
    expect(found.memory).toMatchObject({ residentLayers: 3, ofLayers: 3 });
    const byRole = Object.values(found.memory.byRole).reduce((a, b) => a + b, 0);
    expect(byRole).toBe(found.memory.bytes);

    expect(found.prefill.tokens).toBe(10);
    expect(found.prefill.secondsToFirstToken).toHaveLength(2);
    expect(found.written).toHaveLength(12);
    expect(found.written.every((token) => token < tinyModels.qwen3.vocab_size)).toBe(true);
    expect(found.interactive).toHaveLength(3);
    const { decode } = found;
    const all = [...decode.samples, ...found.interactive, ...found.prefill.secondsToFirstToken, decode.wall];
    expect(all.filter((seconds) => !(seconds > 0 && seconds < 60))).toEqual([]);
    expect(decode.samples.length).toBe(
      decode.clock === "timestamp-query" ? 11 : Math.ceil(12 / decode.grouped),
    );
    // Embedding, eight calls a layer, the norm in front of them, logits and the choice; some have two stages.
    expect(decode.dispatches).toBeGreaterThanOrEqual(1 + 1 + 3 * 8 + 2);
    if (gpu().has("timestamp-query")) {
      const counts = Object.fromEntries(found.breakdown!.map(({ label, count }) => [label, count]));
      expect(counts).toMatchObject({ qkv_proj: 3, attention: 3, down_proj: 3, lm_head: 1, sample: 1 });
    } else expect(found.breakdown).toBeNull();
  });
});

test("goes on for as long as asked, and times what came then", async () => {
  const { sustained } = await runForward(gpu(), { ...run, sustain: 0.3 });
  expect(sustained?.seconds).toBeGreaterThanOrEqual(0.3);
  expect(sustained?.samples.length).toBeGreaterThan(0);
  expect(sustained?.samples.filter((seconds) => !(seconds > 0 && seconds < 60))).toEqual([]);
  expect((await runForward(gpu(), run)).sustained).toBeNull();
});

test("what is written is what float64 finds most likely, however long the chunks of the prompt are", async () => {
  const { model } = run;
  const seed = 77;
  const ready = await prepareForward(
    gpu(),
    planForward(gpu(), forwardPasses(gpu(), { ...run, depth: 0 }).passes, { steps: 1 }),
    seed,
  );
  for (const chunk of [3, 5, 64]) {
    const { written } = await runForward(gpu(), { ...run, depth: 0, chunk, batch: 2 }, { seed });
    // The first token is the prompt's; those of decode follow it.
    const prompt = promptTokens(model.vocab_size, 1, 0, run.prompt);
    const options = ready.passes[0]!.options;
    const first = argmaxOf(referenceLogits(model, ready.weight, prompt, options).at(-1)!);
    const all = [...prompt, first, ...written];
    const expected = referenceLogits(model, ready.weight, all, options).slice(run.prompt, -1).map(argmaxOf);
    expect(written).toEqual(expected);
  }
  ready.destroy();
});

test("by the wall clock, submit by submit, where there are no timestamps", async () => {
  const has = vi
    .spyOn(gpu(), "has")
    .mockImplementation((feature) => feature !== "timestamp-query" && gpu().device.features.has(feature));
  const { decode, breakdown, memory } = await runForward(gpu(), run);
  has.mockRestore();
  expect(decode.clock).toBe("wall");
  expect(decode.samples).toHaveLength(Math.ceil(12 / decode.stepsPerSubmit));
  expect(decode.grouped).toBe(decode.stepsPerSubmit);
  expect(breakdown).toBeNull();
  expect(memory.bytes).toBeGreaterThan(0);
});

test("a clock so coarse that it sees nothing pass leaves nothing out", async () => {
  const { written } = await runForward(gpu(), run, { seed: 5 });
  const now = vi.spyOn(gpu().clock, "now").mockReturnValue(1);
  const found = await runForward(gpu(), run, { seed: 5 }).finally(() => now.mockRestore());
  expect(found.written).toEqual(written);
  expect(Number.isInteger(found.decode.stepsPerSubmit)).toBe(true);
});

test("a batch at a temperature, with layers that take turns", async () => {
  const found = await runForward(gpu(), {
    ...run,
    batch: 3,
    chunk: 64,
    sampling: { kind: "temperature", temperature: 1.5, seed: 4 },
    memory: 250_000,
  });
  expect(found.memory).toMatchObject({ residentLayers: 1, ofLayers: 3 });
  expect(found.prefill.tokens).toBe(30);
  expect(found.written).toHaveLength(12);
});

test("the work of a step is its weights, its cache and what lies between", async () => {
  const found = await runForward(gpu(), { ...run, interactive: 0, repetitions: 1 });
  const { hidden_size: hidden, intermediate_size: inner, vocab_size: vocab } = run.model;
  // Queries, keys and values of 4 + 2 + 2 heads of 16; one row of the embedding table; logits.
  const layer = hidden * 8 * 16 + hidden * 64 + 3 * hidden * inner;
  expect(found.decode.work.weights).toBe(4 * (3 * layer + hidden + vocab * hidden));
  // The step in the middle sees 9 + 10 + 6 + 1 keys of two heads of 16, keys and values, in three layers.
  expect(found.decode.work.cache).toBe(3 * 2 * 2 * 16 * 26 * 4);
});

test("choices can be searched for beforehand", async ({ skip }) => {
  const reason = notRun(gpu(), "q4_0");
  if (reason !== undefined) return skip(reason);
  const options = {
    dtype: "q4_0",
    cache: "f16",
    batch: 1,
    tokens: 1,
    capacity: 64,
    logits: "last",
    sampling: run.sampling,
    from: "sampled",
    fused: allFused,
    residentLayers: 3,
    largestBinding: 2 ** 27,
  } as const;
  const timer = createTimer(gpu());
  const { choose, records } = await tuneForward(gpu(), timer, [forward(run.model, options)], { seconds: 0 });
  timer.destroy();
  expect(new Set(records.map(({ kernel }) => kernel))).toEqual(
    new Set(["embed", "matvec", "swiglu", "attention", "rms_norm", "add_rms_norm", "norm_rope", "argmax"]),
  );
  const found = await runForward(gpu(), { ...run, dtype: "q4_0", cache: "f16", chunk: 64 }, { choose });
  expect(found.written).toHaveLength(12);
});

test.each([
  [{ prompt: 0 }, /prompt is a whole number from 1, not 0/],
  [{ chunk: 0.5 }, /chunk/],
  [{ generate: 0 }, /generate/],
  [{ depth: 300 }, /max_position_embeddings 256/],
  [{ model: { ...run.model, model_type: "mamba" } }, /"mamba" is not known/],
] as const)("%j is refused", async (changes, says) => {
  await expect(runForward(gpu(), { ...run, ...changes })).rejects.toThrow(says);
});
