import wgsl from "../../shaders/dot.wgsl?raw";
import { activationsOf, type DType, quantsOf } from "./elements";
import { type Kernel, pick, preludeFor, spotAt, type Variant } from "./kernel";

export type DotShape = {
  readonly invocations: number;
  /** Independent recurrences per invocation: instruction-level parallelism. */
  readonly chains: number;
  /** Steps of each recurrence; a multiple of 8. */
  readonly steps: number;
};

/** The reference goes through all steps of a recurrence. */
export const MAX_DOT_STEPS = 1024;

const MOST_CHAINS = 16;

type DotTuning = { readonly THREADS: number };

const chained: Variant<DotShape, DotTuning> = {
  shaders: { dot: wgsl },
  space: { THREADS: [8, 16, 32, 64, 128, 256] },
  starts: [{ THREADS: 64 }, { THREADS: 256 }, { THREADS: 8 }],
  describe: ({ THREADS }) => `${THREADS} threads`,
  demand: ({ THREADS }) => ({ threads: THREADS, workgroupStorage: 0, packedDot: true }),
  stages: ({ THREADS }, { chains, invocations }, dtype) => [
    {
      shader: "dot",
      prelude: preludeFor(activationsOf[dtype], { CHAINS: chains, THREADS }),
      workgroups: Math.ceil(invocations / THREADS),
      binds: ["coefficients", "sums"],
    },
  ],
  spot: ({ invocations }, { THREADS }, workgroup, choice) =>
    spotAt(0, pick(workgroup * THREADS, THREADS, invocations, choice)),
};

/** Starts lie so far apart, modulo 2^32. */
const SPREAD = 0x9e3779b1;

/** The low 24 bits of what the chains of an invocation come to, added up. */
function sumOf({ chains, steps }: DotShape, factors: readonly number[], invocation: number): number {
  const [f0 = 0, f1 = 0, f2 = 0, f3 = 0] = factors;
  let sum = 0;
  for (let chain = 0; chain < chains; chain++) {
    let x = (Math.imul(invocation * chains + chain, SPREAD) + 1) | 0;
    for (let step = 0; step < steps; step++) {
      const products =
        ((x << 24) >> 24) * f0 + ((x << 16) >> 24) * f1 + ((x << 8) >> 24) * f2 + (x >> 24) * f3;
      x = (x + products) | 0;
    }
    sum = (sum + x) | 0;
  }
  return sum & 0xffffff;
}

/** Probe: products of four bytes at once in registers and nothing else. Its best rate is the roof of whole numbers. */
export const dot: Kernel<DotShape> = {
  fields: ["invocations", "chains", "steps"],
  variants: { chained },
  impossible({ chains, steps }) {
    if (chains > MOST_CHAINS) return `dot has ${MOST_CHAINS} chains at most`;
    return steps % 8 === 0 && steps <= MAX_DOT_STEPS
      ? undefined
      : `dot's steps are a multiple of 8, ${MAX_DOT_STEPS} at most`;
  },
  unsupported: (_shape, dtype: DType) =>
    quantsOf[dtype] === undefined ? `this probe runs in q8_0 or q4_0, not in ${dtype}` : undefined,
  shapeClass: ({ chains }) => `${chains} chains`,

  operands: ({ invocations }, dtype) => [
    { name: "coefficients", rows: 1, columns: 4, role: "activations", element: activationsOf[dtype] },
    { name: "sums", rows: 1, columns: invocations, role: "output", element: "f32" },
  ],

  // Four products and four sums in each step.
  work: ({ invocations, chains, steps }) => ({
    flops: 8 * invocations * chains * steps,
    bytes: 16 + 4 * invocations,
  }),

  products: ({ chains, steps }) => chains * steps,

  reference(shape, [coefficients], _row, columns) {
    const factors = [0, 1, 2, 3].map((column) => 2 * Math.floor(127 * coefficients!(0, column)) + 1);
    return columns.map((column) => ({
      value: sumOf(shape, factors, column),
      magnitude: 2 ** 24,
    }));
  },

  // Whole numbers, exactly.
  tolerance: () => 0,
};
