// The gradient of the norms: by what was normed, and row by row by what it was multiplied with.

import sumWgsl from "../../shaders/column_sum.wgsl?raw";
import wgsl from "../../shaders/rms_norm_backward.wgsl?raw";
import { byRows } from "./by_rows_and_fours";
import { roundoff } from "./elements";
import { floats, onlyF32, written } from "./f32_only";
import { type Kernel, type Operand, pick, sumTolerance, trafficOfAll, type Variant } from "./kernel";
import type { RmsNormShape } from "./rms_norm";

const inputs = ["x", "weight", "dy"] as const;

const operandsOf =
  (ADD: 0 | 1) =>
  ({ rows, columns }: RmsNormShape): Operand[] => [
    floats("x", rows, columns),
    floats("weight", 1, columns),
    floats("dy", rows, columns),
    ...(ADD === 1 ? [floats("given", rows, columns)] : []),
    written("dx", rows, columns),
    written("shares", rows, columns),
  ];

const backward = (ADD: 0 | 1): Kernel<RmsNormShape> => {
  const operands = operandsOf(ADD);
  return {
    fields: ["rows", "columns", "nanoEpsilon"],
    variants: {
      rowwise: byRows(
        {
          shader: "rms_norm_backward",
          wgsl,
          binds: [...inputs, "dx", "shares", ...(ADD === 1 ? ["given"] : [])],
          constants: { ADD },
        },
        (shape: RmsNormShape) => shape,
        { bytes: 8, outputs: 2 },
      ),
    },
    unsupported: onlyF32,
    shapeClass: () => "all",
    operands,
    /** A square and its sum, two products and their sum; of dx three products and a difference, of a share two products. */
    work: (shape) => ({
      flops: (11 + ADD) * shape.rows * shape.columns,
      bytes: trafficOfAll(operands(shape)),
    }),
    products: ({ columns }) => 2 * columns,
    reference({ rows, columns, nanoEpsilon }, [x, weight, dy, given], at, wanted) {
      const row = at % rows;
      let [squares, product, sizes] = [0, 0, 0];
      for (let column = 0; column < columns; column++) {
        const term = weight!(0, column) * dy!(row, column) * x!(row, column);
        squares += x!(row, column) ** 2;
        product += term;
        sizes += Math.abs(term);
      }
      const scale = 1 / Math.sqrt(squares / columns + nanoEpsilon * 1e-9);
      return wanted.map((column) => {
        const [value, up] = [x!(row, column), dy!(row, column)];
        if (at >= rows) return { value: up * value * scale, magnitude: Math.abs(up * value * scale) };
        const through = scale * weight!(0, column) * up;
        const back = (value * scale ** 3) / columns;
        const past = given?.(row, column) ?? 0;
        return {
          value: through - back * product + past,
          magnitude: Math.abs(through) + Math.abs(back) * sizes + Math.abs(past),
        };
      });
    },
    // The inverse root may be off by 2 ULP (WGSL 15.7.4), its cube by three times that.
    tolerance: ({ columns }) => 4 * sumTolerance(columns) + 24 * roundoff.f32,
  };
};

/** dx of normed = x / √(mean(x²) + ε) ∘ weight, and each row's share of the gradient by the weight. */
export const rms_norm_backward = backward(0);

/** The same with what came back past the block added to dx. */
export const add_rms_norm_backward = backward(1);

export type ColumnSumShape = { readonly rows: number; readonly columns: number };

type ColumnSumTuning = { readonly WIDTH: number; readonly PARTS: number };

const sumOperands = ({ rows, columns }: ColumnSumShape): Operand[] => [
  floats("x", rows, columns),
  written("sum", 1, columns),
];

const columnwise: Variant<ColumnSumShape, ColumnSumTuning> = {
  shaders: { column_sum: sumWgsl },
  space: { WIDTH: [2, 4, 8, 16, 32], PARTS: [1, 2, 4, 8, 16, 32] },
  starts: [
    { WIDTH: 8, PARTS: 16 },
    { WIDTH: 16, PARTS: 4 },
    { WIDTH: 2, PARTS: 8 },
  ],
  describe: ({ WIDTH, PARTS }) => `${WIDTH} words in ${PARTS} parts`,
  demand: ({ WIDTH, PARTS }) => ({ threads: WIDTH * PARTS, workgroupStorage: 16 * WIDTH * PARTS }),
  stages: (tuning, { columns }) => [
    {
      shader: "column_sum",
      prelude: { constants: { ...tuning } },
      workgroups: Math.ceil(Math.ceil(columns / 4) / tuning.WIDTH),
      binds: ["x", "sum"],
    },
  ],
  spot({ columns }, { WIDTH }, workgroup, choice) {
    const column = pick(4 * WIDTH * workgroup, 4 * WIDTH, columns, choice);
    return column === undefined ? undefined : [0, column];
  },
};

/** sum = the rows of x added up: the gradient of a norm's weights, from each row's share, or of a bias. */
export const column_sum: Kernel<ColumnSumShape> = {
  fields: ["rows", "columns"],
  variants: { columnwise },
  unsupported: onlyF32,
  shapeClass: () => "all",
  operands: sumOperands,
  work: (shape) => ({ flops: shape.rows * shape.columns, bytes: trafficOfAll(sumOperands(shape)) }),
  products: ({ rows }) => rows,
  reference: ({ rows }, [x], _row, columns) =>
    columns.map((column) => {
      let [value, magnitude] = [0, 0];
      for (let row = 0; row < rows; row++) {
        value += x!(row, column);
        magnitude += Math.abs(x!(row, column));
      }
      return { value, magnitude };
    }),
  tolerance: ({ rows }) => sumTolerance(rows),
};
