// Products with experts' matrices for many tokens: grouped on the GPU by expert, then tile by tile.

import groupWgsl from "../../shaders/expert_group.wgsl?raw";
import wgsl from "../../shaders/expert_matmul.wgsl?raw";
import { activationsOf, quantsOf } from "./elements";
import { type ExpertShape, expertKernel, expertProducts, pairsOf } from "./experts";
import { type Kernel, pick, preludeFor, spotAt, sumTolerance, type Variant } from "./kernel";
import { MOST_STATEMENTS } from "./output_tiles";
import { unpacking } from "./product";

type GroupedTuning = {
  readonly GROUP_M: number;
  readonly GROUP_N: number;
  readonly THREAD_M: number;
  readonly THREAD_N: number;
};

/** Threads of the one workgroup that sorts pairs by expert. */
const GROUP_THREADS = 256;

const tileOf = ({ GROUP_M, GROUP_N, THREAD_M, THREAD_N }: GroupedTuning) =>
  [GROUP_M * THREAD_M, GROUP_N * THREAD_N] as const;

/** Tiles along the rows, as many as there can be: each expert may have one that is not full. */
const tall = (shape: ExpertShape, rows: number) => Math.floor(pairsOf(shape) / rows) + shape.held;

const groupSizes = [1, 2, 4, 8, 16, 32] as const;

const grouped = (stored: "floats" | "quants"): Variant<ExpertShape, GroupedTuning> => {
  const floats = stored === "floats";
  return {
    shaders: { expert_group: groupWgsl, expert_matmul: wgsl },
    space: {
      GROUP_M: groupSizes,
      GROUP_N: groupSizes,
      THREAD_M: [1, 2, 4, 8, 16],
      THREAD_N: [4, 8, 16],
    },
    starts: [
      { GROUP_M: 8, GROUP_N: 8, THREAD_M: 4, THREAD_N: 4 },
      { GROUP_M: 4, GROUP_N: 16, THREAD_M: 4, THREAD_N: 4 },
      { GROUP_M: 8, GROUP_N: 16, THREAD_M: 8, THREAD_N: 4 },
      { GROUP_M: 1, GROUP_N: 4, THREAD_M: 8, THREAD_N: 8 },
    ],
    describe: ({ GROUP_M, GROUP_N, THREAD_M, THREAD_N }) =>
      `${GROUP_M}x${GROUP_N} of ${THREAD_M}x${THREAD_N}${floats ? "" : " unpacked"}`,
    unfit({ THREAD_M, THREAD_N }, _shape, dtype) {
      if ((quantsOf[dtype] === undefined) !== floats)
        return floats ? "its weights are floats" : "its weights are whole numbers";
      return THREAD_M * THREAD_N * 4 > MOST_STATEMENTS ? "too much to write out" : undefined;
    },
    demand(tuning, { experts }) {
      const [rows, columns] = tileOf(tuning);
      return {
        threads: Math.max(tuning.GROUP_M * tuning.GROUP_N, GROUP_THREADS),
        workgroupStorage: Math.max((rows + columns) * 9 * 16, 4 * experts),
      };
    },
    stages(tuning, shape, dtype) {
      const [rows, columns] = tileOf(tuning);
      const elem = activationsOf[dtype];
      const flags = { FLOATS: Number(floats), QUANTS: Number(!floats) };
      const constants = { ...tuning, ...flags, ...unpacking(dtype) };
      return [
        {
          shader: "expert_group",
          prelude: { constants: { THREADS: GROUP_THREADS, EXPERTS: shape.experts } },
          workgroups: 1,
          binds: ["ids", "order", "offsets"],
        },
        {
          shader: "expert_matmul",
          prelude: {
            ...preludeFor(elem, constants),
            alias: { elem, weight: floats ? `vec4<${elem}>` : "vec4u" },
          },
          workgroups: tall(shape, rows) * Math.ceil(shape.N / columns),
          binds: ["x", "order", "offsets", "w", "y", ...(floats ? [] : ["scales"])],
        },
      ];
    },
    scratch: (_tuning, shape) => [
      { name: "order", rows: 1, columns: pairsOf(shape), role: "scratch", element: "u32" },
      { name: "offsets", rows: 1, columns: shape.experts + 1, role: "scratch", element: "u32" },
    ],
    /** Which rows a workgroup has is for the numbers to say: any of them, in its columns. */
    spot(shape, tuning, workgroup, choice) {
      const [rows, columns] = tileOf(tuning);
      const column = Math.floor(workgroup / tall(shape, rows)) * columns;
      return spotAt((choice >>> 12) % pairsOf(shape), pick(column, columns, shape.N, choice & 0xfff));
    },
  };
};

/** The same as expert_matvec for many tokens: each expert's matrix is read once for all that go through it. */
export const expert_matmul: Kernel<ExpertShape> = {
  ...expertKernel(1),
  variants: { grouped: grouped("floats"), groupedQuants: grouped("quants") },
  shapeClass: ({ tokens, chosen, experts }) =>
    // Rows of an expert, on average: what decides how tall a tile should be.
    tokens * chosen < 16 * experts ? "few rows an expert" : "many rows an expert",
  reference: (shape, inputs, row, columns) => expertProducts(shape, inputs, row, columns, 1),
  tolerance: ({ K }) => sumTolerance(K),
};
