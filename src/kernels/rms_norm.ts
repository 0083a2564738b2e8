// The norm in front of every block of a decoder, alone and with the residual connection before it.

import wgsl from "../../shaders/rms_norm.wgsl?raw";
import { activationsOf, BLOCK, type DType, quantsOf, roundoff } from "./elements";
import {
  type Expected,
  type Kernel,
  type Matrix,
  type Operand,
  preludeFor,
  sumTolerance,
  trafficOfAll,
  type Variant,
} from "./kernel";
import { quantisedInput, weightBits, wholeBlocks } from "./product";

export type RmsNormShape = {
  readonly rows: number;
  readonly columns: number;
  /** What is added to the mean of the squares, in billionths: 10000 is 1e-5. */
  readonly nanoEpsilon: number;
};

type RmsNormTuning = { readonly THREADS: number };

/** A workgroup for each row. */
const rowwise = (
  { ADD, QUANTISE }: { ADD: 0 | 1; QUANTISE: 0 | 1 },
  binds: readonly string[],
): Variant<RmsNormShape, RmsNormTuning> => ({
  shaders: { rms_norm: wgsl },
  space: { THREADS: [8, 16, 32, 64, 128, 256] },
  starts: [{ THREADS: 64 }, { THREADS: 256 }, { THREADS: 8 }],
  describe: ({ THREADS }) => `${THREADS} threads${QUANTISE === 1 ? ", rounded too" : ""}`,
  demand: ({ THREADS }) => ({ threads: THREADS, workgroupStorage: 4 * THREADS }),
  stages: ({ THREADS }, { rows }, dtype) => [
    {
      shader: "rms_norm",
      prelude: preludeFor(activationsOf[dtype], {
        THREADS,
        ADD,
        QUANTISE,
        BITS: weightBits(dtype),
        CHUNK: QUANTISE === 1 ? BLOCK / 4 : 1,
      }),
      workgroups: rows,
      binds,
    },
  ],
  spot({ rows, columns }, _tuning, workgroup, choice) {
    if (workgroup >= rows) return undefined;
    // Of the normed rows, or of the sums in front of them.
    const row = ADD === 1 && choice & 1 ? rows + workgroup : workgroup;
    return [row, (choice >>> 1) % columns];
  },
});

/** The same, and the rows rounded besides, as the product after it does by itself otherwise. */
const quantising: Variant<RmsNormShape, RmsNormTuning> = {
  ...rowwise({ ADD: 1, QUANTISE: 1 }, ["x", "weight", "normed", "y", "sum", "x_quants", "x_scales"]),
  unfit: (_tuning, { columns }, dtype) =>
    quantsOf[dtype] === undefined ? "weights are floats" : wholeBlocks({ K: columns }, dtype),
  scratch: (_tuning, { rows, columns }) => quantisedInput(rows, columns),
};

const matrices = ({ rows, columns }: RmsNormShape, dtype: DType) => {
  const element = activationsOf[dtype];
  const read = (name: string, of = rows): Operand => ({
    name,
    rows: of,
    columns,
    role: "activations",
    element,
  });
  const written = (name: string): Operand => ({ ...read(name), role: "output" });
  return { read, written };
};

/** A row of x, or of x + y, normed; errors are relative to |x| + |y|. */
function normed(
  { columns, nanoEpsilon }: RmsNormShape,
  [x, weight, y = () => 0]: readonly Matrix[],
  row: number,
  wanted: readonly number[],
): Expected[] {
  let squares = 0;
  for (let column = 0; column < columns; column++) squares += (x!(row, column) + y(row, column)) ** 2;
  const scale = 1 / Math.sqrt(squares / columns + nanoEpsilon * 1e-9);
  return wanted.map((column) => {
    const factor = scale * weight!(0, column);
    const value = (x!(row, column) + y(row, column)) * factor;
    const magnitude = (Math.abs(x!(row, column)) + Math.abs(y(row, column))) * Math.abs(factor);
    return { value, magnitude };
  });
}

/** The rows of a decoder are few and the norm is one pass over each: all shapes are alike. */
const common = {
  fields: ["rows", "columns", "nanoEpsilon"],
  shapeClass: () => "all",
  products: ({ columns }: RmsNormShape) => columns,
  // The inverse root may be off by 2 ULP (WGSL 15.7.4), and each product by one rounding.
  tolerance: ({ columns }: RmsNormShape) => sumTolerance(columns) + 8 * roundoff.f32,
} as const satisfies Partial<Kernel<RmsNormShape>>;

const normOperands = (shape: RmsNormShape, dtype: DType): Operand[] => {
  const { read, written } = matrices(shape, dtype);
  return [read("x"), read("weight", 1), written("normed")];
};

/** normed = x / √(mean(x²) + ε) ∘ weight, row by row. */
export const rms_norm: Kernel<RmsNormShape> = {
  ...common,
  variants: { rowwise: rowwise({ ADD: 0, QUANTISE: 0 }, ["x", "weight", "normed"]) },
  operands: normOperands,
  /** A square and its sum, and two products, for each number. */
  work: (shape, dtype) => ({
    flops: 4 * shape.rows * shape.columns,
    bytes: trafficOfAll(normOperands(shape, dtype)),
  }),
  reference: normed,
};

const addOperands = (shape: RmsNormShape, dtype: DType): Operand[] => {
  const { read, written } = matrices(shape, dtype);
  return [read("x"), read("weight", 1), read("y"), written("sum"), written("normed")];
};

/** sum = x + y, and its rows normed: a residual connection and the norm after it in one dispatch. */
export const add_rms_norm: Kernel<RmsNormShape> = {
  ...common,
  variants: {
    rowwise: rowwise({ ADD: 1, QUANTISE: 0 }, ["x", "weight", "normed", "y", "sum"]),
    quantising,
  },
  operands: addOperands,
  work: (shape, dtype) => ({
    flops: 5 * shape.rows * shape.columns,
    bytes: trafficOfAll(addOperands(shape, dtype)),
  }),
  reference(shape, inputs, row, columns) {
    const [x, , y] = inputs;
    if (row >= shape.rows) return normed(shape, inputs, row - shape.rows, columns);
    return columns.map((column) => {
      const [a, b] = [x!(row, column), y!(row, column)];
      return { value: a + b, magnitude: Math.abs(a) + Math.abs(b) };
    });
  },
};
