// Published rows, and rows that somebody else wrote.

import fc from "fast-check";
import * as v from "valibot";
import { expect, test } from "vitest";
import { calibration } from "../../src/analysis/prediction/calibration";
import { type PublishedRow, publishedRowSchema } from "../../src/analysis/prediction/published_row";
import { answerOf } from "../../src/analysis/prediction/row_answer";
import { caseOf } from "../../src/analysis/prediction/row_case";
import { chip, chips } from "../../src/chips";

const row: PublishedRow = {
  id: "x",
  chipId: "rtx-4090",
  chips: 1,
  model: "Llama 3 8B",
  paramsB: 8.03,
  activeParamsB: 8.03,
  weightDtype: "q4_k_m",
  promptTokens: 0,
  outputTokens: 128,
  batchOrConcurrency: 1,
  phase: "decode",
  metric: "tokens/s",
  software: "llama.cpp CUDA",
  regime: "batch1",
};
const answer = (changes: Partial<PublishedRow>) => {
  const each = { ...row, ...changes };
  const outcome = caseOf(each, chip(each.chipId));
  return "error" in outcome ? outcome : answerOf(outcome, calibration);
};
const value = (changes: Partial<PublishedRow>) => {
  const found = answer(changes);
  if ("error" in found) throw new Error(found.error);
  return found.value;
};

test("one step in every metric", () => {
  const speed = value({});
  expect(value({ metric: "tpot_ms" })).toBeCloseTo(1000 / speed, 9);
  expect(value({ metric: "tokens/s/user" })).toBeCloseTo(speed, 9);
  const batched = { batchOrConcurrency: 8, regime: "batched" };
  expect(value({ ...batched })).toBeCloseTo(8 * value({ ...batched, metric: "tokens/s/user" }), 9);
});

test("one prompt in every metric", () => {
  const prompt = { phase: "prefill", promptTokens: 512 };
  expect(value({ ...prompt, metric: "ttft_ms" })).toBeCloseTo(512_000 / value(prompt), 9);
});

test.each([
  [{ chipId: "rtx-9999" }, 'unknown chip "rtx-9999"'],
  [{ model: "Newcomer", paramsB: null }, 'model "Newcomer": not known, and no paramsB says its size'],
  [{ chipId: "apple-m3-ultra" }, "no verified memory bandwidth for Apple M3 Ultra"],
  [{ chipId: "apple-m5-max", phase: "prefill", promptTokens: 9 }, "no verified fp16 peak for Apple M5 Max"],
  [{ metric: "joules" }, 'phase "decode" with metric "joules": not known'],
  [{ phase: "prefill", promptTokens: 0 }, "promptTokens 0: a prompt has one token at least"],
] as const)("%o is answered with the reason", (changes, reason) => {
  expect(answer(changes)).toMatchObject({ error: expect.stringContaining(reason) });
});

test("what a row does not say is assumed, said, and widens the interval", () => {
  const each = {
    ...row,
    chipId: "cerebras-wse3",
    chips: null,
    model: "Newcomer",
    paramsB: 70,
    activeParamsB: 70,
    weightDtype: "unspecified",
  };
  const outcome = caseOf(each, chip(each.chipId));
  if ("error" in outcome) throw new Error(outcome.error);
  expect(outcome.unknowns).toBe(3);
  expect(outcome.assumptions).toEqual([
    expect.stringContaining("Newcomer: not a model that is known here"),
    expect.stringContaining("format of weights not stated"),
    expect.stringContaining("number of chips not stated: "),
    expect.stringContaining("no verified interconnect"),
  ]);
  const relative = (changes: Partial<PublishedRow>) => {
    const found = answer(changes);
    return "error" in found ? Number.NaN : found.high / found.value;
  };
  expect(relative({ model: "Newcomer", paramsB: 8, activeParamsB: 8 })).toBeGreaterThan(relative({}));
});

test("a batch that is not stated is what memory holds", () => {
  const served = {
    ...row,
    chipId: "h200-sxm",
    weightDtype: "fp8",
    phase: "end-to-end",
    promptTokens: 1000,
    outputTokens: 1000,
    batchOrConcurrency: null,
    software: "vLLM",
  };
  const outcome = caseOf(served, chip("h200-sxm"));
  if ("error" in outcome) throw new Error(outcome.error);
  // 127 GB without 8.03 GB of weights, over 2,000 tokens of 131,072 bytes
  expect(outcome.batch).toBe(Math.floor((0.9 * 141e9 - 8_029_995_008) / (2000 * 131_072)));
});

const amount = fc.option(fc.double({ min: 0, max: 1e9, noNaN: true }), { nil: null });
const hostile = fc.record({
  id: fc.string({ minLength: 1 }),
  chipId: fc.oneof(fc.constantFrom(...chips.map(({ id }) => id)), fc.string()),
  chips: fc.option(fc.integer({ min: 1, max: 100_000 }), { nil: null }),
  model: fc.oneof(fc.constantFrom("Llama 3 8B", "DeepSeek-R1", "gpt-oss 20b"), fc.string()),
  paramsB: fc.option(fc.double({ min: 0.01, max: 1e4, noNaN: true }), { nil: null }),
  activeParamsB: fc.option(fc.double({ min: 0.01, max: 1e4, noNaN: true }), { nil: null }),
  weightDtype: fc.constantFrom("q4_0", "fp8", "f16", "unspecified", ""),
  promptTokens: amount,
  outputTokens: amount,
  batchOrConcurrency: amount,
  phase: fc.constantFrom("prefill", "decode", "end-to-end"),
  metric: fc.constantFrom("tokens/s", "ttft_ms", "tpot_ms", "tokens/s/user"),
  software: fc.constantFrom("llama.cpp", "vLLM", "MLPerf, Server scenario", "GroqCloud", ""),
});

test("whatever a row says, it gets a positive figure in its interval or a reason", () => {
  fc.assert(
    fc.property(hostile, (each) => {
      const parsed = v.parse(publishedRowSchema, each);
      const outcome = caseOf(parsed, chip(parsed.chipId));
      if ("error" in outcome) {
        expect(outcome.error).not.toBe("");
        return;
      }
      const { value: middle, low, high } = answerOf(outcome, calibration);
      expect(low).toBeGreaterThan(0);
      expect(middle).toBeGreaterThan(low);
      expect(high).toBeGreaterThan(middle);
      expect(high).toBeLessThan(Number.POSITIVE_INFINITY);
    }),
    { numRuns: 500 },
  );
});

test.each([
  [{ id: 3 }, "id"],
  [{ promptTokens: -1 }, "promptTokens"],
  [{ batchOrConcurrency: Number.NaN }, "batchOrConcurrency"],
  [{ chips: 0 }, "chips"],
  [{ model: "x".repeat(1000) }, "model"],
])("%o is no row", (wrong, path) => {
  const outcome = v.safeParse(publishedRowSchema, { ...row, ...wrong });
  expect(outcome.issues?.map((issue) => v.getDotPath(issue))).toEqual([path]);
});
