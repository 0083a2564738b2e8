// What stands between and behind the products of a token's experts: gpt-oss's activation, and their weighted sum.

import clampedWgsl from "../../shaders/clamped_swiglu.wgsl?raw";
import combineWgsl from "../../shaders/combine.wgsl?raw";
import { byFours } from "./by_rows_and_fours";
import { activationsOf, type DType, roundoff } from "./elements";
import { chosenOperand, tooFewExperts } from "./experts";
import { type Kernel, type Operand, sumTolerance, trafficOfAll } from "./kernel";

export type CombineShape = {
  readonly tokens: number;
  /** Experts that each token went through. */
  readonly chosen: number;
  readonly columns: number;
};

const combineOperands = (
  { tokens, chosen, columns }: CombineShape,
  dtype: DType,
  bias: readonly Operand[] = [],
): Operand[] => {
  const element = activationsOf[dtype];
  return [
    { name: "y", rows: tokens * chosen, columns, role: "activations", element },
    { name: "weights", rows: tokens, columns: chosen, role: "activations", element: "f32" },
    ...bias,
    { name: "out", rows: tokens, columns, role: "output", element },
  ];
};

/** Rows and columns of what is combined. */
const combined = ({ tokens, columns }: CombineShape) => ({ rows: tokens, columns });

const combineTolerance = (chosen: number) => sumTolerance(2 * chosen) + 2 * roundoff.f32;

/** out[t] = Σ weights[t, j] · y[t, j]: what a token's experts give, as much of each as it counts. */
export const combine: Kernel<CombineShape> = {
  fields: ["tokens", "chosen", "columns"],
  variants: {
    fours: byFours(
      { shader: "combine", wgsl: combineWgsl, binds: ["y", "weights", "out"], constants: { BIASED: 0 } },
      combined,
    ),
  },
  shapeClass: () => "all",
  operands: (shape, dtype) => combineOperands(shape, dtype),
  work: (shape, dtype) => ({
    flops: 2 * shape.tokens * shape.chosen * shape.columns,
    bytes: trafficOfAll(combineOperands(shape, dtype)),
  }),
  products: ({ chosen }) => chosen,
  reference: ({ chosen }, [y, weights], row, columns) =>
    columns.map((column) => {
      let [value, magnitude] = [0, 0];
      for (let slot = 0; slot < chosen; slot++) {
        const term = weights!(row, slot) * y!(row * chosen + slot, column);
        value += term;
        magnitude += Math.abs(term);
      }
      return { value, magnitude };
    }),
  tolerance: ({ chosen }) => combineTolerance(chosen),
};

export type BiasedCombineShape = CombineShape & { readonly experts: number };

const biasOperands = ({ experts, columns, ...shape }: BiasedCombineShape, dtype: DType): Operand[] => [
  chosenOperand({ experts, ...shape }),
  { name: "bias", rows: experts, columns, role: "activations", element: activationsOf[dtype] },
];

/** Rows of a bias that are read: no more than there are pairs. */
const biasRows = ({ tokens, chosen, experts }: BiasedCombineShape) => Math.min(experts, tokens * chosen);

const biasedTraffic = (operands: readonly Operand[], shape: BiasedCombineShape) =>
  trafficOfAll(operands.map((each) => (each.name === "bias" ? { ...each, rows: biasRows(shape) } : each)));

const biasedCombineOperands = (shape: BiasedCombineShape, dtype: DType) =>
  combineOperands(shape, dtype, biasOperands(shape, dtype));

/** The same where each expert adds a bias first. */
export const biased_combine: Kernel<BiasedCombineShape> = {
  fields: ["tokens", "chosen", "columns", "experts"],
  variants: {
    fours: byFours(
      {
        shader: "combine",
        wgsl: combineWgsl,
        binds: ["y", "weights", "out", "ids", "bias"],
        constants: { BIASED: 1 },
      },
      combined,
    ),
  },
  impossible: tooFewExperts,
  shapeClass: () => "all",
  operands: biasedCombineOperands,
  work: (shape, dtype) => ({
    flops: 3 * shape.tokens * shape.chosen * shape.columns,
    bytes: biasedTraffic(biasedCombineOperands(shape, dtype), shape),
  }),
  products: ({ chosen }) => chosen,
  reference: ({ chosen }, [y, weights, ids, bias], row, columns) =>
    columns.map((column) => {
      let [value, magnitude] = [0, 0];
      for (let slot = 0; slot < chosen; slot++) {
        const [given, added] = [y!(row * chosen + slot, column), bias!(ids!(row, slot), column)];
        const weight = weights!(row, slot);
        value += weight * (given + added);
        magnitude += Math.abs(weight) * (Math.abs(given) + Math.abs(added));
      }
      return { value, magnitude };
    }),
  tolerance: ({ chosen }) => combineTolerance(chosen),
};

export type ClampedSwigluShape = BiasedCombineShape & {
  /** What gates and others are held within, in thousandths. */
  readonly milliLimit: number;
};

const clampedOperands = (shape: ClampedSwigluShape, dtype: DType): Operand[] => {
  const { tokens, chosen, columns } = shape;
  const [rows, element] = [tokens * chosen, activationsOf[dtype]];
  return [
    { name: "gated", rows, columns: 2 * columns, role: "activations", element },
    ...biasOperands({ ...shape, columns: 2 * columns }, dtype),
    { name: "y", rows, columns, role: "output", element },
  ];
};

/** What gpt-oss multiplies a gate by in its sigmoid. */
const ALPHA = 1.702;

/** y = (up + 1) ∘ gate ∘ σ(1.702 · gate) with both biased and held within a limit: the activation of gpt-oss's experts. */
export const clamped_swiglu: Kernel<ClampedSwigluShape> = {
  fields: ["tokens", "chosen", "experts", "columns", "milliLimit"],
  variants: {
    fours: byFours(
      { shader: "clamped_swiglu", wgsl: clampedWgsl, binds: ["gated", "ids", "bias", "y"] },
      ({ tokens, chosen, columns }: ClampedSwigluShape) => ({ rows: tokens * chosen, columns }),
    ),
  },
  impossible: (shape) =>
    tooFewExperts(shape) ??
    (shape.columns % 4 === 0 ? undefined : "clamped_swiglu's columns are a multiple of 4"),
  shapeClass: () => "all",
  operands: clampedOperands,
  /** Two sums of a bias, three bounds, a scale, an exponential, two sums, a quotient and a product. */
  work: (shape, dtype) => ({
    flops: 11 * shape.tokens * shape.chosen * shape.columns,
    bytes: biasedTraffic(clampedOperands(shape, dtype), shape),
  }),
  products: () => 1,
  reference({ chosen, columns, milliLimit }, [gated, ids, bias], row, wanted) {
    const expert = ids!(Math.floor(row / chosen), row % chosen);
    const limit = milliLimit * 1e-3;
    return wanted.map((column) => {
      const gate = Math.min(limit, gated!(row, column) + bias!(expert, column));
      const at = columns + column;
      const up = Math.max(-limit, Math.min(limit, gated!(row, at) + bias!(expert, at)));
      const value = ((up + 1) * gate) / (1 + Math.exp(-ALPHA * gate));
      return { value, magnitude: (Math.abs(up) + 1) * Math.abs(gate) };
    });
  },
  // exp() may be off by 3 + 2|x| ULP and a quotient by 2.5 (WGSL 15.7.4).
  tolerance: () => 20 * roundoff.f32,
};
