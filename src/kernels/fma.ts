import wgsl from "../../shaders/fma.wgsl?raw";
import { type DType, type Kernel, pick, roundoff, sizeOf, spotAt } from "./kernel";
import { preludeFor } from "./prelude";

export type FmaShape = {
  readonly invocations: number;
  /** Independent vec4 recurrences per invocation: instruction-level parallelism. */
  readonly chains: number;
  /** Steps of each recurrence; a multiple of 8. */
  readonly steps: number;
};

/** More steps than these cannot be counted exactly in the type. */
export const MAX_STEPS: Readonly<Record<DType, number>> = { f32: 4096, f16: 512 };

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
  spot: ({ invocations }, { THREADS }, workgroup, choice) =>
    spotAt(pick(workgroup * THREADS, THREADS, invocations, choice >>> 16), choice & 3),

  operands: ({ invocations }) => [
    { name: "coefficients", rows: 2, columns: 4, role: "activations" },
    { name: "sums", rows: invocations, columns: 4, role: "output" },
  ],

  work: ({ invocations, chains, steps }, dtype) => ({
    flops: 2 * 4 * invocations * chains * steps,
    bytes: (8 + 4 * invocations) * sizeOf[dtype],
  }),

  products: ({ chains }) => chains,

  reference({ chains, steps }, [coefficients], row, columns) {
    return columns.map((column) => {
      const a = 2 * Math.floor(coefficients!(1, column)) + 1;
      let value = 0;
      for (let chain = 0; chain < chains; chain++) value += ((row * chains + chain) % 64) + a * steps;
      return { value, magnitude: chains * (64 + steps) };
    });
  },

  // Counting is exact; only the sum of the chains is rounded. Eight lost steps of 512 are four times as much in f16.
  tolerance: ({ chains }, dtype) => roundoff[dtype] * (chains - 1),
};
