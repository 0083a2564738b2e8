// Matrix products by subgroup matrices: a tile of C for each workgroup, a patch of it in the matrices of each subgroup.

import wgsl from "../../shaders/matmul_matrix.wgsl?raw";
import direct from "../../shaders/matmul_matrix_direct.wgsl?raw";
import quants from "../../shaders/matmul_matrix_quants.wgsl?raw";
import { activationsOf, BLOCK, bitsOf, type DType, quantsOf, roundoff } from "./elements";
import type { Variant } from "./kernel";
import { type UnitTuning, unitDemand, unitName, unitPrelude, unitSpace, units } from "./matrix_unit";
import { type Tile, tileCount, tileSpot } from "./output_tiles";
import { type MatmulShape, weightBits } from "./product";

type DirectTuning = UnitTuning & {
  /** Subgroups of a workgroup. */
  readonly GROUP_M: number;
  readonly GROUP_N: number;
  /** Matrices of sums that a subgroup holds. */
  readonly MATRICES_M: number;
  readonly MATRICES_N: number;
  /** Unit sizes of K in one turn of the loop. */
  readonly STEP_K: number;
};

type StagedTuning = Omit<DirectTuning, "STEP_K"> & {
  /** Unit sizes of K held in workgroup memory. */
  readonly STAGE_K: number;
};

type PatchTuning = Omit<DirectTuning, "STEP_K">;

/** Sums in the registers of a lane: with more, they spill. */
const MOST_SUMS = 128;

/** Elements of padding after each staged row: 16 bytes at least, which loads are aligned to. */
const STAGE_PAD = 8;

const tileOf = ({ GROUP_M, GROUP_N, MATRICES_M, MATRICES_N, UNIT_M, UNIT_N }: PatchTuning): Tile => [
  GROUP_M * MATRICES_M * UNIT_M,
  GROUP_N * MATRICES_N * UNIT_N,
];

/** Bytes on the way out: a matrix for each subgroup. */
const resultBytes = ({ GROUP_M, GROUP_N, UNIT_M, UNIT_N, RESULT_BITS }: PatchTuning) =>
  (GROUP_M * GROUP_N * UNIT_M * UNIT_N * RESULT_BITS) / 8;

const tooMuch = (tuning: PatchTuning): string | undefined => {
  const { UNIT_M, UNIT_N, MATRICES_M, MATRICES_N, SUBGROUP } = tuning;
  return (MATRICES_M * MATRICES_N * UNIT_M * UNIT_N) / SUBGROUP > MOST_SUMS
    ? "more sums than registers"
    : undefined;
};

function unfit(tuning: PatchTuning, dtype: DType): string | undefined {
  if (quantsOf[dtype] !== undefined) return "its weights are floats";
  if (tuning.OPERAND_BITS < bitsOf[activationsOf[dtype]]) return "it would round its operands";
  return tooMuch(tuning);
}

/**
 * Sums of terms of either sign grow as the square root of their number, their rounding errors with them, and the
 * errors' sum once more: in proportion to the terms, as the magnitude does. Products alike in size are about half a
 * unit roundoff off, the worst of many elements four times that.
 */
const sumSlack = ({ RESULT_BITS }: UnitTuning) => (RESULT_BITS === 16 ? 2 * roundoff.f16 : 0);

/** What all variants have in common. */
const common: Pick<Variant<MatmulShape, PatchTuning>, "spot" | "slack"> = {
  spot: (shape, tuning, workgroup, choice) => tileSpot(shape, tileOf(tuning), workgroup, choice),
  slack: sumSlack,
};

const patches = (tuning: PatchTuning) =>
  `${tuning.GROUP_M}x${tuning.GROUP_N} of ${tuning.MATRICES_M}x${tuning.MATRICES_N} of ${unitName(tuning)}`;

const space = {
  ...unitSpace,
  GROUP_M: [1, 2, 4, 8],
  GROUP_N: [1, 2, 4, 8],
  MATRICES_M: [1, 2, 4, 8],
  MATRICES_N: [1, 2, 4, 8],
};

/** Patches to begin with: for GPUs and for CPUs. */
const patchStarts = [
  { GROUP_M: 2, GROUP_N: 2, MATRICES_M: 2, MATRICES_N: 2 },
  { GROUP_M: 2, GROUP_N: 4, MATRICES_M: 4, MATRICES_N: 2 },
  { GROUP_M: 1, GROUP_N: 1, MATRICES_M: 4, MATRICES_N: 4 },
];

const starts = patchStarts.flatMap((patch) => units.map((unit) => ({ ...unit, ...patch })));

const constants = (tuning: PatchTuning) => {
  const { GROUP_M, GROUP_N, MATRICES_M, MATRICES_N } = tuning;
  return { GROUP_M, GROUP_N, MATRICES_M, MATRICES_N, SUMS: MATRICES_M * MATRICES_N };
};

