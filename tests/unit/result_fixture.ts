// Results as the engine would write them, of a made-up GPU whose times are known: every figure a report
// derives from them can be worked out by hand.

import { type Call, kernelOf, workOf } from "../../src/kernels";
import { choiceName, defaultChoice } from "../../src/kernels/choices";
import type { DType } from "../../src/kernels/elements";
import { randomAt } from "../../src/kernels/random";
import { type Plan, parsePlanWords, workloadsOf } from "../../src/plan";
import { type Measurement, type Outcome, type Reference, type Result, SCHEMA } from "../../src/result";
import type { Timing } from "../../src/timing";
import { callName } from "../../src/workloads";

/** What the made-up GPU's probes reach. */
export const roofs = {
  f32: { flops: 10e12, bandwidth: 500e9 },
  f16: { flops: 20e12, bandwidth: 500e9 },
  q8_0: { flops: 10e12, bandwidth: 500e9 },
  q4_0: { flops: 10e12, bandwidth: 500e9 },
} as const;

/** Every call of the models reaches half of the compute roof or four fifths of the bandwidth roof. */
export const COMPUTE_SHARE = 0.5;
export const BANDWIDTH_SHARE = 0.8;

export const probeCalls = (dtype: DType): Call[] => [
  { kernel: "fma", shape: { invocations: 2 ** 20, chains: 8, steps: 1024 } },
  { kernel: "read", shape: { groups: 4096, words: dtype === "f32" ? 1024 : 2048 } },
  { kernel: "copy", shape: { words: dtype === "f32" ? 2 ** 23 : 2 ** 24 } },
];

/** Seconds that the made-up GPU takes for a call. */
export function exactSeconds(call: Call, dtype: DType): number {
  const { flops, bytes } = workOf(call, dtype);
  const roof = roofs[dtype];
  if (call.kernel === "fma") return flops / roof.flops;
  if (call.kernel === "read") return bytes / roof.bandwidth;
  return Math.max(flops / (COMPUTE_SHARE * roof.flops), bytes / (BANDWIDTH_SHARE * roof.bandwidth));
}

/** A plan from its words. */
export function planOf(words: string): Plan {
  const outcome = parsePlanWords(words.split(" ").filter((word) => word !== ""));
  if (!outcome.ok) throw new Error(outcome.problem);
  return outcome.plan;
}

/** One round of spans per sample: a submit costs 0.1 ms on the GPU, 0.4 ms more on the wall clock. */
export function timingOf(samples: readonly number[]): Extract<Timing, { kind: "spans" }> {
  const dispatches = Math.min(1e6, Math.ceil(0.016 / samples[0]!));
  return {
    kind: "spans",
    setAside: null,
    spans: samples.flatMap((seconds) =>
      [dispatches, 2 * dispatches, 3 * dispatches].map((n) => {
        const gpu = 1e-4 + n * seconds;
        return { dispatches: n, wall: gpu + 4e-4, gpu };
      }),
    ),
  };
}

/** What a cache gives, and what is left when the device is hot, as shares of the usual time. */
export const CACHED = 0.75;
export const SUSTAINED = 1.1;

/** A measured cell that streams memory, unless its kernel reads none. */
export function measured(call: Call, dtype: DType, samples: readonly number[], sustain = 0): Measurement {
  const kernel = kernelOf(call.kernel);
  const { tolerance } = kernel;
  const bound = tolerance(call.shape, dtype);
  const chance = (stream: number) => 0.5 + randomAt(stream, callName(call).length + samples.length);
  const streams = call.kernel !== "fma" && call.kernel !== "empty";
  const six = (share: number) => timingOf(Array.from({ length: 6 }, () => share * samples[0]!));
  return {
    status: "measured",
    call,
    dtype,
    tuning: choiceName(kernel, defaultChoice(kernel)),
    piece: call,
    pieces: 1,
    rotation: streams ? 2 ** 28 : 0,
    clock: "timestamp-query",
    timing: timingOf(samples),
    stopped: "precise",
    warmup: { seconds: 0.5, converged: true },
    firstRun: { dispatches: 1, wall: 5e-3 + 3 * samples[0]!, gpu: 3 * samples[0]! },
    cacheHot: streams ? six(CACHED) : null,
    sustained: sustain === 0 ? null : { seconds: sustain, timing: six(SUSTAINED) },
    readings: null,
    repeats: 0,
    hidden: false,
    check: {
      elements: 384,
      coverage: chance(3) < 0.5 ? 1 : 0.25,
      hash: Math.floor(2 ** 32 * chance(4))
        .toString(16)
        .padStart(8, "0"),
      error: 0.2 * chance(1) * bound,
      tolerance: bound,
    },
    compileSeconds: 0.05 * chance(2),
  };
}

/** Readings of a reference kernel of half a millisecond: each sample is off by up to `noise`, and nothing else is. */
export const referenceOf = (readings: number, noise = 0.01): Reference => ({
  call: { kernel: "fma", shape: { invocations: 65_536, chains: 4, steps: 256 } },
  readings: Array.from({ length: readings }, (_, reading) => ({
    at: 0.7 + 1.3 * reading,
    samples: Array.from({ length: 5 }, (_, i) => 5e-4 * (1 + 2 * noise * randomAt(reading + 1, i))),
  })),
});

