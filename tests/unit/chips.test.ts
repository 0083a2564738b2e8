import * as v from "valibot";
import { describe, expect, test } from "vitest";
import { type Chip, chipClasses, chipSchema, type Figure, flopsFor, isVerified } from "../../src/chips/chip";
import { chip, chips } from "../../src/chips/index";

const files = Object.entries(
  import.meta.glob<unknown>("../../src/chips/*.json", { eager: true, import: "default" }),
);

const known = (id: string): Chip => {
  const found = chip(id);
  if (!found) throw new Error(`no chip ${id}`);
  return found;
};

/** Every figure of a chip with its path, as `memory.bandwidth`. */
function figures(node: object, path = ""): [path: string, figure: Figure][] {
  if ("value" in node) return [[path, node as Figure]];
  return Object.entries(node).flatMap(([key, child]) =>
    typeof child === "object" && child ? figures(child, path ? `${path}.${key}` : key) : [],
  );
}

/** What a chip, card or rack of this decade can have; a wrong power of ten falls outside most of them. */
const ranges: Record<string, readonly [low: number, high: number]> = {
  peakFlops: [1e12, 1e18],
  "memory.capacity": [8e6, 2e13],
  "memory.bandwidth": [5e10, 3e16],
  "memory.measuredBandwidth": [5e10, 3e16],
  power: [1, 2e5],
  sram: [8e6, 5e10],
  l2Cache: [1e6, 2e8],
  interconnect: [1e11, 2e14],
  hostLink: [1e8, 1e12],
  slowMemory: [1e10, 1e12],
  "price.rentPerHour": [0.1, 20],
  "price.purchase": [50, 5e6],
};

describe.each(files)("%s", (path, json) => {
  const parsed = v.safeParse(chipSchema, json);

  test("fits the schema", () => {
    expect(parsed.issues?.map((issue) => `${v.getDotPath(issue)}: ${issue.message}`) ?? []).toEqual([]);
  });

  test("is named for its id", () => {
    expect(path).toBe(`../../src/chips/${parsed.output && (parsed.output as Chip).id}.json`);
  });

  test("says where every figure comes from", () => {
    for (const [at, { source, quote, kind }] of figures(json as Chip)) {
      expect(quote.trim(), at).not.toBe("");
      if (kind !== "derived" && kind !== "recalled-unverified") expect(source, at).toMatch(/^https:\/\/\S+$/);
      expect(`${source} ${quote}`, at).not.toMatch(/file:|localhost|\/(home|Users|tmp|root)\/|[A-Z]:\\/);
    }
  });

  test("stays within what can be built", () => {
    for (const [at, { value }] of figures(json as Chip)) {
      const [low, high] = ranges[at] ?? ranges[at.split(".")[0]!]!;
      expect(value, at).toBeGreaterThanOrEqual(low);
      expect(value, at).toBeLessThanOrEqual(high);
    }
  });

  test("is no slower in a narrower format", () => {
    const { fp32, fp16Vector, fp16Fp32Acc, fp16, fp8, fp4 } = (json as Chip).peakFlops;
    const peaks = [fp32, fp16Vector, fp16Fp32Acc, fp16, fp8, fp4].flatMap((figure) => figure?.value ?? []);
    expect(peaks).toEqual(peaks.toSorted((a, b) => a - b));
  });
});

describe("schema", () => {
  const figure = { value: 1e12, source: "https://example.org/", quote: "1 TFLOPS", kind: "press" };
  const accepts = (fp32: object) =>
    v.is(chipSchema, { ...known("openai-jalapeno"), peakFlops: { fp32: { ...figure, ...fp32 } } });

  test("accepts a sourced figure", () => expect(accepts({})).toBe(true));

  test.each([
    { source: "" },
    { source: "http://example.org/" },
    { source: "example.org" },
    { quote: "" },
    { quote: "x".repeat(301) },
    { kind: "guess" },
    { value: 0 },
    { value: Number.POSITIVE_INFINITY },
    { sparse: true },
  ])("refuses %j", (wrong) => expect(accepts(wrong)).toBe(false));

  test.each(["derived", "recalled-unverified"])("lets a %s figure go without an address", (kind) => {
    expect(accepts({ source: "", kind })).toBe(true);
  });
});

