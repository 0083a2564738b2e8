// The products of a backward pass: the gradient by what a linear layer has read, dX = dY · W, and by its weights,
// dW = dYᵀ · X. By one variant operands are read as they lie, B along its rows and A along its own; by others they are
// turned first, for what is fastest at matmul.

import wgsl from "../../shaders/matmul_outer.wgsl?raw";
import { floats, onlyF32, written } from "./f32_only";
import {
  type Expected,
  type Kernel,
  type Operand,
  splitRange,
  sumTolerance,
  trafficOfAll,
  type Variant,
} from "./kernel";
import { broadcast } from "./matmul_broadcast";
import { matrix } from "./matmul_matrix";
import { MOST_STATEMENTS, type Tile, tileCount, tileSpot } from "./output_tiles";
import type { MatmulShape } from "./product";
import { partsOf, sumShaders, sumSpot, sumStage } from "./sum_parts";
import { turnedFirst } from "./turned_first";

type OuterTuning = {
  readonly GROUP_M: number;
  readonly GROUP_N: number;
  readonly THREAD_M: number;
  readonly THREAD_N: number;
  /** Fours along K held in workgroup memory; 0 = none, read through the caches. */
  readonly STAGE_K: number;
  /** Workgroups that share a tile, each with its part of K. */
  readonly SPLIT: number;
};

const tileOf = ({ GROUP_M, GROUP_N, THREAD_M, THREAD_N }: OuterTuning): Tile => [
  GROUP_M * THREAD_M,
  GROUP_N * THREAD_N,
];

const groupSizes = [1, 2, 4, 8, 16, 32] as const;

const outer = (TURNED: 0 | 1): Variant<MatmulShape, OuterTuning> => ({
  shaders: { matmul_outer: wgsl, ...sumShaders },
  space: {
    GROUP_M: groupSizes,
    GROUP_N: groupSizes,
    THREAD_M: TURNED ? [4, 8, 16] : [1, 2, 4, 8, 16],
    THREAD_N: [4, 8, 16],
    STAGE_K: [0, 1, 2, 4, 8],
    SPLIT: [1, 2, 4, 8],
  },
  starts: [
    { GROUP_M: 16, GROUP_N: 16, THREAD_M: 4, THREAD_N: 4, STAGE_K: 4, SPLIT: 1 },
    { GROUP_M: 16, GROUP_N: 16, THREAD_M: 8, THREAD_N: 8, STAGE_K: 2, SPLIT: 1 },
    { GROUP_M: 8, GROUP_N: 8, THREAD_M: 4, THREAD_N: 4, STAGE_K: 2, SPLIT: 4 },
    { GROUP_M: 4, GROUP_N: 8, THREAD_M: 8, THREAD_N: 16, STAGE_K: 0, SPLIT: 1 },
  ],
  describe: ({ GROUP_M, GROUP_N, THREAD_M, THREAD_N, STAGE_K, SPLIT }) =>
    `${GROUP_M}x${GROUP_N} of ${THREAD_M}x${THREAD_N}` +
    (STAGE_K === 0 ? " direct" : ` staged ${STAGE_K}`) +
    (SPLIT === 1 ? "" : ` split ${SPLIT}`),

  unfit({ THREAD_M, THREAD_N, STAGE_K, SPLIT }, { K }) {
    if (THREAD_M * THREAD_N * 4 * Math.max(STAGE_K, 1) > MOST_STATEMENTS) return "too much to write out";
    return SPLIT > 1 && SPLIT * 4 * Math.max(STAGE_K, 1) > K ? "K is too short to be split" : undefined;
  },

  demand(tuning) {
    const [tileM, tileN] = tileOf(tuning);
    const { GROUP_M, GROUP_N, STAGE_K } = tuning;
    const staged = 16 * (tileM * (STAGE_K + 1) + STAGE_K * tileN);
    return { threads: GROUP_M * GROUP_N, workgroupStorage: STAGE_K === 0 ? 32 : staged };
  },

  stages(tuning, shape) {
    const { THREAD_M, THREAD_N, STAGE_K, SPLIT } = tuning;
    const derived = {
      PLAIN: 1 - TURNED,
      TURNED,
      STEP_K: Math.max(STAGE_K, 1),
      FOURS_M: TURNED ? THREAD_M / 4 : 0,
      FOURS_N: THREAD_N / 4,
    };
    const product = {
      shader: "matmul_outer",
      prelude: { constants: { ...tuning, ...derived } },
      workgroups: tileCount(shape, tileOf(tuning)) * SPLIT,
      binds: ["a", "b", SPLIT === 1 ? "c" : "parts"],
    };
    return SPLIT === 1 ? [product] : [product, sumStage("f32", SPLIT, shape, "c")];
  },

  scratch: ({ SPLIT }, shape) => partsOf(SPLIT, shape),

  spot: (shape, tuning, workgroup, choice) =>
    tuning.SPLIT === 1
      ? tileSpot(shape, tileOf(tuning), workgroup, choice)
      : sumSpot(shape, workgroup, choice),
});