/** 2 TB/s up to 32 MiB, then the memory's 500 GB/s. */
export const cacheCurve: Result["cacheCurve"] = Array.from({ length: 11 }, (_, i) => {
  const bytes = 2 ** (18 + i);
  return { bytes, seconds: bytes / (bytes <= 2 ** 25 ? 2e12 : roofs.f32.bandwidth) };
});

export interface Fixture {
  /** The plan's words. */
  readonly words?: string;
  /** Samples of a cell, in seconds per dispatch; ten without noise where absent. */
  readonly samples?: (call: Call, dtype: DType, cell: number) => readonly number[];
  /** What became of a cell, where it was not measured. */
  readonly instead?: (call: Call, dtype: DType) => Outcome | undefined;
}

/** A complete result of a plan on the made-up GPU. */
export function resultOf({ words = "", samples, instead }: Fixture = {}): Result {
  const plan = planOf(words);
  const workloads = workloadsOf(plan);
  const calls = new Map(
    workloads.flatMap(({ steps }) => steps.map(({ call }) => [callName(call), call] as const)),
  );
  let readings = 0;
  const outcomes = plan.dtype.flatMap((dtype) =>
    [...probeCalls(dtype), ...calls.values()].map((call, cell): Outcome => {
      const other = instead?.(call, dtype);
      if (other !== undefined) return other;
      const exact = Array.from({ length: 10 }, () => exactSeconds(call, dtype));
      const each = measured(call, dtype, samples?.(call, dtype, cell) ?? exact, plan.sustain);
      return { ...each, readings: [readings++, readings++] };
    }),
  );
  return {
    schema: SCHEMA,
    seed: 3_141_592_653,
    tool: { version: "0.1.0", commit: "3f81053" },
    createdAt: "2026-08-21T09:30:00.000Z",
    completion: { status: "complete" },
    host: {
      kind: "browser",
      agent:
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36",
      crossOriginIsolated: true,
      mobile: false,
      logicalCores: 16,
    },
    device: {
      vendor: "nvidia",
      architecture: "ada",
      device: "0x2684",
      description: "Made-Up GPU 1000",
      type: "discrete GPU",
      others: [],
      software: null,
      features: ["shader-f16", "timestamp-query", "subgroups"],
      limits: {
        maxBufferSize: 2 ** 32,
        maxStorageBufferBindingSize: 2 ** 32 - 4,
        maxComputeInvocationsPerWorkgroup: 1024,
        maxComputeWorkgroupSizeX: 1024,
        maxComputeWorkgroupStorageSize: 49_152,
        maxComputeWorkgroupsPerDimension: 65_535,
      },
    },
    instruments: {
      clockStep: 5.000000004656613e-6,
      timestampQuantum: 1.024e-6,
      completionFloor: 7.1300000008e-5,
      submitCost: 1.349000000394881e-4,
      dispatchCost: 2.130000000353903e-6,
    },
    reference: readings === 0 ? null : referenceOf(readings),
    cacheCurve,
    incidents: [],
    plan,
    workloads,
    residency: plan.model.flatMap((model) =>
      plan.dtype.map((dtype) => ({ model, dtype, layers: 16, ofLayers: 16, bytes: 2 ** 30 })),
    ),
    tunings: [
      {
        kernel: "matvec",
        dtype: "f32",
        shapeClass: "1 rows, short output",
        tried: {
          "4x32 of 4 rows": 1.25e-4,
          "1x64 of 2 rows": 1.5e-4,
          "1x8 of 8 rows": null,
        },
        picked: "4x32 of 4 rows",
        choice: { variant: "lanes", tuning: { LANES: 32, TEAMS: 4, ROWS: 4, SUBGROUP: 0 } },
        seconds: 1.5,
        reused: false,
      },
    ],
    outcomes,
    forwards: [],
    trainings: [],
  };
}

/** Samples with noise of ±1 %, the same every time. */
export const noisy = (call: Call, dtype: DType, cell: number): number[] =>
  Array.from({ length: 20 }, (_, i) => exactSeconds(call, dtype) * (1 + 0.02 * randomAt(cell + 1, i)));

const isPrefillAttention = ({ kernel, shape }: Call) => kernel === "attention" && shape.queries > 1;
const isDecodeAttention = ({ kernel, shape }: Call) => kernel === "attention" && shape.queries === 1;

/** A run with everything in it: f32 measured, in f16 one cell failed and one was skipped. */
export const eventful = (): Result =>
  resultOf({
    samples: noisy,
    instead: (call, dtype) =>
      dtype === "f16" && isPrefillAttention(call)
        ? { status: "failed", call, dtype, error: "attention: element (3, 5) is 0.25, should be 0.5" }
        : dtype === "f16" && isDecodeAttention(call)
          ? { status: "skipped", call, dtype, reason: "this device has no memory left" }
          : undefined,
  });

/** The text of a JSON copy, to change at will. */
export const copyOf = (result: Result) => JSON.parse(JSON.stringify(result));
