// Where a token's time goes, by hand; and the curves over depth and batch.

import { describe, expect, test } from "vitest";
import { wholeModels } from "../../src/analysis/forward";
import { batchFrontiers, depthSeries } from "../../src/analysis/forward_series";
import { kindOf, secondsPerLayer, tokenTime } from "../../src/analysis/token_time";
import { chips } from "../../src/chips";
import type { MeasuredForward } from "../../src/forward_result";
import { csv } from "../../src/report/csv";
import { markdown } from "../../src/report/markdown";
import { report } from "../../src/report/report";
import type { Result } from "../../src/result";
import { everyRun, forwarded, stepsOf } from "./forward_fixture";

const few = chips.slice(0, 2);

const only = (result: Result) => wholeModels(result)[0]!;

/** A step of 10 ms: 5 ms of products, 2 of attention, 1 of others. */
const breakdown: MeasuredForward["breakdown"] = [
  { label: "gate_up_proj", kernel: "swiglu", count: 16, seconds: 0.004 },
  { label: "attention", kernel: "attention", count: 16, seconds: 0.002 },
  { label: "lm_head", kernel: "matvec", count: 1, seconds: 0.001 },
  { label: "rope", kernel: "rope", count: 16, seconds: 0.001 },
];

const partsOf = (changes: Partial<MeasuredForward>, dispatchCost?: number, bare = false) => {
  const result = forwarded("forward=on dtype=f32", changes);
  const { parts, ...rest } = tokenTime(only(bare ? { ...result, outcomes: [] } : result), dispatchCost);
  const texts = parts.map(({ kind, seconds }) => [kind, Number((1000 * seconds).toFixed(3))]);
  return { ...rest, parts: Object.fromEntries(texts) };
};

describe("a step", () => {
  test("is divided into products, the cache's bytes, attention beyond them, other kernels, dispatches, gaps; and what the API adds", () => {
    // 1e8 bytes at 500 GB/s are 0.2 ms; 165 dispatches at 2 us 0.33 ms; read back it takes 12 ms.
    const { parts, kernels, scaled } = partsOf({ breakdown }, 2e-6);
    expect(parts).toEqual({
      weights: 5,
      cache: 0.2,
      attention: 1.8,
      other: 1,
      dispatch: 0.33,
      gaps: 1.67,
      "reading back": 2,
    });
    expect(kernels).toBeCloseTo(0.008, 12);
    expect(scaled).toBe(false);
  });

  test("has no more dispatches than its kernels leave time for", () => {
    expect(partsOf({ breakdown }, 1e-4).parts).toMatchObject({ dispatch: 2 });
    expect(partsOf({ breakdown }, 1e-4).parts).not.toHaveProperty("gaps");
    expect(partsOf({ breakdown }).parts).toMatchObject({ gaps: 2 });
  });

  test("scales kernels down where, timed one by one, they take longer than it", () => {
    const slow = breakdown.map((part) => ({ ...part, seconds: 2 * part.seconds }));
    const { parts, scaled, kernels } = partsOf({ breakdown: slow }, 2e-6);
    expect([scaled, kernels]).toEqual([true, 0.016]);
    // 10 of 16 ms; what attention's bytes take is scaled as the rest of it is.
    expect(parts).toEqual({
      weights: 6.25,
      cache: 0.125,
      attention: 2.375,
      other: 1.25,
      "reading back": 2,
    });
  });

  test("has attention and its cache as one where no roof was measured", () => {
    const { parts, cacheTold } = partsOf({ breakdown }, 2e-6, true);
    expect(parts).toMatchObject({ attention: 2 });
    expect(parts).not.toHaveProperty("cache");
    expect(cacheTold).toBe(false);
  });

  test("without timestamps shows what is known: the least that bytes take, and dispatches", () => {
    const { parts, kernels } = partsOf({ breakdown: null }, 2e-6);
    expect(kernels).toBeUndefined();
    // 2.4e9 and 1e8 bytes at 500 GB/s.
    expect(parts).toEqual({ weights: 4.8, cache: 0.2, dispatch: 0.33, untold: 4.67, "reading back": 2 });
    expect(partsOf({ breakdown: null }, 1).parts).toEqual({ untold: 10, "reading back": 2 });
    expect(partsOf({ breakdown: null }, undefined, true).parts).toEqual({ untold: 10, "reading back": 2 });
  });

  test("is never divided into more or less than it takes", () => {
    for (const seconds of [0.001, 0.01, 0.1])
      for (const cost of [undefined, 0, 1e-6, 1e-3])
        for (const kernels of [breakdown, null]) {
          const wanted = forwarded("forward=on dtype=f32").forwards[0]!;
          const whole = only(
            forwarded("forward=on dtype=f32", { breakdown: kernels, ...stepsOf(wanted, seconds) }),
          );
          const { parts } = tokenTime(whole, cost);
          const sum = parts.reduce(
            (total, each) => total + (each.kind === "reading back" ? 0 : each.seconds),
            0,
          );
          expect(sum).toBeCloseTo(seconds, 9);
          expect(Math.min(...parts.map((each) => each.seconds))).toBeGreaterThan(0);
        }
  });

  test("tells what each layer takes, of what every layer has", () => {
    const whole = only(forwarded("forward=on dtype=f32", { breakdown }));
    expect(whole.breakdown.map((part) => secondsPerLayer(whole, part))).toEqual([
      0.00025,
      0.000125,
      undefined,
      0.0000625,
    ]);
  });

  test.each([
    ["qkv_proj", "matvec", "weights"],
    ["lm_head", "matmul", "weights"],
    ["o_proj", "a kernel of a later version", "weights"],
    ["attention", "attention", "attention"],
    ["attention", "attention_q8_0", "attention"],
    ["attention", "sink_attention", "attention"],
    ["gate_up_proj", "expert_swiglu", "weights"],
    ["gate_up_proj", "expert_matmul", "weights"],
    ["down_proj", "expert_matvec", "weights"],
    ["o_proj", "add_bias", "other"],
    ["qkv_proj", "join", "other"],
    ["embed_tokens", "embed", "other"],
    ["post_attention_layernorm", "add_rms_norm", "other"],
  ])("takes %s by %s for %s", (label, kernel, kind) => expect(kindOf({ label, kernel })).toBe(kind));
});

