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

/** Lanes share a row: neighbouring threads read neighbouring vec4s, as GPUs like it. */
export function lanes(perOutput: PerOutput): Variant<MatmulShape, LanesTuning> {
  const { unfit, demand, constants, workgroups, spot } = arrangement(perOutput);
  return {
    shaders: { matvec_lanes: lanesWgsl },
    space: laneSpace,
    starts: [
      { LANES: 32, TEAMS: 4, ROWS: 4, SUBGROUP: 0 },
      { LANES: 32, TEAMS: 4, ROWS: 4, SUBGROUP: 32 },
      { LANES: 64, TEAMS: 1, ROWS: 2, SUBGROUP: 0 },
      { LANES: 8, TEAMS: 1, ROWS: 8, SUBGROUP: 0 },
      { LANES: 1, TEAMS: 16, ROWS: 4, SUBGROUP: 0 },
    ],
    describe: laneDescription,
    unfit: (tuning, shape, dtype) =>
      quantsOf[dtype] === undefined ? unfit(tuning, shape) : "its weights are floats",
    demand,
    stages: (tuning, shape, dtype) => [
      {
        shader: "matvec_lanes",
        prelude: preludeFor(activationsOf[dtype], constants(tuning, shape), laneExtensions(tuning)),
        workgroups: workgroups(tuning, shape),
        binds: ["x", "w", "y"],
      },
    ],
    spot,
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
