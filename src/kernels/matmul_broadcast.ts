// Matrix products by subgroups: lanes hand each other the rows of A that they all need.

import wgsl from "../../shaders/matmul_broadcast.wgsl?raw";
import quants from "../../shaders/matmul_broadcast_quants.wgsl?raw";
import { activationsOf, type DType, quantsOf } from "./elements";
import { preludeFor, type Variant } from "./kernel";
import { MOST_STATEMENTS, type Tile, tileCount, tileSpot } from "./output_tiles";
import { type MatmulShape, weightBits } from "./product";

type BroadcastTuning = {
  /** Lanes of a subgroup, which are the device's and no choice. */
  readonly SUBGROUP: number;
  /** Subgroups of a workgroup. */
  readonly SUBGROUPS: number;
  readonly THREAD_M: number;
  readonly THREAD_N: number;
  /** Turns of the loop along K that are written out. */
  readonly TURNS: number;
  /** 1 where a step's rows of A stay in registers, 0 where those of B do. */
  readonly HOLD_A: number;
};

type QuantsTuning = Omit<BroadcastTuning, "HOLD_A">;

const derived = ({ SUBGROUP, THREAD_M }: QuantsTuning) => ({
  LOADS: Math.max(THREAD_M / SUBGROUP, 1),
  STEP_K: Math.max(SUBGROUP / THREAD_M, 1),
});

const tileOf = ({ SUBGROUP, SUBGROUPS, THREAD_M, THREAD_N }: QuantsTuning): Tile => [
  SUBGROUPS * THREAD_M,
  SUBGROUP * THREAD_N,
];

function unfit(tuning: QuantsTuning): string | undefined {
  const { STEP_K } = derived(tuning);
  return tuning.THREAD_M * tuning.THREAD_N * 4 * STEP_K * tuning.TURNS > MOST_STATEMENTS
    ? "too much to write out"
    : undefined;
}

const space = {
  SUBGROUP: [4, 8, 16, 32, 64],
  SUBGROUPS: [1, 2, 4, 8],
  THREAD_M: [4, 8, 16, 32, 64],
  THREAD_N: [4, 8, 16],
  TURNS: [1, 2, 4],
};

/** What both variants have in common. */
const common = {
  demand: ({ SUBGROUP, SUBGROUPS }: QuantsTuning) => ({
    threads: SUBGROUP * SUBGROUPS,
    workgroupStorage: 0,
    subgroup: SUBGROUP,
  }),
  spot: (shape: MatmulShape, tuning: QuantsTuning, workgroup: number, choice: number) =>
    tileSpot(shape, tileOf(tuning), workgroup, choice),
};

const described = ({ SUBGROUP, SUBGROUPS, THREAD_M, THREAD_N, TURNS }: QuantsTuning) =>
  `${SUBGROUPS}x${SUBGROUP} of ${THREAD_M}x${THREAD_N}${TURNS === 1 ? "" : `x${TURNS}`}`;

/** Weights as floats. */
export const broadcast: Variant<MatmulShape, BroadcastTuning> = {
  ...common,
  shaders: { matmul_broadcast: wgsl },
  space: { ...space, HOLD_A: [0, 1] },
  starts: [
    { SUBGROUP: 4, SUBGROUPS: 1, THREAD_M: 32, THREAD_N: 16, TURNS: 1, HOLD_A: 1 },
    { SUBGROUP: 8, SUBGROUPS: 4, THREAD_M: 32, THREAD_N: 8, TURNS: 1, HOLD_A: 0 },
    { SUBGROUP: 16, SUBGROUPS: 4, THREAD_M: 16, THREAD_N: 4, TURNS: 1, HOLD_A: 0 },
    { SUBGROUP: 32, SUBGROUPS: 4, THREAD_M: 16, THREAD_N: 4, TURNS: 1, HOLD_A: 0 },
    { SUBGROUP: 64, SUBGROUPS: 2, THREAD_M: 16, THREAD_N: 4, TURNS: 1, HOLD_A: 0 },
  ],
  describe: (tuning) => `${described(tuning)} ${tuning.HOLD_A === 1 ? "A" : "B"}`,
  unfit: (tuning, _shape, dtype) =>
    quantsOf[dtype] === undefined ? unfit(tuning) : "its weights are floats",
  stages({ HOLD_A, ...tuning }, shape, dtype) {
    const { THREAD_M, THREAD_N } = tuning;
    const bounds = {
      HOLD_A_M: HOLD_A * THREAD_M,
      HOLD_A_N: HOLD_A * THREAD_N,
      HOLD_B_M: (1 - HOLD_A) * THREAD_M,
      HOLD_B_N: (1 - HOLD_A) * THREAD_N,
    };
    const constants = { ...tuning, ...derived(tuning), ...bounds };
    return [
      {
        shader: "matmul_broadcast",
        prelude: preludeFor(activationsOf[dtype], constants, ["subgroups"]),
        workgroups: tileCount(shape, tileOf(tuning)),
        binds: ["a", "b", "c"],
      },
    ];
  },
};

/** Weights as whole numbers with scales, unpacked in registers. */
export const broadcastQuants: Variant<MatmulShape, QuantsTuning> = {
  ...common,
  shaders: { matmul_broadcast_quants: quants },
  space,
  starts: [
    { SUBGROUP: 4, SUBGROUPS: 1, THREAD_M: 32, THREAD_N: 8, TURNS: 2 },
    { SUBGROUP: 8, SUBGROUPS: 1, THREAD_M: 32, THREAD_N: 8, TURNS: 1 },
    { SUBGROUP: 16, SUBGROUPS: 4, THREAD_M: 16, THREAD_N: 4, TURNS: 1 },
    { SUBGROUP: 32, SUBGROUPS: 4, THREAD_M: 16, THREAD_N: 4, TURNS: 1 },
    { SUBGROUP: 64, SUBGROUPS: 2, THREAD_M: 16, THREAD_N: 4, TURNS: 1 },
  ],
  describe: (tuning) => `${described(tuning)} shared`,
  unfit(tuning, _shape, dtype: DType) {
    if (quantsOf[dtype] === undefined) return "its weights are whole numbers";
    return derived(tuning).STEP_K * tuning.TURNS > 8 ? "a block is shorter than a step" : unfit(tuning);
  },
  stages(tuning, shape, dtype) {
    const BITS = weightBits(dtype);
    const constants = { ...tuning, ...derived(tuning), BITS, WORDS: BITS / 4 };
    return [
      {
        shader: "matmul_broadcast_quants",
        prelude: preludeFor(activationsOf[dtype], constants, ["subgroups"]),
        workgroups: tileCount(shape, tileOf(tuning)),
        binds: ["a", "b", "scales", "c"],
      },
    ];
  },
};
