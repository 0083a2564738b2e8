// How the threads of a matrix-vector product are arranged: lanes along a row, teams of them beside each other.

import { pick, spotAt } from "./kernel";
import type { MatmulShape } from "./product";

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
  `${TEAMS}x${LANES} lanes, ${ROWS} rows${SUBGROUP === 0 ? "" : ` by ${SUBGROUP}`}`;

export function laneUnfit({ LANES, ROWS, SUBGROUP }: LanesTuning, { M }: MatmulShape): string | undefined {
  if (SUBGROUP !== 0 && SUBGROUP !== LANES) return "a team is no subgroup";
  return M * ROWS > MOST_SUMS ? "too many sums for a thread" : undefined;
}

export const laneDemand = ({ LANES, TEAMS, ROWS, SUBGROUP }: LanesTuning, { M }: MatmulShape) => ({
  threads: LANES * TEAMS,
  workgroupStorage: LANES === 1 || SUBGROUP > 0 ? 0 : LANES * TEAMS * M * ROWS * 4,
  ...(SUBGROUP > 0 && { subgroup: SUBGROUP }),
});

/** Constants of the prelude, and what has to be enabled for them. */
export const laneConstants = ({ LANES, TEAMS, ROWS, SUBGROUP }: LanesTuning, { M }: MatmulShape) => ({
  constants: { M, LANES, TEAMS, ROWS, BY_SUBGROUP: Number(SUBGROUP > 0) },
  enable: SUBGROUP > 0 ? ["subgroups"] : [],
});

export const laneWorkgroups = ({ TEAMS, ROWS }: LanesTuning, { N }: MatmulShape) =>
  Math.ceil(N / (TEAMS * ROWS));

export const laneSpot = (
  { M, N }: MatmulShape,
  { TEAMS, ROWS }: LanesTuning,
  workgroup: number,
  choice: number,
) => spotAt((choice >>> 16) % M, pick(workgroup * TEAMS * ROWS, TEAMS * ROWS, N, choice & 0xffff));
