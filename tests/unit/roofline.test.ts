import { describe, expect, test } from "vitest";
import {
  chipRoof,
  measuredRoof,
  probeRate,
  type Roof,
  rooflineSeconds,
  workloadWork,
} from "../../src/analysis/roofline";
import { intensity, throughputs } from "../../src/analysis/throughput";
import type { Chip, Figure } from "../../src/chips/chip";
import type { Call } from "../../src/kernels";
import { decode, modelConfig, type Workload } from "../../src/workloads";
import { eventful, exactSeconds, measured, probeCalls, resultOf, roofs } from "./result_fixture";

/** 100 TFLOP/s and 1 TB/s: the ridge is at 100 FLOP/byte. */
const roof: Roof = { flops: 100e12, bandwidth: 1e12 };

const workload = (...steps: [count: number, call: Call][]): Workload => ({
  id: "made up",
  phase: "kernel",
  tokens: 0,
  batch: 1,
  layers: 0,
  steps: steps.map(([count, call]) => ({ label: call.kernel, count, call })),
});
const cube = (n: number): Call => ({ kernel: "matmul", shape: { M: n, N: n, K: n } });

describe("roofline", () => {
  test("each step takes as long as the slower of its arithmetic and its traffic", () => {
    const matvec: Call = { kernel: "matvec", shape: { M: 1, N: 1024, K: 1024 } };
    const steps = workload([2, cube(1024)], [3, matvec]);
    // f16: 2·1024³ FLOP over 3·1024²·2 bytes are above the ridge; 2·1024² FLOP over 2·(1024² + 2048) bytes below.
    expect(rooflineSeconds(steps, roof, "f16")).toBeCloseTo(
      2 * (2_147_483_648 / 100e12) + 3 * (2_101_248 / 1e12),
      15,
    );
    expect(workloadWork(steps, "f16")).toEqual({
      flops: 2 * 2_147_483_648 + 3 * 2_097_152,
      bytes: 2 * 6_291_456 + 3 * 2_101_248,
    });
  });

  test("arithmetic and traffic take equally long at the ridge point", () => {
    // In f16 a cube has 2n³ FLOP over 6n² bytes: n / 3.
    expect(intensity(workload([1, cube(300)]), "f16")).toBe(100);
    expect(rooflineSeconds(workload([1, cube(300)]), roof, "f16")).toBeCloseTo(54e6 / 100e12, 18);
    expect(rooflineSeconds(workload([1, cube(300)]), roof, "f16")).toBeCloseTo(540_000 / 1e12, 18);
    expect(rooflineSeconds(workload([1, cube(150)]), roof, "f16")).toBeCloseTo(135_000 / 1e12, 18);
    expect(rooflineSeconds(workload([1, cube(600)]), roof, "f16")).toBeCloseTo(432e6 / 100e12, 18);
  });

  test("a wider type moves twice the bytes in a memory-bound step", () => {
    const token = decode("llama-3.1-8b", modelConfig("llama-3.1-8b"), 1, 0, 1);
    expect(rooflineSeconds(token, roof, "f32") / rooflineSeconds(token, roof, "f16")).toBeCloseTo(2, 9);
  });
});

describe("a chip's roof", () => {
  const figure = (value: number, kind: Figure["kind"] = "vendor-datasheet"): Figure => ({
    value,
    source: kind === "recalled-unverified" ? "" : "https://example.org/",
    quote: String(value),
    kind,
  });
  const chip = (peakFlops: Chip["peakFlops"], bandwidth?: Figure): Chip => ({
    id: "made-up",
    name: "Made Up",
    vendor: "Nobody",
    class: "inference-asic",
    role: "inference",
    launch: "2026",
    unit: "per chip",
    peakFlops,
    memory: bandwidth === undefined ? {} : { bandwidth },
  });

  test("is its published peak and bandwidth", () => {
    const [fp16, bandwidth] = [figure(200e12), figure(2e12)];
    expect(chipRoof(chip({ fp16, fp32: figure(50e12) }, bandwidth), "f16")).toEqual({
      known: true,
      roof: { flops: 200e12, bandwidth: 2e12 },
      format: "fp16",
      figures: [fp16, bandwidth],
    });
    expect(chipRoof(chip({ fp16, fp32: figure(50e12) }, bandwidth), "f32")).toMatchObject({
      roof: { flops: 50e12, bandwidth: 2e12 },
      format: "fp32",
    });
  });

  test.each([
    ["f16", chip({ fp32: figure(50e12) }, figure(2e12)), "no sourced 16-bit peak"],
    ["f32", chip({ fp16: figure(200e12) }, figure(2e12)), "no sourced fp32 peak"],
    ["f16", chip({ fp16: figure(200e12) }), "no sourced memory bandwidth"],
    [
      "f16",
      chip({ fp16: figure(200e12) }, figure(2e12, "recalled-unverified")),
      "no sourced memory bandwidth",
    ],
    ["f16", chip({ fp16: figure(200e12, "recalled-unverified") }, figure(2e12)), "no sourced 16-bit peak"],
  ] as const)(
    "in %s is unknown where a figure is missing or from memory, and says which",
    (dtype, without, missing) => {
      expect(chipRoof(without, dtype)).toEqual({ known: false, missing });
    },
  );
});

