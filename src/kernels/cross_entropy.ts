// What a training step minimises: the cross-entropy of each next token, and its gradient by the logits.

import lossWgsl from "../../shaders/cross_entropy.wgsl?raw";
import gradientWgsl from "../../shaders/cross_entropy_backward.wgsl?raw";
import { byFours, byRows } from "./by_rows_and_fours";
import { roundoff } from "./elements";
import { floats, onlyF32, tokenIds, written } from "./f32_only";
import { type Kernel, type Operand, trafficOfAll } from "./kernel";

export type CrossEntropyShape = {
  /** Tokens of all sequences. */
  readonly rows: number;
  /** Tokens of the vocabulary. */
  readonly columns: number;
};

const lossOperands = ({ rows, columns }: CrossEntropyShape): Operand[] => [
  floats("logits", rows, columns),
  tokenIds("targets", rows, columns),
  written("stats", rows, 2),
];

const common = {
  fields: ["rows", "columns"],
  unsupported: onlyF32,
  shapeClass: () => "all",
} as const satisfies Partial<Kernel<CrossEntropyShape>>;

/** stats[r] = the loss of a row, and the logarithm of the sum of the exponentials of its logits. */
export const cross_entropy: Kernel<CrossEntropyShape> = {
  ...common,
  variants: {
    rowwise: byRows(
      { shader: "cross_entropy", wgsl: lossWgsl, binds: ["logits", "targets", "stats"] },
      ({ rows }: CrossEntropyShape) => ({ rows, columns: 2 }),
      { bytes: 4 },
    ),
  },
  operands: lossOperands,
  /** A comparison, a difference, an exponential and a sum for each logit. */
  work: (shape) => ({ flops: 4 * shape.rows * shape.columns, bytes: trafficOfAll(lossOperands(shape)) }),
  products: ({ columns }) => columns,
  reference({ columns }, [logits, targets], row, wanted) {
    let peak = Number.NEGATIVE_INFINITY;
    for (let column = 0; column < columns; column++) peak = Math.max(peak, logits!(row, column));
    let total = 0;
    for (let column = 0; column < columns; column++) total += Math.exp(logits!(row, column) - peak);
    const all = peak + Math.log(total);
    const logit = logits!(row, targets!(0, row));
    const magnitude = 1 + Math.abs(peak) + Math.log(total);
    return wanted.map((column) => ({
      value: column === 0 ? all - logit : all,
      magnitude: magnitude + (column === 0 ? Math.abs(logit) : 0),
    }));
  },
  // exp() may be off by 3 + 2|x| ULP, log() by 3 or 2^-21 (WGSL 15.7.4).
  tolerance: ({ columns }) => roundoff.f32 * (32 + 2 * Math.sqrt(columns)),
};

const gradientOperands = ({ rows, columns }: CrossEntropyShape): Operand[] => [
  floats("logits", rows, columns),
  tokenIds("targets", rows, columns),
  floats("stats", rows, 2),
  written("gradient", rows, columns),
];

/** gradient = (softmax(logits) - [column is the target]) / rows: of the mean loss. */
export const cross_entropy_backward: Kernel<CrossEntropyShape> = {
  ...common,
  variants: {
    fours: byFours(
      {
        shader: "cross_entropy_backward",
        wgsl: gradientWgsl,
        binds: ["logits", "targets", "stats", "gradient"],
      },
      (shape: CrossEntropyShape) => shape,
    ),
  },
  operands: gradientOperands,
  /** A difference, an exponential, a difference and a quotient. */
  work: (shape) => ({ flops: 4 * shape.rows * shape.columns, bytes: trafficOfAll(gradientOperands(shape)) }),
  products: () => 1,
  reference: ({ rows }, [logits, targets, stats], row, columns) =>
    columns.map((column) => {
      const share = Math.exp(logits!(row, column) - stats!(row, 1));
      const chosen = targets!(0, row) === column ? 1 : 0;
      return { value: (share - chosen) / rows, magnitude: (share + chosen) / rows };
    }),
  tolerance: () => 32 * roundoff.f32,
};