describe("the report of it", () => {
  const seen = report(forwarded("forward=on dtype=f32", { breakdown }), few);
  const rows = seen.tables.find(({ title }) => title === "Where a token's time goes")?.rows ?? [];

  test("has a row for each part with its share of the step, the step, and each layer", () => {
    expect(rows.map((row) => row.slice(3, 6).map(({ text }) => text))).toEqual([
      ["weights (products)", "5.00 ms", "50.0 %"],
      ["KV cache", "200 µs", "2.00 %"],
      ["attention", "1.80 ms", "18.0 %"],
      ["other kernels", "1.00 ms", "10.0 %"],
      ["dispatch", "351 µs", "3.51 %"],
      ["gaps", "1.65 ms", "16.5 %"],
      ["reading the token back", "2.00 ms", "20.0 %"],
      ["a step, free-running", "10.0 ms", "100 %"],
      ["each of 16 layers", "438 µs", "4.38 %"],
    ]);
  });

  test("draws a stacked bar whose parts add up, kernels in the other one", () => {
    const [division, kernels] = seen.breakdowns ?? [];
    expect(division?.chart).toMatchObject({
      stacked: true,
      groups: ["pp512+tg128 f32"],
      unit: "ms per step",
    });
    const total = (chart: typeof division) =>
      chart?.chart.series.reduce((sum, { values }) => sum + (values[0] ?? 0), 0);
    expect(total(division)).toBeCloseTo(12, 3);
    expect(total(kernels)).toBeCloseTo(10, 3);
    expect(kernels?.chart.series.map(({ name }) => name)).toEqual([
      "gate_up_proj",
      "attention",
      "lm_head",
      "rope",
      "dispatch and gaps",
    ]);
  });

  test("is text in Markdown: each part by its letter, as long as its share", () => {
    const text = markdown(seen);
    expect(text).toContain("w: weights (products), k: KV cache, a: attention, o: other kernels, d: dispatch");
    // 40 letters are 12 ms.
    expect(text).toMatch(/^pp512\+tg128 f32 {2}12\.0 {2}w{17}a{6}o{4}dg{5}r{7}$/m);
  });

  test("says that nothing tells kernels apart where there are no timestamps, and draws what is known", () => {
    const wall = report(forwarded("forward=on dtype=f32", { breakdown: null }), few);
    const untold = wall.tables.find(({ title }) => title === "Where a token's time goes")?.rows ?? [];
    expect(untold.map((row) => row[3]?.text)).toContain("not told apart");
    expect(untold.map((row) => row.at(-1)?.text)).toContain(
      "no GPU timestamps: the wall clock sees whole steps only",
    );
    expect(wall.tables.some(({ title }) => title.endsWith("kernel by kernel"))).toBe(false);
    expect(wall.breakdowns?.map(({ chart }) => chart.title)).toEqual([
      "Where a token's time goes: llama-3.2-1b",
      "Time to first token (TTFT): llama-3.2-1b",
      "Time per token, free-running (TPOT): llama-3.2-1b",
    ]);
  });

  test("sets each time beside the sum of kernels and the roofline", () => {
    const { chart } = seen.breakdowns?.at(-1) ?? {};
    expect(chart?.series.map(({ name, values }) => [name, values[0]])).toEqual([
      ["measured", 10],
      ["sum of kernels", expect.any(Number)],
      ["roofline", expect.closeTo(5, 2)],
    ]);
  });
});