describe("the measured roof", () => {
  test("is what the fma and read probes reached", () => {
    const result = resultOf();
    for (const dtype of ["f32", "f16"] as const) {
      expect(measuredRoof(result, dtype)!.flops / roofs[dtype].flops).toBeCloseTo(1, 4);
      expect(measuredRoof(result, dtype)!.bandwidth / roofs[dtype].bandwidth).toBeCloseTo(1, 4);
    }
    expect(probeRate(result, "copy", "f32")!.value / 400e9).toBeCloseTo(1, 4);
  });

  test("is the best of several probes", () => {
    const result = resultOf({ words: "dtype=f32" });
    const [fma] = probeCalls("f32");
    result.outcomes.push(measured(fma!, "f32", [exactSeconds(fma!, "f32") * 2]));
    expect(measuredRoof(result, "f32")!.flops / roofs.f32.flops).toBeCloseTo(1, 4);
    result.outcomes.push(measured(fma!, "f32", [exactSeconds(fma!, "f32") / 2]));
    expect(measuredRoof(result, "f32")!.flops / roofs.f32.flops).toBeCloseTo(2, 3);
  });

  /** A result in which a probe failed in these types. */
  const without = (probe: string, ...types: string[]) =>
    resultOf({
      instead: (call, dtype) =>
        call.kernel === probe && types.includes(dtype)
          ? { status: "failed", call, dtype, error: "out of memory" }
          : undefined,
    });

  test("does not exist where a probe failed in every type", () => {
    expect(measuredRoof(without("read", "f16", "f32"), "f16")).toBeUndefined();
    expect(measuredRoof(without("fma", "f32"), "f32")).toBeUndefined();
  });

  test("has the bandwidth of whichever type read faster, and f32's arithmetic for f16 where that is faster", () => {
    const both = measuredRoof(resultOf(), "f32");
    expect(measuredRoof(without("read", "f32"), "f32")?.bandwidth).toBe(both?.bandwidth);
    expect(measuredRoof(without("fma", "f16"), "f16")?.flops).toBe(measuredRoof(resultOf(), "f32")?.flops);
  });
});

describe("throughput", () => {
  test("of a model is its tokens over the summed times of its steps", () => {
    const [prompt, answer] = throughputs(resultOf({ words: "dtype=f32" }));
    for (const each of [prompt!, answer!]) {
      if (!each.complete) throw new Error(each.reason);
      const seconds = each.workload.steps.reduce(
        (sum, { call, count }) => sum + count * exactSeconds(call, "f32"),
        0,
      );
      expect(each.seconds.value / seconds).toBeCloseTo(1, 4);
      expect(each.tokensPerSecond!.value / (each.workload.tokens / seconds)).toBeCloseTo(1, 4);
      expect(each.steps).toHaveLength(6);
    }
  });

  test("is incomplete, with the reason, where a step failed or was skipped", () => {
    const reasons = throughputs(eventful()).map((each) => (each.complete ? "complete" : each.reason));
    expect(reasons).toEqual([
      "complete",
      "complete",
      "attention failed: attention: element (3, 5) is 0.25, should be 0.5",
      "this device has no memory left",
    ]);
  });

  test("is incomplete where a run was cancelled before a step", () => {
    const result = resultOf({ words: "dtype=f32" });
    const reached = result.outcomes.slice(0, 5);
    expect(throughputs({ ...result, outcomes: reached })[0]).toMatchObject({
      complete: false,
      reason: "o_proj was not reached",
    });
  });
});
