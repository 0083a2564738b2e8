// Matrix products by subgroup matrices: a tile of C for each workgroup, a patch of it in the matrices of each subgroup.

import wgsl from "../../shaders/matmul_matrix.wgsl?raw";
import direct from "../../shaders/matmul_matrix_direct.wgsl?raw";
import { activationsOf, bitsOf, type DType, quantsOf, roundoff } from "./elements";
import { pick, spotAt, type Variant } from "./kernel";
import { type UnitTuning, unitDemand, unitName, unitPrelude, unitSpace, units } from "./matrix_unit";
import type { MatmulShape } from "./product";

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

const tileOf = ({ GROUP_M, GROUP_N, MATRICES_M, MATRICES_N, UNIT_M, UNIT_N }: PatchTuning) =>
  [GROUP_M * MATRICES_M * UNIT_M, GROUP_N * MATRICES_N * UNIT_N] as const;

const tiles = ({ M, N }: MatmulShape, tuning: PatchTuning) => {
  const [tileM, tileN] = tileOf(tuning);
  return Math.ceil(M / tileM) * Math.ceil(N / tileN);
};

/** Bytes on the way out: a matrix for each subgroup. */
const resultBytes = ({ GROUP_M, GROUP_N, UNIT_M, UNIT_N, RESULT_BITS }: PatchTuning) =>
  (GROUP_M * GROUP_N * UNIT_M * UNIT_N * RESULT_BITS) / 8;

function unfit(tuning: PatchTuning, dtype: DType): string | undefined {
  const { UNIT_M, UNIT_N, MATRICES_M, MATRICES_N, SUBGROUP, OPERAND_BITS } = tuning;
  if (quantsOf[dtype] !== undefined) return "its weights are floats";
  if (OPERAND_BITS < bitsOf[activationsOf[dtype]]) return "it would round its operands";
  return (MATRICES_M * MATRICES_N * UNIT_M * UNIT_N) / SUBGROUP > MOST_SUMS
    ? "more sums than registers"
    : undefined;
}

/** What both variants have in common. */
const common: Pick<Variant<MatmulShape, PatchTuning>, "spot" | "slack"> = {
  spot({ M, N }, tuning, workgroup, choice) {
    const [tileM, tileN] = tileOf(tuning);
    const tilesM = Math.ceil(M / tileM);
    return spotAt(
      pick((workgroup % tilesM) * tileM, tileM, M, choice >>> 16),
      pick(Math.floor(workgroup / tilesM) * tileN, tileN, N, choice & 0xffff),
    );
  },
  // Sums of terms of either sign grow as the square root of their number, their rounding errors with them, and the
  // errors' sum once more: in proportion to the terms, as the magnitude does. Products alike in size are about half a
  // unit roundoff off, the worst of many elements four times that.
  slack: ({ RESULT_BITS }) => (RESULT_BITS === 16 ? 2 * roundoff.f16 : 0),
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
      workgroups: tiles(shape, tuning),
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
      workgroups: tiles(shape, tuning),
      binds: ["a", "b", "c"],
    },
  ],
};
