// Matrix-vector products whose weights are whole numbers with a scale per block of 32.

import packedWgsl from "../../shaders/matvec_packed.wgsl?raw";
import quantsWgsl from "../../shaders/matvec_quants.wgsl?raw";
import quantiseWgsl from "../../shaders/quantise.wgsl?raw";
import { activationsOf, BLOCK, type DType, quantsOf } from "./elements";
import { type Matrix, preludeFor, type Variant } from "./kernel";
import {
  arrangement,
  type LanesTuning,
  laneDescription,
  laneExtensions,
  laneSpace,
  type PerOutput,
} from "./matvec_lanes";
import { type MatmulShape, quantisedInput, unpacking, weightBits } from "./product";

const starts: readonly LanesTuning[] = [
  { LANES: 32, TEAMS: 4, ROWS: 4, SUBGROUP: 0 },
  { LANES: 32, TEAMS: 4, ROWS: 4, SUBGROUP: 32 },
  { LANES: 8, TEAMS: 1, ROWS: 8, SUBGROUP: 0 },
  { LANES: 8, TEAMS: 1, ROWS: 8, SUBGROUP: 8 },
  { LANES: 4, TEAMS: 2, ROWS: 8, SUBGROUP: 4 },
  { LANES: 1, TEAMS: 8, ROWS: 4, SUBGROUP: 0 },
];

const unfitFloats = (dtype: DType): string | undefined =>
  quantsOf[dtype] === undefined ? "its weights are whole numbers" : undefined;

/** Unpacked in registers and multiplied as floats. */
export function quants(perOutput: PerOutput): Variant<MatmulShape, LanesTuning> {
  const { unfit, demand, constants, workgroups, spot } = arrangement(perOutput);
  return {
    shaders: { matvec_quants: quantsWgsl },
    space: laneSpace,
    starts,
    describe: (tuning) => `${laneDescription(tuning)} unpacked`,
    unfit: (tuning, shape, dtype) => unfitFloats(dtype) ?? unfit(tuning, shape),
    demand,
    stages(tuning, shape, dtype) {
      const all = { ...constants(tuning, shape), ...unpacking(dtype) };
      return [
        {
          shader: "matvec_quants",
          prelude: preludeFor(activationsOf[dtype], all, laneExtensions(tuning)),
          workgroups: workgroups(tuning, shape),
          binds: ["x", "w", "scales", "y"],
        },
      ];
    },
    spot,
  };
}

const QUANTISE_THREADS = 64;

/** To the nearest whole number, halves to the even one: WGSL's round(). */
function roundEven(value: number): number {
  const nearest = Math.round(value);
  return nearest - value === 0.5 && nearest % 2 !== 0 ? nearest - 1 : nearest;
}

/** X as eight-bit whole numbers times a scale per block: what quantise.wgsl makes of it, in f32 as it does. */
function roundedToBytes(x: Matrix, K: number): Matrix {
  const largest = new Map<number, number>();
  const topOf = (row: number, block: number): number => {
    const key = row * (K / BLOCK) + block;
    const known = largest.get(key);
    if (known !== undefined) return known;
    let top = 0;
    for (let k = block * BLOCK; k < (block + 1) * BLOCK; k++) top = Math.max(top, Math.abs(x(row, k)));
    largest.set(key, top);
    return top;
  };
  return (row, k) => {
    const top = topOf(row, Math.floor(k / BLOCK));
    if (top === 0) return 0;
    const quant = roundEven(Math.fround(x(row, k) * Math.fround(127 / top)));
    return (quant * top) / 127;
  };
}

/** Multiplied as whole numbers, four in one instruction, by activations that a first stage rounds to eight bits. */
export function packed(perOutput: PerOutput): Variant<MatmulShape, LanesTuning> {
  const { unfit, demand, constants, workgroups, spot } = arrangement(perOutput);
  return {
    shaders: { quantise: quantiseWgsl, matvec_packed: packedWgsl },
    space: laneSpace,
    starts,
    describe: (tuning) => `${laneDescription(tuning)} packed`,
    unfit: (tuning, shape, dtype) => unfitFloats(dtype) ?? unfit(tuning, shape),
    demand: (tuning, shape) => ({
      ...demand(tuning, shape),
      threads: Math.max(tuning.LANES * tuning.TEAMS, QUANTISE_THREADS),
      packedDot: true,
    }),
    stages(tuning, shape, dtype) {
      const BITS = weightBits(dtype);
      const elem = activationsOf[dtype];
      const bits = { FOUR_BITS: Number(BITS === 4), EIGHT_BITS: Number(BITS === 8) };
      return [
        {
          shader: "quantise",
          prelude: preludeFor(elem, { THREADS: QUANTISE_THREADS, BITS }),
          workgroups: Math.ceil((shape.M * shape.K) / BLOCK / QUANTISE_THREADS),
          binds: ["x", "x_quants", "x_scales"],
        },
        {
          shader: "matvec_packed",
          prelude: preludeFor(elem, { ...constants(tuning, shape), ...bits }, laneExtensions(tuning)),
          workgroups: workgroups(tuning, shape),
          binds: ["x_quants", "x_scales", "w", "scales", "y"],
        },
      ];
    },
    scratch: (_tuning, { M, K }) => quantisedInput(M, K),
    spot,
    rounded: {
      inputs: ([x, ...weights], { K }) => [roundedToBytes(x!, K), ...weights],
      // Division may be off by 2.5 ULP (WGSL 15.7.4), so what lies halfway between two whole numbers may be rounded either
      // way: two such of K are allowed for, each of a step of 1/127 of the largest, where the mean is half of that.
      slack: ({ K }) => (2 * 4) / 127 / K,
    },
  };
}
