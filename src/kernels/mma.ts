import wgsl from "../../shaders/mma.wgsl?raw";
import { activationsOf, bitsOf } from "./elements";
import { type Kernel, onlyFloats, pick, spotAt, type Variant } from "./kernel";
import { type UnitTuning, unitDemand, unitName, unitPrelude, unitSpace, units } from "./matrix_unit";

export type MmaShape = {
  readonly subgroups: number;
  /** Independent sums of each subgroup: two times as many as there are right operands. */
  readonly chains: number;
  /** Multiply-accumulates of each chain; a multiple of 8. */
  readonly steps: number;
  readonly M: number;
  readonly N: number;
  readonly K: number;
};

/** More steps than these cannot be counted exactly where sums are f16. */
export const MAX_MMA_STEPS = 1920;

const MOST_CHAINS = 16;
const LARGEST_SIDE = 64;

/** Left operands; each meets each of the right ones. */
const LEFTS = 2;

type MmaTuning = UnitTuning & {
  /** Of a workgroup. */
  readonly SUBGROUPS: number;
};

const outer: Variant<MmaShape, MmaTuning> = {
  shaders: { mma: wgsl },
  space: { ...unitSpace, SUBGROUPS: [1, 2, 4, 8] },
  starts: [4, 1].flatMap((SUBGROUPS) => units.map((unit) => ({ ...unit, SUBGROUPS }))),
  describe: (tuning) => `${tuning.SUBGROUPS} of ${unitName(tuning)}`,
  unfit({ UNIT_M, UNIT_N, UNIT_K, OPERAND_BITS }, { M, N, K }, dtype) {
    if (UNIT_M !== M || UNIT_N !== N || UNIT_K !== K) return "matrices of another size";
    return OPERAND_BITS === bitsOf[activationsOf[dtype]] ? undefined : "matrices of another type";
  },
  demand(tuning, { chains }) {
    const { SUBGROUPS, UNIT_M, UNIT_N, UNIT_K, OPERAND_BITS, RESULT_BITS } = tuning;
    const operands = (LEFTS * UNIT_M + (chains / LEFTS) * UNIT_N) * UNIT_K * OPERAND_BITS;
    return unitDemand(tuning, SUBGROUPS, (operands + SUBGROUPS * UNIT_M * UNIT_N * RESULT_BITS) / 8);
  },
  stages(tuning, { subgroups, chains }, dtype) {
    const { SUBGROUPS, SUBGROUP, UNIT_M, UNIT_N } = tuning;
    const RIGHTS = chains / LEFTS;
    const OWN = Math.max(1, (UNIT_M * UNIT_N) / SUBGROUP);
    return [
      {
        shader: "mma",
        prelude: unitPrelude(activationsOf[dtype], tuning, { SUBGROUPS, LEFTS, RIGHTS, CHAINS: chains, OWN }),
        workgroups: Math.ceil(subgroups / SUBGROUPS),
        binds: ["signs", "sums"],
      },
    ];
  },
  spot: ({ subgroups, M, N }, { SUBGROUPS }, workgroup, choice) =>
    spotAt(pick(workgroup * SUBGROUPS, SUBGROUPS, subgroups, choice >>> 16), (choice & 0xffff) % (M * N)),
};

/** Signs of the rows of the left operands, and of the columns of the right ones. */
const signs = ({ chains, M, N }: MmaShape) => Math.max(LEFTS * M, (chains / LEFTS) * N);

/** Probe: matrix multiply-accumulates of subgroups, operands in registers. Its best rate is the roof of matrix units. */
export const mma: Kernel<MmaShape> = {
  fields: ["subgroups", "chains", "steps", "M", "N", "K"],
  variants: { outer },
  impossible({ chains, steps, M, N, K }) {
    if (chains > MOST_CHAINS || chains % LEFTS !== 0)
      return `mma has an even number of chains, ${MOST_CHAINS} at most`;
    if (Math.max(M, N, K) > LARGEST_SIDE) return `mma's matrices have sides of ${LARGEST_SIDE} at most`;
    if ((M * N) % 4 !== 0 || K % 2 !== 0) return "mma's matrices have even sides";
    return steps % 8 === 0 && steps <= MAX_MMA_STEPS
      ? undefined
      : `mma's steps are a multiple of 8, ${MAX_MMA_STEPS} at most`;
  },
  unsupported: onlyFloats,
  shapeClass: ({ chains, M, N, K }) => `${M}x${N}x${K}, ${chains} chains`,

  operands: (shape, dtype) => [
    {
      name: "signs",
      rows: 2,
      columns: signs(shape),
      role: "activations",
      element: activationsOf[dtype],
    },
    { name: "sums", rows: shape.subgroups, columns: shape.M * shape.N, role: "output", element: "f32" },
  ],

  work: (shape, dtype) => ({
    flops: 2 * shape.M * shape.N * shape.K * shape.subgroups * shape.chains * shape.steps,
    bytes: (2 * signs(shape) * bitsOf[activationsOf[dtype]]) / 8 + 4 * shape.subgroups * shape.M * shape.N,
  }),

  products: ({ chains }) => chains,

  // Every row of a left operand times every column of a right one is the product of their signs: see mma.wgsl.
  reference({ chains, steps, M, N }, [given], row, columns) {
    const rights = chains / LEFTS;
    const sign = (which: number, at: number) => 2 * Math.floor(given!(which, at)) + 1;
    return columns.map((column) => {
      const [m, n] = [Math.floor(column / N), column % N];
      let value = 0;
      for (let chain = 0; chain < chains; chain++) {
        const [left, right] = [Math.floor(chain / rights), chain % rights];
        value += ((row * chains + chain) % 64) + steps * sign(0, left * M + m) * sign(1, right * N + n);
      }
      return { value, magnitude: chains * (64 + steps) };
    });
  },

  // Counting is exact.
  tolerance: () => 0,
};