describe("chips", () => {
  test("are all files, each once", () => {
    expect(chips).toHaveLength(files.length);
    expect(new Set(chips.map(({ id }) => id)).size).toBe(chips.length);
    expect(new Set(chips.map(({ name }) => name)).size).toBe(chips.length);
  });

  test("are listed by class", () => {
    const ranks = chips.map((each) => chipClasses.indexOf(each.class));
    expect(ranks).toEqual(ranks.toSorted((a, b) => a - b));
  });

  test("are found by id", () => {
    expect(chip("h100-sxm")?.name).toBe("NVIDIA H100 SXM");
    expect(chip("h100")).toBeUndefined();
  });

  test("include one that was announced without any figure", () => {
    expect(figures(known("openai-jalapeno"))).toEqual([]);
  });
});

// Data sheets as the field quotes them, typed in here a second time: dense 16-bit FLOP/s, byte/s, bytes.
describe.each([
  { id: "a100-80gb-sxm", f16: 312e12, bandwidth: 2.039e12, capacity: 80e9 },
  { id: "h100-sxm", f16: 989.5e12, bandwidth: 3.35e12, capacity: 80e9 },
  { id: "h200-sxm", f16: 989.5e12, bandwidth: 4.8e12, capacity: 141e9 },
  { id: "b200", f16: 2.25e15, bandwidth: 8e12, capacity: 180e9 },
  { id: "mi300x", f16: 1.307e15, bandwidth: 5.3e12, capacity: 192e9 },
  { id: "tpu-v5e", f16: 197e12, bandwidth: 819e9, capacity: 16e9 },
  { id: "groq-lpu-v1", f16: 188e12, bandwidth: 80e12, capacity: 230e6 },
  { id: "rtx-4090", f16: 330.3e12, bandwidth: 1.008e12, capacity: 24e9 },
])("$id", ({ id, f16, bandwidth, capacity }) => {
  test("has the known figures", () => {
    const { memory } = known(id);
    expect(flopsFor(known(id), "f16")!.figure.value / f16).toBeCloseTo(1, 1.5);
    expect(memory.bandwidth!.value / bandwidth).toBeCloseTo(1, 1.5);
    expect(memory.capacity!.value / capacity).toBeCloseTo(1, 1.5);
  });
});

describe("peaks are dense", () => {
  test("the WSE-3's headline of 125 PFLOPS counts sparsity", () => {
    expect(known("cerebras-wse3").peakFlops.fp16!.value).toBeLessThanOrEqual(20e15);
  });

  test("the H100's data sheet prints 1979 TFLOPS of fp16", () => {
    expect(known("h100-sxm").peakFlops.fp16!.value).toBeLessThan(1000e12);
  });
});

describe("flopsFor", () => {
  test.each([
    { id: "h100-sxm", dtype: "f16", format: "fp16" },
    { id: "tpu-v6e", dtype: "f16", format: "bf16" },
    { id: "apple-m2-max", dtype: "f16", format: "fp16Vector" },
    { id: "h100-sxm", dtype: "f32", format: "fp32" },
  ] as const)("$id in $dtype is $format", ({ id, dtype, format }) => {
    expect(flopsFor(known(id), dtype)).toEqual({ figure: known(id).peakFlops[format], format });
  });

  test("passes over a figure from memory", () => {
    const { fp16, bf16, fp16Vector } = known("rtx-3090").peakFlops;
    expect([fp16, bf16, fp16Vector].map((figure) => isVerified(figure!))).toEqual([false, false, true]);
    expect(flopsFor(known("rtx-3090"), "f16")?.format).toBe("fp16Vector");
  });

  test("does not take tf32 for f32", () => {
    expect(
      flopsFor({ ...known("h100-sxm"), peakFlops: { tf32: known("h100-sxm").peakFlops.tf32! } }, "f32"),
    ).toBeUndefined();
  });

  test("has no answer without figures", () => {
    expect(flopsFor(known("openai-jalapeno"), "f16")).toBeUndefined();
  });
});