/** Operands through workgroup memory, whatever the shape. */
export const matrix: Variant<MatmulShape, StagedTuning> = {
  ...common,
  shaders: { matmul_matrix: wgsl },
  space: { ...space, STAGE_K: [1, 2, 4, 8] },
  starts: starts.map((start) => ({ ...start, STAGE_K: 2 })),
  describe: (tuning) => `${patches(tuning)} staged ${tuning.STAGE_K}`,
  unfit: (tuning, _shape, dtype) => unfit(tuning, dtype),
  demand(tuning) {
    const { GROUP_M, GROUP_N, UNIT_K, STAGE_K, OPERAND_BITS } = tuning;
    const [tileM, tileN] = tileOf(tuning);
    const staged = ((tileM + tileN) * (STAGE_K * UNIT_K + STAGE_PAD) * OPERAND_BITS) / 8;
    return unitDemand(tuning, GROUP_M * GROUP_N, staged + resultBytes(tuning));
  },
  stages: (tuning, shape, dtype) => [
    {
      shader: "matmul_matrix",
      prelude: unitPrelude(activationsOf[dtype], tuning, {
        ...constants(tuning),
        STAGE_K: tuning.STAGE_K,
        STAGE_PAD,
      }),
      workgroups: tileCount(shape, tileOf(tuning)),
      binds: ["a", "b", "c"],
    },
  ],
};

/** Operands from where they lie. */
export const matrixDirect: Variant<MatmulShape, DirectTuning> = {
  ...common,
  shaders: { matmul_matrix_direct: direct },
  space: { ...space, STEP_K: [1, 2, 4] },
  starts: starts.map((start) => ({ ...start, STEP_K: 1 })),
  describe: (tuning) => `${patches(tuning)} direct${tuning.STEP_K === 1 ? "" : ` ${tuning.STEP_K}`}`,
  unfit(tuning, { M, N, K }, dtype) {
    const { UNIT_M, UNIT_N, UNIT_K, STEP_K, OPERAND_BITS } = tuning;
    if (OPERAND_BITS !== bitsOf[activationsOf[dtype]]) return "its operands are multiplied as they are";
    if (M % UNIT_M !== 0 || N % UNIT_N !== 0 || K % (STEP_K * UNIT_K) !== 0)
      return "no whole number of matrices";
    return unfit(tuning, dtype);
  },
  demand: (tuning) => unitDemand(tuning, tuning.GROUP_M * tuning.GROUP_N, resultBytes(tuning)),
  stages: (tuning, shape, dtype) => [
    {
      shader: "matmul_matrix_direct",
      prelude: unitPrelude(activationsOf[dtype], tuning, { ...constants(tuning), STEP_K: tuning.STEP_K }),
      workgroups: tileCount(shape, tileOf(tuning)),
      binds: ["a", "b", "c"],
    },
  ],
};

/** Weights as whole numbers with scales, unpacked into workgroup memory. */
export const matrixQuants: Variant<MatmulShape, PatchTuning> = {
  ...common,
  shaders: { matmul_matrix_quants: quants },
  space,
  starts,
  describe: (tuning) => `${patches(tuning)}, unpacked`,
  unfit: (tuning, _shape, dtype) =>
    quantsOf[dtype] === undefined ? "its weights are whole numbers" : tooMuch(tuning),
  demand(tuning) {
    const [tileM, tileN] = tileOf(tuning);
    const staged = ((tileM + tileN) * (BLOCK + STAGE_PAD) * tuning.OPERAND_BITS) / 8;
    return unitDemand(tuning, tuning.GROUP_M * tuning.GROUP_N, staged + resultBytes(tuning));
  },
  stages(tuning, shape, dtype) {
    const BITS = weightBits(dtype);
    const sizes = { STEPS: BLOCK / tuning.UNIT_K, STAGE_PAD, BITS, WORDS: BITS / 4, FOURS: 32 / BITS };
    return [
      {
        shader: "matmul_matrix_quants",
        prelude: unitPrelude(activationsOf[dtype], tuning, { ...constants(tuning), ...sizes }),
        workgroups: tileCount(shape, tileOf(tuning)),
        binds: ["a", "b", "scales", "c"],
      },
    ];
  },
  // Both operands of a product are rounded, by two unit roundoffs at most; the rounding errors of many are of either
  // sign and grow as the square root of their number, while the magnitude grows with it: by 0.8 unit roundoffs for
  // products as uneven as these, and six times that for the worst of many elements.
  slack: (tuning, { K }) =>
    sumSlack(tuning) + (tuning.OPERAND_BITS === 16 ? roundoff.f16 * Math.min(2, 5 / Math.sqrt(K)) : 0),
};
