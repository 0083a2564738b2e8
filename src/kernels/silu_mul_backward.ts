import wgsl from "../../shaders/activation_backward.wgsl?raw";
import { byFours } from "./by_rows_and_fours";
import { roundoff } from "./elements";
import type { ElementwiseShape } from "./elementwise";
import { floats, onlyF32, written } from "./f32_only";
import { type Kernel, type Operand, trafficOfAll } from "./kernel";

const operands = ({ rows, columns }: ElementwiseShape): Operand[] => [
  floats("gated", rows, 2 * columns),
  floats("dy", rows, columns),
  written("d_gated", rows, 2 * columns),
];

/** The gradient of y = SiLU(gate) ∘ up by both, as wide as they were. */
export const silu_mul_backward: Kernel<ElementwiseShape> = {
  fields: ["rows", "columns"],
  variants: {
    fours: byFours(
      { shader: "activation_backward", wgsl, binds: ["gated", "dy", "d_gated"] },
      (shape: ElementwiseShape) => shape,
      // Of the gate's half, or of the other one.
      ([row, column], { columns }, choice) => [row, column + (choice & 1) * columns],
    ),
  },
  impossible: ({ columns }) =>
    columns % 4 === 0 ? undefined : "silu_mul_backward's columns are a multiple of 4",
  unsupported: onlyF32,
  shapeClass: () => "all",
  operands,
  /** An exponential, a sum and a quotient; four products, a difference and a sum for the gate, two products for the other. */
  work: (shape) => ({ flops: 11 * shape.rows * shape.columns, bytes: trafficOfAll(operands(shape)) }),
  products: () => 1,
  reference: ({ columns }, [gated, dy], row, wanted) =>
    wanted.map((at) => {
      const column = at % columns;
      const [gate, up, given] = [gated!(row, column), gated!(row, columns + column), dy!(row, column)];
      const open = 1 / (1 + Math.exp(-gate));
      if (at >= columns) return { value: given * gate * open, magnitude: Math.abs(given * gate * open) };
      const size = Math.abs(given * up * open);
      return {
        value: given * up * open * (1 + gate * (1 - open)),
        magnitude: size * (1 + Math.abs(gate) * (1 - open)),
      };
    }),
  // exp() may be off by 3 + 2|x| ULP and a quotient by 2.5 (WGSL 15.7.4).
  tolerance: () => 32 * roundoff.f32,
};
