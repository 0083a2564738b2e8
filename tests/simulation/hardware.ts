// What a simulated GPU is like: true costs, and everything that hides them from a benchmark.

import type { AnyShape, KernelName } from "../../src/kernels";
import { uniform } from "../../src/statistics";

/** What goes wrong with a dispatch. */
export type Fault = "hang" | "loss";

export interface Hardware {
  readonly seed: number;
  /** True seconds of one dispatch, at full clocks and undisturbed. */
  readonly cost: (kernel: KernelName, shape: AnyShape) => number;
  /** Step of performance.now(). */
  readonly clockStep: number;
  /** Step of timestamps; null where the device has none. */
  readonly timestampQuantum: number | null;
  /** From the end of the work to its report. */
  readonly completionFloor: number;
  /** Whether completion is looked for from a timer that ticks every `completionFloor`, instead of told after it. */
  readonly polled: boolean;
  /** What a pass costs the GPU beside its dispatches. */
  readonly passSeconds: number;
  /** Standard deviation of a pass's time, as a share. */
  readonly noise: number;
  /** Passes with five times that. */
  readonly heavyShare: number;
  /** Interruptions per second, and how long one takes on average (exponential). */
  readonly interruptions: { readonly rate: number; readonly seconds: number };
  /** Clocks start at a half and rise over so many seconds of work. */
  readonly rampSeconds: number;
  /** How many times slower than usual the GPU is at a time: throttling, a background tab. */
  readonly slowness: (time: number) => number;
  /** What the first dispatch of a pipeline costs besides. */
  readonly firstRunSeconds: number;
  /** What timestamps say instead of the truth, for a share of passes. */
  readonly badStamps: { readonly share: number; readonly kind: "negative" | "zero" | "merged" } | null;
  readonly fault: (kernel: KernelName, shape: AnyShape) => Fault | undefined;
  /** What a kernel computes instead of the truth. */
  readonly computes: (kernel: KernelName, value: number, row: number, column: number) => number;
  /** Compilation errors by kernel. */
  readonly compileError: (kernel: KernelName) => string | undefined;
  /** Bytes of GPU memory. */
  readonly memory: number;
  /** How often requestAdapter gives an adapter before it gives none any more. */
  readonly adapters: number;
}

/** A quiet GPU with exact instruments. */
export const quiet: Hardware = {
  seed: 1,
  cost: () => 100e-6,
  clockStep: 5e-6,
  timestampQuantum: 1e-9,
  completionFloor: 50e-6,
  polled: false,
  passSeconds: 5e-6,
  noise: 0,
  heavyShare: 0,
  interruptions: { rate: 0, seconds: 0 },
  rampSeconds: 0,
  slowness: () => 1,
  firstRunSeconds: 0,
  badStamps: null,
  fault: () => undefined,
  computes: (_kernel, value) => value,
  compileError: () => undefined,
  memory: 2 ** 32,
  adapters: Number.POSITIVE_INFINITY,
};

/** Random numbers of a hardware: uniform, normal and exponential, all from its seed. */
export function chance(seed: number) {
  const random = uniform(seed);
  const positive = () => 1 - random();
  return {
    random,
    normal: () => Math.sqrt(-2 * Math.log(positive())) * Math.cos(2 * Math.PI * random()),
    exponential: (mean: number) => -mean * Math.log(positive()),
  };
}
