import wgsl from "../../shaders/matvec.wgsl?raw";
import { dotProducts, type Kernel, pick, sizeOf, splitRange, spotAt, sumTolerance } from "./kernel";
import type { MatmulShape } from "./matmul";
import { preludeFor } from "./prelude";

export type MatvecTuning = {
  /** Threads that share a row of W. */
  readonly LANES: number;
  /** Groups of lanes in a workgroup. */
  readonly TEAMS: number;
  /** Rows of W per team: independent loads in flight. */
  readonly ROWS: number;
};

/** The most rows of X that are worth reading each weight for only once; above, matmul is the kernel. */
export const MATVEC_MAX_M = 8;

/** Y = X · Wᵀ for one to eight rows of X: the kernel that decode is made of. */
export const matvec: Kernel<MatmulShape, MatvecTuning> = {
  wgsl,
  fields: ["M", "N", "K"],

  tunings: {
    "32 lanes, 4 teams of 4 rows": { LANES: 32, TEAMS: 4, ROWS: 4 },
    "64 lanes, 2 rows": { LANES: 64, TEAMS: 1, ROWS: 2 },
    "8 lanes, 8 rows": { LANES: 8, TEAMS: 1, ROWS: 8 },
    "1 lane, 16 teams of 4 rows": { LANES: 1, TEAMS: 16, ROWS: 4 },
  },

  impossible: ({ M }) =>
    M > MATVEC_MAX_M ? `matvec takes ${MATVEC_MAX_M} rows at most; more are for matmul` : undefined,

  shapeClass: ({ M }) => `${M} rows`,

  demand: ({ LANES, TEAMS, ROWS }, { M }) => ({
    threads: LANES * TEAMS,
    workgroupStorage: LANES === 1 ? 0 : LANES * TEAMS * M * ROWS * 4,
  }),

  prelude: (tuning, { M }, dtype) => preludeFor(dtype, { M, ...tuning }),

  workgroups: ({ N }, { TEAMS, ROWS }) => Math.ceil(N / (TEAMS * ROWS)),

  spot: ({ M, N }, { TEAMS, ROWS }, workgroup, choice) =>
    spotAt((choice >>> 16) % M, pick(workgroup * TEAMS * ROWS, TEAMS * ROWS, N, choice & 0xffff)),

  operands: ({ M, N, K }) => [
    { name: "x", rows: M, columns: K, role: "activations" },
    { name: "w", rows: N, columns: K, role: "weights" },
    { name: "y", rows: M, columns: N, role: "output" },
  ],

  work: ({ M, N, K }, dtype) => ({
    flops: 2 * M * N * K,
    bytes: (M * K + N * K + M * N) * sizeOf[dtype],
  }),

  split: ({ M, N, K }, parts) => ({ M, N: splitRange(N, parts), K }),

  products: ({ K }) => K,

  reference: ({ K }, [x, w], row, columns) => dotProducts(x!, w!, K, row, columns),

  tolerance: ({ K }) => sumTolerance(K),
};
