import wgsl from "../../shaders/adamw.wgsl?raw";
import { byFours } from "./by_rows_and_fours";
import { roundoff } from "./elements";
import { floats, onlyF32, written } from "./f32_only";
import { type Kernel, type Operand, trafficOfAll, type Variant } from "./kernel";

export type AdamwShape = {
  readonly rows: number;
  readonly columns: number;
  /** Of the mean of the gradients and of that of their squares, in millionths. */
  readonly microBeta1: number;
  readonly microBeta2: number;
  /** What is added to the root, in millionths of millionths. */
  readonly picoEpsilon: number;
};

const operands = ({ rows, columns }: AdamwShape): Operand[] => [
  floats("gradient", rows, columns),
  floats("schedule", 1, 4),
  floats("weight", rows, columns),
  floats("m", rows, columns),
  floats("v", rows, columns),
  written("next_weight", rows, columns),
  written("next_m", rows, columns),
  written("next_v", rows, columns),
];

const next = ["next_weight", "next_m", "next_v"];

const apart = byFours(
  {
    shader: "adamw",
    wgsl,
    binds: ["gradient", "schedule", ...next, "weight", "m", "v"],
    constants: { APART: 1 },
  },
  ({ rows, columns }: AdamwShape) => ({ rows, columns }),
  ([row, column], { rows }, choice) => [row + (choice % 3) * rows, column],
);

/**
 * For the engine alone: weights and moments change where they are, as two copies of them would take too much memory. No
 * search finds it, for nothing it reads can be read again.
 */
const inPlace: Variant<AdamwShape, { readonly THREADS: number }> = {
  ...apart,
  shaders: { adamw: wgsl },
  space: { THREADS: [] },
  starts: [],
  describe: ({ THREADS }) => `${THREADS} threads, in place`,
  stages: (tuning, shape, dtype) =>
    apart.stages(tuning, shape, dtype).map((stage) => ({
      ...stage,
      prelude: { constants: { ...stage.prelude.constants, APART: 0 } },
      binds: ["gradient", "schedule", ...next],
    })),
};

/** How the engine computes it: see `inPlace`. */
export const ADAMW_IN_PLACE = { variant: "inPlace", tuning: { THREADS: 64 } } as const;

/** One step of AdamW on one tensor, with the bias of the moments corrected and the weight decay apart from the gradient. */
export const adamw: Kernel<AdamwShape> = {
  fields: ["rows", "columns", "microBeta1", "microBeta2", "picoEpsilon"],
  variants: { apart, inPlace },
  impossible: ({ microBeta1, microBeta2 }) =>
    Math.max(microBeta1, microBeta2) < 1e6 ? undefined : "adamw's betas are less than 1",
  unsupported: onlyF32,
  shapeClass: () => "all",
  operands,
  /** Three for each moment and one for its bias, a root, a sum, a quotient, and a product and a difference for decay and step. */
  work: (shape) => ({ flops: 15 * shape.rows * shape.columns, bytes: trafficOfAll(operands(shape)) }),
  products: () => 1,
  reference({ rows, microBeta1, microBeta2, picoEpsilon }, inputs, at, columns) {
    const [gradient, schedule, weight, m, v] = inputs;
    const row = at % rows;
    const [beta1, beta2] = [microBeta1 * 1e-6, microBeta2 * 1e-6];
    const [rate, c1, c2, decay] = [0, 1, 2, 3].map((column) => schedule!(0, column));
    return columns.map((column) => {
      const given = gradient!(row, column);
      const mean = [beta1 * m!(row, column), (1 - beta1) * given] as const;
      const square = beta2 * Math.abs(v!(row, column)) + (1 - beta2) * given ** 2;
      const size = Math.abs(mean[0]) + Math.abs(mean[1]);
      if (at >= 2 * rows) return { value: square, magnitude: square };
      if (at >= rows) return { value: mean[0] + mean[1], magnitude: size };
      const step = (rate! * c1!) / (Math.sqrt(square * Math.abs(c2!)) + picoEpsilon * 1e-12);
      const kept = weight!(row, column) * (1 - decay!);
      return { value: kept - step * (mean[0] + mean[1]), magnitude: Math.abs(kept) + Math.abs(step) * size };
    });
  },
  // A root is as good as an inverse root, 2 ULP, a quotient may be off by 2.5 (WGSL 15.7.4).
  tolerance: () => 32 * roundoff.f32,
};
