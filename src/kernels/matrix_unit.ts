// What kernels that multiply by subgroup matrices have in common.
// https://github.com/gpuweb/gpuweb/blob/main/proposals/subgroup-matrix.md

import type { Float } from "./elements";
import { type Demand, type MatrixUnit, type Prelude, preludeFor } from "./kernel";

/** One size of matrix that a device multiplies, and what it multiplies and sums in. */
export type UnitTuning = {
  readonly UNIT_M: number;
  readonly UNIT_N: number;
  readonly UNIT_K: number;
  /** 16 or 32, of the floats that are multiplied. */
  readonly OPERAND_BITS: number;
  /** 16 or 32, of the sums. */
  readonly RESULT_BITS: number;
  /** Most lanes that a subgroup of the device has, which are the device's and no choice. */
  readonly SUBGROUP: number;
};

const floatOf = (bits: number): Float => (bits === 16 ? "f16" : "f32");

/** Bits of operands and of results. */
const HALVES = [
  [16, 32],
  [16, 16],
] as const;
const FLOATS = [...HALVES, [32, 32]] as const;

/** The units that are about: their M, N and K, in which types, and the lanes of the subgroups that have them. */
const known = [
  // Apple; lavapipe.
  { size: [8, 8, 8], types: FLOATS, lanes: [32, 8] },
  // NVIDIA; AMD.
  { size: [16, 16, 16], types: HALVES, lanes: [32, 64] },
  // Intel.
  { size: [8, 16, 16], types: HALVES, lanes: [32, 16] },
  // NVIDIA.
  { size: [16, 8, 16], types: HALVES, lanes: [32] },
  { size: [16, 8, 8], types: HALVES, lanes: [32] },
] as const;

export const unitSpace = {
  UNIT_M: [8, 16],
  UNIT_N: [8, 16],
  UNIT_K: [8, 16],
  OPERAND_BITS: [16, 32],
  RESULT_BITS: [16, 32],
  SUBGROUP: [8, 16, 32, 64],
};

/** Everything that some device may have. */
export const units: readonly UnitTuning[] = known.flatMap(
  ({ size: [UNIT_M, UNIT_N, UNIT_K], types, lanes }) =>
    types.flatMap(([OPERAND_BITS, RESULT_BITS]) =>
      lanes.map((SUBGROUP) => ({ UNIT_M, UNIT_N, UNIT_K, OPERAND_BITS, RESULT_BITS, SUBGROUP })),
    ),
);

/** The unit that a tuning asks for. */
export const unitOf = ({ UNIT_M, UNIT_N, UNIT_K, OPERAND_BITS, RESULT_BITS }: UnitTuning): MatrixUnit => ({
  element: floatOf(OPERAND_BITS),
  result: floatOf(RESULT_BITS),
  M: UNIT_M,
  N: UNIT_N,
  K: UNIT_K,
});

/** "8x8x8 of f16 in f32, subgroups of 8" */
export const unitName = (tuning: UnitTuning): string => {
  const { element, result, M, N, K } = unitOf(tuning);
  return `${M}x${N}x${K} ${element}${result === "f32" ? "" : ` in ${result}`} by ${tuning.SUBGROUP}`;
};

/** The demand of `subgroups` of them in a workgroup with so many bytes of memory besides. */
export const unitDemand = (tuning: UnitTuning, subgroups: number, workgroupStorage: number): Demand => ({
  threads: subgroups * tuning.SUBGROUP,
  workgroupStorage,
  subgroup: tuning.SUBGROUP,
  matrix: unitOf(tuning),
});

/** Lines for a shader with matrices: `elem` is what memory holds, `unit_elem` what is multiplied, `sum_elem` the sums. */
export function unitPrelude(
  elem: Float,
  tuning: UnitTuning,
  constants: Readonly<Record<string, number>>,
): Prelude {
  const { element, result } = unitOf(tuning);
  const { UNIT_M, UNIT_N, UNIT_K, SUBGROUP } = tuning;
  const numbers = { UNIT_M, UNIT_N, UNIT_K, SUBGROUP, ...constants };
  const f16 = elem !== "f16" && (element === "f16" || result === "f16") ? ["f16"] : [];
  const enable = [...f16, "subgroups", "chromium_experimental_subgroup_matrix"];
  return {
    ...preludeFor(elem, numbers, enable),
    alias: { elem, unit_elem: element, sum_elem: result },
  };
}
