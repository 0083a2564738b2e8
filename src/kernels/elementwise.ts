// What is done to each number by itself: a residual connection alone, a bias, joining what came in pieces, and the
// activation of a gated feed-forward layer where the products are too large to have it built in.

import activationWgsl from "../../shaders/activation.wgsl?raw";
import addWgsl from "../../shaders/add.wgsl?raw";
import addBiasWgsl from "../../shaders/add_bias.wgsl?raw";
import joinWgsl from "../../shaders/join.wgsl?raw";
import { byFours } from "./by_rows_and_fours";
import { activationsOf, type DType, roundoff } from "./elements";
import { type Kernel, type Operand, trafficOfAll } from "./kernel";

export type ElementwiseShape = { readonly rows: number; readonly columns: number };

const size = (shape: ElementwiseShape) => shape;

const common = {
  fields: ["rows", "columns"],
  shapeClass: () => "all",
  products: () => 1,
} as const satisfies Partial<Kernel<ElementwiseShape>>;

const operand = (
  name: string,
  role: Operand["role"],
  rows: number,
  columns: number,
  dtype: DType,
): Operand => ({ name, rows, columns, role, element: activationsOf[dtype] });

const addOperands = ({ rows, columns }: ElementwiseShape, dtype: DType): Operand[] => [
  operand("x", "activations", rows, columns, dtype),
  operand("y", "activations", rows, columns, dtype),
  operand("sum", "output", rows, columns, dtype),
];

/** sum = x + y: a residual connection. */
export const add: Kernel<ElementwiseShape> = {
  ...common,
  variants: { fours: byFours({ shader: "add", wgsl: addWgsl, binds: ["x", "y", "sum"] }, size) },
  operands: addOperands,
  work: (shape, dtype) => ({
    flops: shape.rows * shape.columns,
    bytes: trafficOfAll(addOperands(shape, dtype)),
  }),
  reference: (_shape, [x, y], row, columns) =>
    columns.map((column) => {
      const [a, b] = [x!(row, column), y!(row, column)];
      return { value: a + b, magnitude: Math.abs(a) + Math.abs(b) };
    }),
  tolerance: () => roundoff.f32,
};

const biasOperands = ({ rows, columns }: ElementwiseShape, dtype: DType): Operand[] => [
  operand("x", "activations", rows, columns, dtype),
  operand("bias", "activations", 1, columns, dtype),
  operand("sum", "output", rows, columns, dtype),
];

/** sum = x + bias, the same for each row: what a projection adds where no kernel after it does. */
export const add_bias: Kernel<ElementwiseShape> = {
  ...common,
  variants: { fours: byFours({ shader: "add_bias", wgsl: addBiasWgsl, binds: ["x", "bias", "sum"] }, size) },
  operands: biasOperands,
  work: (shape, dtype) => ({
    flops: shape.rows * shape.columns,
    bytes: trafficOfAll(biasOperands(shape, dtype)),
  }),
  reference: (_shape, [x, bias], row, columns) =>
    columns.map((column) => {
      const [a, b] = [x!(row, column), bias!(0, column)];
      return { value: a + b, magnitude: Math.abs(a) + Math.abs(b) };
    }),
  tolerance: () => roundoff.f32,
};

export type JoinShape = ElementwiseShape & {
  /** Columns of a block. */
  readonly block: number;
};

const joinOperands = ({ rows, columns, block }: JoinShape, dtype: DType): Operand[] => [
  operand("blocks", "activations", Math.ceil(columns / block) * rows, block, dtype),
  operand("out", "output", rows, columns, dtype),
];

/** Rows from blocks of their columns: what a product leaves whose matrix came in pieces. */
export const join: Kernel<JoinShape> = {
  ...common,
  fields: ["rows", "columns", "block"],
  variants: { fours: byFours({ shader: "join", wgsl: joinWgsl, binds: ["blocks", "out"] }, size) },
  impossible: ({ block }) => (block % 4 === 0 ? undefined : "join's blocks have a multiple of 4 columns"),
  operands: joinOperands,
  work: (shape, dtype) => ({ flops: 0, bytes: 2 * trafficOfAll(joinOperands(shape, dtype).slice(1)) }),
  reference: ({ rows, block }, [blocks], row, columns) =>
    columns.map((column) => {
      const value = blocks!(Math.floor(column / block) * rows + row, column % block);
      return { value, magnitude: Math.abs(value) || 1 };
    }),
  tolerance: () => 0,
};

const gatedOperands = ({ rows, columns }: ElementwiseShape, dtype: DType): Operand[] => [
  operand("gated", "activations", rows, 2 * columns, dtype),
  operand("y", "output", rows, columns, dtype),
];

/** The activation of a gated feed-forward layer, `of` the first half of a row times the second. */
const gatedBy = (
  name: string,
  GELU: 0 | 1,
  { flops, of }: { readonly flops: number; of(gate: number): number },
): Kernel<ElementwiseShape> => ({
  ...common,
  variants: {
    fours: byFours(
      { shader: "activation", wgsl: activationWgsl, binds: ["gated", "y"], constants: { GELU } },
      size,
    ),
  },
  impossible: ({ columns }) => (columns % 4 === 0 ? undefined : `${name}'s columns are a multiple of 4`),
  operands: gatedOperands,
  work: (shape, dtype) => ({
    flops: flops * shape.rows * shape.columns,
    bytes: trafficOfAll(gatedOperands(shape, dtype)),
  }),
  reference: (shape, [gated], row, columns) =>
    columns.map((column) => {
      const value = of(gated!(row, column)) * gated!(row, shape.columns + column);
      return { value, magnitude: Math.abs(value) };
    }),
  // exp() may be off by 3 + 2|x| ULP and a quotient by 2.5 (WGSL 15.7.4).
  tolerance: () => 16 * roundoff.f32,
});

/** y = SiLU(gate) ∘ up; `swiglu` is the same with the products before it. An exponential, a sum, a quotient, a product. */
export const silu_mul = gatedBy("silu_mul", 0, { flops: 4, of: (gate) => gate / (1 + Math.exp(-gate)) });

/** y = GELU(gate) ∘ up with GELU by its tanh, as in Gemma (GeGLU: Shazeer, arXiv 2002.05202). */
export const gelu_mul = gatedBy("gelu_mul", 1, {
  flops: 9,
  of: (gate) => (gate / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (gate + 0.044715 * gate ** 3))),
});
