import wgsl from "../../shaders/fma.wgsl?raw";
import { activationsOf, bitsOf, type Float, roundoff } from "./elements";
import { type Kernel, onlyFloats, pick, preludeFor, spotAt, type Variant } from "./kernel";

export type FmaShape = {
  readonly invocations: number;
  /** Independent vec4 recurrences per invocation: instruction-level parallelism. */
  readonly chains: number;
  /** Steps of each recurrence; a multiple of 8. */
  readonly steps: number;
};

/** More steps than these cannot be counted exactly in the type. */
export const MAX_STEPS: Readonly<Record<Float, number>> = { f32: 4096, f16: 512 };

type FmaTuning = { readonly THREADS: number };

const chained: Variant<FmaShape, FmaTuning> = {
  shaders: { fma: wgsl },
  space: { THREADS: [8, 16, 32, 64, 128, 256] },
  starts: [{ THREADS: 64 }, { THREADS: 256 }, { THREADS: 8 }],
  describe: ({ THREADS }) => `${THREADS} threads`,
  demand: ({ THREADS }) => ({ threads: THREADS, workgroupStorage: 0 }),
  stages: ({ THREADS }, { chains, invocations }, dtype) => [
    {
      shader: "fma",
      prelude: preludeFor(activationsOf[dtype], { CHAINS: chains, THREADS }),
      workgroups: Math.ceil(invocations / THREADS),
      binds: ["coefficients", "sums"],
    },
  ],
  spot: ({ invocations }, { THREADS }, workgroup, choice) =>
    spotAt(pick(workgroup * THREADS, THREADS, invocations, choice >>> 16), choice & 3),
};

/** Probe: fused multiply-adds in registers and nothing else. Its best rate is the compute roof. */
export const fma: Kernel<FmaShape> = {
  fields: ["invocations", "chains", "steps"],
  variants: { chained },
  impossible({ chains, steps }) {
    if (chains > 8) return "fma has 8 chains at most";
    return steps % 8 === 0 ? undefined : "fma's steps are a multiple of 8";
  },
  unsupported: onlyFloats,
  shapeClass: ({ chains }) => `${chains} chains`,

  operands: ({ invocations }, dtype) => [
    { name: "coefficients", rows: 2, columns: 4, role: "activations", element: activationsOf[dtype] },
    { name: "sums", rows: invocations, columns: 4, role: "output", element: activationsOf[dtype] },
  ],

  work: ({ invocations, chains, steps }, dtype) => ({
    flops: 2 * 4 * invocations * chains * steps,
    bytes: ((8 + 4 * invocations) * bitsOf[activationsOf[dtype]]) / 8,
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
  tolerance: ({ chains }, dtype) => roundoff[activationsOf[dtype]] * (chains - 1),
};