/** 10 ms and a quarter of a microsecond for each token of depth, a millisecond more for each further sequence. */
const byDepthAndBatch = everyRun("forward=on dtype=f32 depth=0,4000 batch=1,4,16,64", (wanted) =>
  stepsOf(wanted, 0.009 + wanted.depth * 2.5e-7 + wanted.batch * 1e-3),
);

describe("decode against depth", () => {
  const whole = wholeModels(byDepthAndBatch);

  test("is a series for each batch, shallow to deep", () => {
    expect(
      depthSeries([...whole].reverse()).map((each) => each.map(({ run }) => [run.batch, run.depth])),
    ).toEqual(
      [64, 16, 4, 1].map((batch) => [
        [batch, 0],
        [batch, 4000],
      ]),
    );
    expect(depthSeries(whole.filter(({ run }) => run.depth === 0))).toEqual([]);
  });

  test("is drawn with its interval beside the sum of kernels and the roofline", () => {
    const { chart, table } = report(byDepthAndBatch, few).curves?.[0] ?? {};
    expect(chart).toMatchObject({
      scale: "linear",
      title: "Decode against depth: llama-3.2-1b pp512+tg128 f32",
    });
    const [measured, readBack, kernels, roofline] = chart?.lines ?? [];
    expect(measured?.points.map(({ x, y }) => [x, y])).toEqual([
      [0, 10],
      [4000, 11],
    ]);
    for (const { low = 0, y, high = 0 } of measured?.points ?? []) {
      expect(low).toBeLessThan(y);
      expect(high).toBeGreaterThan(y);
    }
    expect(readBack?.name).toBe("each token read back");
    expect([kernels?.points.length, roofline?.points.length]).toEqual([2, 2]);
    expect(table?.rows.map((row) => row[0]?.text)).toEqual(["0", "4000"]);
    expect(table?.rows[1]?.[1]?.number).toMatchObject({ value: 0.011, unit: "s" });
  });
});

describe("the batch frontier", () => {
  const frontiers = batchFrontiers(wholeModels(byDepthAndBatch));

  test("has a curve for each depth, every batch on it as long as tokens/s grow", () => {
    expect(frontiers.map(({ run }) => run.depth)).toEqual([0, 4000]);
    expect(frontiers[0]?.points.map(({ batch, pareto }) => [batch, pareto])).toEqual([
      [1, true],
      [4, true],
      [16, true],
      [64, true],
    ]);
  });

  test("has its knee where tokens/s over latency is largest", () => {
    // b / (9 + b)² is largest at 9 sequences: 0.01, 0.0237, 0.0256, 0.0120. Noise does not tell 4 from 16.
    expect(frontiers[0]?.knee).toEqual({ batch: 16, ties: [4] });
    expect(frontiers[1]?.knee).toEqual({ batch: 16, ties: [] });
    const flat = everyRun("forward=on dtype=f32 batch=1,4,16", (wanted) =>
      stepsOf(wanted, 0.01 * Math.sqrt(wanted.batch)),
    );
    expect(batchFrontiers(wholeModels(flat))[0]?.knee).toMatchObject({ ties: expect.any(Array) });
    expect(batchFrontiers(wholeModels(flat))[0]?.knee.ties).toHaveLength(2);
  });

  test("leaves out of the frontier what another batch beats in both", () => {
    const worse = everyRun("forward=on dtype=f32 batch=1,2", (wanted) =>
      stepsOf(wanted, wanted.batch === 1 ? 0.01 : 0.03),
    );
    expect(batchFrontiers(wholeModels(worse))[0]?.points.map(({ pareto }) => pareto)).toEqual([true, false]);
    expect(batchFrontiers(wholeModels(worse))[0]?.knee.batch).toBe(1);
  });

  test("is drawn with a line for each depth and says where its knee is", () => {
    const drawn = report(byDepthAndBatch, few);
    const { chart, table } = drawn.curves?.at(-1) ?? {};
    expect(chart?.title).toMatch(
      /^Batch frontier: llama-3\.2-1b pp512\+tg128 f32; the knee is batch 16 \(or 4: not told apart\) at depth 0, batch 16 at depth 4000$/,
    );
    expect(chart?.lines.map(({ name, points }) => [name, points.map(({ mark }) => mark)])).toEqual([
      ["depth 0", ["b1", "b4", "b16, knee", "b64"]],
      ["depth 4000", ["b1", "b4", "b16, knee", "b64"]],
    ]);
    expect(table?.rows).toHaveLength(8);
    expect(table?.rows[2]?.slice(0, 3).map(({ text }) => text.split(" (")[0])).toEqual([
      "0",
      "16",
      "25.0 ms",
    ]);
    expect(markdown(drawn)).toContain("## Batch frontier: llama-3.2-1b pp512+tg128 f32");
    expect(csv(drawn)).toContain('"all sequences, tokens/s, low"'.replaceAll('"', ""));
  });

  test("takes two batches", () => {
    expect(report(forwarded("forward=on dtype=f32"), few).curves).toEqual([]);
  });
});
