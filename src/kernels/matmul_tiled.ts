// Matrix products by workgroups: a tile of C for each, a patch of it in the registers of each thread.

import wgsl from "../../shaders/matmul_tiled.wgsl?raw";
import quants from "../../shaders/matmul_tiled_quants.wgsl?raw";
import { activationsOf, bitsOf, quantsOf } from "./elements";
import { preludeFor, type Variant } from "./kernel";
import { MOST_STATEMENTS, type Tile, tileCount, tileSpot } from "./output_tiles";
import { type MatmulShape, unpacking } from "./product";
import { partsOf, sumShaders, sumSpot, sumStage } from "./sum_parts";

type TiledTuning = {
  readonly GROUP_M: number;
  readonly GROUP_N: number;
  readonly THREAD_M: number;
  readonly THREAD_N: number;
  /** vec4s of each row held in workgroup memory; 0 = none, read through the caches. */
  readonly STAGE_K: number;
  /** Copies in workgroup memory by turns: with 2, threads fill one while others still read the other. */
  readonly BUFFERS: number;
  /** Workgroups that share a tile, each with its part of K: for outputs too small to fill a device. */
  readonly SPLIT: number;
};

type QuantsTuning = Omit<TiledTuning, "STAGE_K" | "BUFFERS" | "SPLIT">;

const tileOf = ({ GROUP_M, GROUP_N, THREAD_M, THREAD_N }: QuantsTuning): Tile => [
  GROUP_M * THREAD_M,
  GROUP_N * THREAD_N,
];

const patches = ({ GROUP_M, GROUP_N, THREAD_M, THREAD_N }: QuantsTuning) =>
  `${GROUP_M}x${GROUP_N} of ${THREAD_M}x${THREAD_N}`;

const groupSizes = [1, 2, 4, 8, 16, 32] as const;

/** Weights as floats. CPUs want large unstaged patches, GPUs staged ones. */
export const tiled: Variant<MatmulShape, TiledTuning> = {
  shaders: { matmul_tiled: wgsl, ...sumShaders },
  space: {
    GROUP_M: groupSizes,
    GROUP_N: groupSizes,
    THREAD_M: [1, 2, 4, 8, 16],
    THREAD_N: [4, 8, 16],
    STAGE_K: [0, 1, 2, 4, 8],
    BUFFERS: [1, 2],
    SPLIT: [1, 2, 4, 8],
  },
  starts: [
    { GROUP_M: 16, GROUP_N: 16, THREAD_M: 4, THREAD_N: 4, STAGE_K: 4, BUFFERS: 1, SPLIT: 1 },
    { GROUP_M: 16, GROUP_N: 16, THREAD_M: 8, THREAD_N: 8, STAGE_K: 2, BUFFERS: 1, SPLIT: 1 },
    { GROUP_M: 8, GROUP_N: 8, THREAD_M: 4, THREAD_N: 4, STAGE_K: 0, BUFFERS: 1, SPLIT: 1 },
    { GROUP_M: 4, GROUP_N: 4, THREAD_M: 8, THREAD_N: 8, STAGE_K: 0, BUFFERS: 1, SPLIT: 1 },
    { GROUP_M: 8, GROUP_N: 4, THREAD_M: 16, THREAD_N: 16, STAGE_K: 0, BUFFERS: 1, SPLIT: 1 },
    { GROUP_M: 8, GROUP_N: 8, THREAD_M: 4, THREAD_N: 4, STAGE_K: 2, BUFFERS: 2, SPLIT: 4 },
  ],
  describe: (tuning) =>
    patches(tuning) +
    (tuning.STAGE_K === 0 ? " direct" : ` staged ${tuning.STAGE_K}`) +
    (tuning.BUFFERS === 1 ? "" : " double") +
    (tuning.SPLIT === 1 ? "" : ` split ${tuning.SPLIT}`),

  unfit({ THREAD_M, THREAD_N, STAGE_K, BUFFERS, SPLIT }, { K }, dtype) {
    if (STAGE_K === 0 && BUFFERS > 1) return "there is nothing to buffer";
    if (quantsOf[dtype] !== undefined) return "its weights are floats";
    if (THREAD_M * THREAD_N * 4 * Math.max(STAGE_K, 1) > MOST_STATEMENTS) return "too much to write out";
    return SPLIT * 4 * Math.max(STAGE_K, 1) > K ? "K is too short to be split" : undefined;
  },

  demand(tuning, _shape, dtype) {
    const [tileM, tileN] = tileOf(tuning);
    const stride = tuning.STAGE_K === 0 ? 0 : tuning.STAGE_K + 1;
    return {
      threads: tuning.GROUP_M * tuning.GROUP_N,
      workgroupStorage: (tuning.BUFFERS * (tileM + tileN) * stride * 4 * bitsOf[activationsOf[dtype]]) / 8,
    };
  },

  stages(tuning, shape, dtype) {
    const elem = activationsOf[dtype];
    const { SPLIT } = tuning;
    const constants = { ...tuning, STEP_K: Math.max(tuning.STAGE_K, 1) };
    const prelude = preludeFor(elem, constants);
    const product = {
      shader: "matmul_tiled",
      prelude: { ...prelude, alias: { elem, target_elem: SPLIT === 1 ? elem : "f32" } },
      workgroups: tileCount(shape, tileOf(tuning)) * SPLIT,
      binds: ["a", "b", SPLIT === 1 ? "c" : "parts"],
    };
    return SPLIT === 1 ? [product] : [product, sumStage(elem, SPLIT, shape, "c")];
  },

  scratch: ({ SPLIT }, shape) => partsOf(SPLIT, shape),

  spot: (shape, tuning, workgroup, choice) =>
    tuning.SPLIT === 1
      ? tileSpot(shape, tileOf(tuning), workgroup, choice)
      : sumSpot(shape, workgroup, choice),
};

/** Weights as whole numbers with scales, unpacked into workgroup memory. */
export const tiledQuants: Variant<MatmulShape, QuantsTuning> = {
  shaders: { matmul_tiled_quants: quants },
  space: {
    GROUP_M: groupSizes,
    GROUP_N: groupSizes,
    THREAD_M: [1, 2, 4, 8, 16],
    THREAD_N: [4, 8, 16],
  },
  starts: [
    { GROUP_M: 8, GROUP_N: 8, THREAD_M: 4, THREAD_N: 4 },
    { GROUP_M: 8, GROUP_N: 16, THREAD_M: 8, THREAD_N: 4 },
    { GROUP_M: 2, GROUP_N: 4, THREAD_M: 16, THREAD_N: 8 },
  ],
  describe: (tuning) => `${patches(tuning)} unpacked`,
  unfit({ THREAD_M, THREAD_N }, _shape, dtype) {
    if (quantsOf[dtype] === undefined) return "its weights are whole numbers";
    return THREAD_M * THREAD_N * 4 > MOST_STATEMENTS ? "too much to write out" : undefined;
  },
  demand(tuning) {
    const [tileM, tileN] = tileOf(tuning);
    return { threads: tuning.GROUP_M * tuning.GROUP_N, workgroupStorage: (tileM + tileN) * 9 * 16 };
  },
  stages: (tuning, shape, dtype) => [
    {
      shader: "matmul_tiled_quants",
      prelude: preludeFor(activationsOf[dtype], { ...tuning, ...unpacking(dtype) }),
      workgroups: tileCount(shape, tileOf(tuning)),
      binds: ["a", "b", "scales", "c"],
    },
  ],
  spot: (shape, tuning, workgroup, choice) => tileSpot(shape, tileOf(tuning), workgroup, choice),
};
