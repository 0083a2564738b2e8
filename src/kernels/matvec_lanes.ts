// How the threads of a matrix-vector product are arranged: lanes along a row, teams of them beside each other.

import { pick, spotAt } from "./kernel";
import type { MatmulShape } from "./product";

/** Rows of W in an output: 1, or 2 where one gates the other. */
export type PerOutput = 1 | 2;

export type LanesTuning = {
  /** Threads that share rows of W, striding along K together. */
  readonly LANES: number;
  /** Groups of lanes in a workgroup. */
  readonly TEAMS: number;
  /** Rows of W per team: independent loads in flight. */
  readonly ROWS: number;
  /** Lanes of a subgroup where a team is one, and sums its rows up in one instruction; 0 where it is not. */
  readonly SUBGROUP: number;
};

export const laneSpace = {
  LANES: [1, 2, 4, 8, 16, 32, 64, 128, 256],
  TEAMS: [1, 2, 4, 8, 16, 32],
  ROWS: [1, 2, 4, 8, 16],
  SUBGROUP: [0, 4, 8, 16, 32, 64],
};

/** What compilers unroll and registers hold. */
const MOST_SUMS = 64;

export const laneDescription = ({ LANES, TEAMS, ROWS, SUBGROUP }: LanesTuning): string =>
  `${TEAMS}x${LANES} of ${ROWS} rows${SUBGROUP === 0 ? "" : ` by ${SUBGROUP}`}`;

/** What variants of lanes have in common, for outputs of one row of W each or of two. */
export const arrangement = (perOutput: PerOutput) => ({
  unfit({ LANES, ROWS, SUBGROUP }: LanesTuning, { M }: MatmulShape): string | undefined {
    if (SUBGROUP !== 0 && SUBGROUP !== LANES) return "a team is no subgroup";
    if (ROWS < perOutput) return "an output has more rows";
    return M * ROWS > MOST_SUMS ? "too many sums for a thread" : undefined;
  },
  demand: ({ LANES, TEAMS, ROWS, SUBGROUP }: LanesTuning, { M }: MatmulShape) => ({
    threads: LANES * TEAMS,
    workgroupStorage: LANES === 1 || SUBGROUP > 0 ? 0 : LANES * TEAMS * M * ROWS * 4,
    ...(SUBGROUP > 0 && { subgroup: SUBGROUP }),
  }),
  constants: ({ LANES, TEAMS, ROWS, SUBGROUP }: LanesTuning, { M }: MatmulShape) => ({
    M,
    LANES,
    TEAMS,
    ROWS,
    BY_SUBGROUP: Number(SUBGROUP > 0),
    PER_OUTPUT: perOutput,
    PLAIN_ROWS: perOutput === 1 ? ROWS : 0,
    GATED_PAIRS: perOutput === 2 ? ROWS / 2 : 0,
  }),
  workgroups: ({ TEAMS, ROWS }: LanesTuning, { N }: MatmulShape) =>
    Math.ceil((N * perOutput) / (TEAMS * ROWS)),
  spot({ M, N }: MatmulShape, { TEAMS, ROWS }: LanesTuning, workgroup: number, choice: number) {
    const outputs = (TEAMS * ROWS) / perOutput;
    return spotAt((choice >>> 16) % M, pick(workgroup * outputs, outputs, N, choice & 0xffff));
  },
});

/** What has to be enabled for a tuning. */
export const laneExtensions = ({ SUBGROUP }: LanesTuning): string[] => (SUBGROUP > 0 ? ["subgroups"] : []);
