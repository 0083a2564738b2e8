// Matrix-vector products whose weights are floats.

import lanesWgsl from "../../shaders/matvec_lanes.wgsl?raw";
import wideWgsl from "../../shaders/matvec_wide.wgsl?raw";
import { activationsOf, quantsOf } from "./elements";
import { pick, preludeFor, spotAt, type Variant } from "./kernel";
import {
  arrangement,
  type LanesTuning,
  laneDescription,
  laneExtensions,
  laneSpace,
  type PerOutput,
} from "./matvec_lanes";
import type { MatmulShape } from "./product";
import { partsOf, sumShaders, sumSpot, sumStage } from "./sum_parts";

type SplitTuning = LanesTuning & {
  /** Workgroups that share rows, each with its part of K: for outputs too short to fill a device. */
  readonly SPLIT: number;
};

/** vec4s of K that each lane should have at least in a part. */
const LEAST_TURNS = 4;

/** Lanes share a row: neighbouring threads read neighbouring vec4s, as GPUs like it. */
export function lanes(perOutput: PerOutput): Variant<MatmulShape, SplitTuning> {
  const { unfit, demand, constants, workgroups, spot } = arrangement(perOutput);
  return {
    shaders: { matvec_lanes: lanesWgsl, ...sumShaders },
    // Two rows that gate each other have to meet before they are added up.
    space: { ...laneSpace, SPLIT: perOutput === 1 ? [1, 2, 4, 8] : [1] },
    starts: [
      { LANES: 32, TEAMS: 4, ROWS: 4, SUBGROUP: 0, SPLIT: 1 },
      { LANES: 32, TEAMS: 4, ROWS: 4, SUBGROUP: 32, SPLIT: 1 },
      { LANES: 64, TEAMS: 1, ROWS: 2, SUBGROUP: 0, SPLIT: 1 },
      { LANES: 8, TEAMS: 1, ROWS: 8, SUBGROUP: 0, SPLIT: 1 },
      { LANES: 1, TEAMS: 16, ROWS: 4, SUBGROUP: 0, SPLIT: 1 },
      ...(perOutput === 1 ? [{ LANES: 32, TEAMS: 4, ROWS: 4, SUBGROUP: 0, SPLIT: 4 }] : []),
    ],
    describe: (tuning) => laneDescription(tuning) + (tuning.SPLIT === 1 ? "" : ` split ${tuning.SPLIT}`),
    unfit(tuning, shape, dtype) {
      if (quantsOf[dtype] !== undefined) return "its weights are floats";
      if (tuning.SPLIT > 1 && tuning.SPLIT * tuning.LANES * 4 * LEAST_TURNS > shape.K)
        return "K is too short to be split";
      return unfit(tuning, shape);
    },
    demand,
    stages(tuning, shape, dtype) {
      const elem = activationsOf[dtype];
      const { SPLIT } = tuning;
      const prelude = preludeFor(elem, { ...constants(tuning, shape), SPLIT }, laneExtensions(tuning));
      const product = {
        shader: "matvec_lanes",
        prelude: { ...prelude, alias: { elem, target_elem: SPLIT === 1 ? elem : "f32" } },
        workgroups: workgroups(tuning, shape) * SPLIT,
        binds: ["x", "w", SPLIT === 1 ? "y" : "parts"],
      };
      return SPLIT === 1 ? [product] : [product, sumStage(elem, SPLIT, shape, "y")];
    },
    scratch: ({ SPLIT }, shape) => partsOf(SPLIT, shape),
    spot: (shape, tuning, workgroup, choice) =>
      tuning.SPLIT === 1 ? spot(shape, tuning, workgroup, choice) : sumSpot(shape, workgroup, choice),
  };
}

type WideTuning = {
  readonly THREADS: number;
  /** Rows of W per thread. */
  readonly ROWS: number;
  /** Lanes of a subgroup, which share their loads of X; 0 where each thread loads all of it. */
  readonly SUBGROUP: number;
};

/** 64-byte words of X that the lanes of a subgroup load at once. */
const stepOf = ({ SUBGROUP }: WideTuning) => Math.max(SUBGROUP / 4, 1);

/** Threads walk along rows of their own, 64 bytes at a time, as CPUs like it. */
export const wide: Variant<MatmulShape, WideTuning> = {
  shaders: { matvec_wide: wideWgsl },
  space: {
    THREADS: [4, 8, 16, 32, 64],
    ROWS: [1, 2, 4, 8, 16],
    SUBGROUP: [0, 4, 8, 16],
  },
  starts: [
    { THREADS: 8, ROWS: 4, SUBGROUP: 4 },
    { THREADS: 32, ROWS: 8, SUBGROUP: 8 },
    { THREADS: 8, ROWS: 8, SUBGROUP: 0 },
  ],
  describe: ({ THREADS, ROWS, SUBGROUP }) =>
    `${THREADS} of ${ROWS} rows${SUBGROUP === 0 ? "" : ` by ${SUBGROUP}`}`,
  unfit(tuning, { M, K }, dtype) {
    if (quantsOf[dtype] !== undefined) return "its weights are floats";
    if (tuning.THREADS < tuning.SUBGROUP) return "a workgroup is less than a subgroup";
    if (K % (16 * stepOf(tuning)) !== 0) return "rows are not a whole number of steps";
    return M * tuning.ROWS > 32 ? "too much to write out" : undefined;
  },
  demand: ({ THREADS, SUBGROUP }) => ({
    threads: THREADS,
    workgroupStorage: 0,
    ...(SUBGROUP > 0 && { subgroup: SUBGROUP }),
  }),
  stages(tuning, { M, N }, dtype) {
    const shared = tuning.SUBGROUP > 0;
    const constants = {
      M,
      THREADS: tuning.THREADS,
      ROWS: tuning.ROWS,
      STEP: stepOf(tuning),
      ALONE_M: shared ? 0 : M,
      SHARED_M: shared ? M : 0,
    };
    return [
      {
        shader: "matvec_wide",
        prelude: preludeFor(activationsOf[dtype], constants, shared ? ["subgroups"] : []),
        workgroups: Math.ceil(N / (tuning.THREADS * tuning.ROWS)),
        binds: ["x", "w", "y"],
      },
    ];
  },
  spot: ({ M, N }, { THREADS, ROWS }, workgroup, choice) =>
    spotAt((choice >>> 16) % M, pick(workgroup * THREADS * ROWS, THREADS * ROWS, N, choice & 0xffff)),
};
