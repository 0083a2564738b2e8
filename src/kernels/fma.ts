import wgsl from "../../shaders/fma.wgsl?raw";
import { type Kernel, roundoff, sizeOf } from "./kernel";
import { preludeFor } from "./prelude";

export type FmaShape = {
  readonly invocations: number;
  /** Independent vec4 recurrences per invocation: instruction-level parallelism. */
  readonly chains: number;
  /** Steps of each recurrence; a multiple of 8. */
  readonly steps: number;
};

export type FmaTuning = { readonly THREADS: number };

/** Probe: fused multiply-adds in registers and nothing else. Its best rate is the compute roof. */
export const fma: Kernel<FmaShape, FmaTuning> = {
  wgsl,
  fields: ["invocations", "chains", "steps"],
  tunings: { "64 threads": { THREADS: 64 }, "256 threads": { THREADS: 256 }, "8 threads": { THREADS: 8 } },
  impossible({ chains, steps }) {
    if (chains > 8) return "fma has 8 chains at most";
    return steps % 8 === 0 ? undefined : "fma's steps are a multiple of 8";
  },
  shapeClass: ({ chains }) => `${chains} chains`,
  demand: ({ THREADS }) => ({ threads: THREADS, workgroupStorage: 0 }),
  prelude: (tuning, { chains }, dtype) => preludeFor(dtype, { CHAINS: chains, ...tuning }),
  workgroups: ({ invocations }, { THREADS }) => Math.ceil(invocations / THREADS),

  operands: ({ invocations }) => [
    { name: "coefficients", rows: 2, columns: 4, role: "activations" },
    { name: "sums", rows: invocations, columns: 4, role: "output" },
  ],

  work: ({ invocations, chains, steps }, dtype) => ({
    flops: 2 * 4 * invocations * chains * steps,
    bytes: (8 + 4 * invocations) * sizeOf[dtype],
  }),

  reference({ chains, steps }, [coefficients], row, columns) {
    return columns.map((column) => {
      const m = coefficients!(0, column) * 1.75;
      const a = coefficients!(1, column);
      let value = 0;
      for (let chain = 0; chain < chains; chain++) {
        let x = ((row * chains + chain) % 64) / 64;
        for (let i = 0; i < steps; i++) x = x * m + a;
        value += x;
      }
      // The fixed point's scale: an addend near zero must not make the check stricter than rounding allows.
      return { value, magnitude: chains * Math.max(Math.abs(a / (1 - m)), 0.125) };
    });
  },

  // A rounding error of each step is damped by m: the sum of the series is at most 1 / (1 - 7/8).
  tolerance: ({ chains }, dtype) => 2 * roundoff[dtype] * (8 + chains),
};