/** Columns of a row of C, where `left(k)` is A's part of it. */
function summed(
  left: (k: number) => number,
  b: (k: number, column: number) => number,
  K: number,
  columns: readonly number[],
): Expected[] {
  const row = Float64Array.from({ length: K }, (_, k) => left(k));
  return columns.map((column) => {
    let value = 0;
    let magnitude = 0;
    for (let k = 0; k < K; k++) {
      const term = row[k]! * b(k, column);
      value += term;
      magnitude += Math.abs(term);
    }
    return { value, magnitude };
  });
}

/** What both have in common, by their operands. */
const productOf = (operands: (shape: MatmulShape) => Operand[]) => ({
  fields: ["M", "N", "K"] as const,
  unsupported: onlyF32,
  shapeClass: ({ M, N, K }: MatmulShape) => {
    const [rows, sums] = [M < 64 ? "narrow" : "wide", K > 8 * Math.min(M, N) ? ", long sums" : ""];
    return rows + sums;
  },
  operands,
  work: (shape: MatmulShape) => ({
    flops: 2 * shape.M * shape.N * shape.K,
    bytes: trafficOfAll(operands(shape)),
  }),
  /** Along N; along M too where N cannot give even half as many parts. */
  split({ M, N, K }: MatmulShape, parts: number): MatmulShape {
    const narrow = splitRange(N, parts);
    const more = (parts * narrow) / N;
    return { M: more < 2 ? M : splitRange(M, more), N: narrow, K };
  },
  products: ({ K }: MatmulShape) => K,
  tolerance: ({ K }: MatmulShape) => sumTolerance(K),
});

/** C = A · B with B a weight matrix of K rows: dX = dY · W. */
export const matmul_nn: Kernel<MatmulShape> = {
  ...productOf(({ M, N, K }) => [
    floats("a", M, K),
    { ...floats("b", K, N), role: "weights" },
    written("c", M, N),
  ]),
  variants: {
    outer: outer(0),
    broadcast: turnedFirst(broadcast, ["b"]),
    matrix: turnedFirst(matrix, ["b"]),
  },
  reference: ({ K }, [a, b], row, columns) => summed((k) => a!(row, k), b!, K, columns),
};

/** C = Aᵀ · B, both of K rows: dW = dYᵀ · X, a sum over tokens. */
export const matmul_tn: Kernel<MatmulShape> = {
  ...productOf(({ M, N, K }) => [floats("a", K, M), floats("b", K, N), written("c", M, N)]),
  variants: {
    outer: outer(1),
    broadcast: turnedFirst(broadcast, ["a", "b"]),
    matrix: turnedFirst(matrix, ["a", "b"]),
  },
  reference: ({ K }, [a, b], row, columns) => summed((k) => a!(k, row), b!, K, columns),
};
