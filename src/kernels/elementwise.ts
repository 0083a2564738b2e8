// What is done to each number by itself: a residual connection alone, and the activation of a gated feed-forward layer
// where the products are too large to have it built in.

import activationWgsl from "../../shaders/activation.wgsl?raw";
import addWgsl from "../../shaders/add.wgsl?raw";
import { activationsOf, type DType, roundoff } from "./elements";
import { type Kernel, type Operand, pick, preludeFor, trafficOf, type Variant } from "./kernel";

export type ElementwiseShape = { readonly rows: number; readonly columns: number };

type ElementwiseTuning = { readonly THREADS: number };

/** A thread for each four numbers. */
const fours = (
  shader: string,
  wgsl: string,
  binds: readonly string[],
  flags: Readonly<Record<string, number>> = {},
): Variant<ElementwiseShape, ElementwiseTuning> => ({
  shaders: { [shader]: wgsl },
  space: { THREADS: [16, 32, 64, 128, 256] },
  starts: [{ THREADS: 64 }, { THREADS: 256 }],
  describe: ({ THREADS }) => `${THREADS} threads`,
  demand: ({ THREADS }) => ({ threads: THREADS, workgroupStorage: 0 }),
  stages: ({ THREADS }, { rows, columns }, dtype) => [
    {
      shader,
      prelude: preludeFor(activationsOf[dtype], { THREADS, ...flags }),
      workgroups: Math.ceil((rows * Math.ceil(columns / 4)) / THREADS),
      binds,
    },
  ],
  spot({ rows, columns }, { THREADS }, workgroup, choice) {
    const words = Math.ceil(columns / 4);
    const index = pick(workgroup * THREADS, THREADS, rows * words, choice >>> 2);
    if (index === undefined) return undefined;
    return [Math.floor(index / words), Math.min(4 * (index % words) + (choice & 3), columns - 1)];
  },
});

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

const traffic = (operands: readonly Operand[]) => operands.reduce((sum, each) => sum + trafficOf(each), 0);

const addOperands = ({ rows, columns }: ElementwiseShape, dtype: DType): Operand[] => [
  operand("x", "activations", rows, columns, dtype),
  operand("y", "activations", rows, columns, dtype),
  operand("sum", "output", rows, columns, dtype),
];

/** sum = x + y: a residual connection. */
export const add: Kernel<ElementwiseShape> = {
  ...common,
  variants: { fours: fours("add", addWgsl, ["x", "y", "sum"]) },
  operands: addOperands,
  work: (shape, dtype) => ({
    flops: shape.rows * shape.columns,
    bytes: traffic(addOperands(shape, dtype)),
  }),
  reference: (_shape, [x, y], row, columns) =>
    columns.map((column) => {
      const [a, b] = [x!(row, column), y!(row, column)];
      return { value: a + b, magnitude: Math.abs(a) + Math.abs(b) };
    }),
  tolerance: () => roundoff.f32,
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
  variants: { fours: fours("activation", activationWgsl, ["gated", "y"], { GELU }) },
  impossible: ({ columns }) => (columns % 4 === 0 ? undefined : `${name}'s columns are a multiple of 4`),
  operands: gatedOperands,
  work: (shape, dtype) => ({
    flops: flops * shape.rows * shape.columns,
    bytes: traffic(gatedOperands(shape, dtype)),
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
