// From logits to tokens: the most likely one, or one drawn at a temperature.

import argmaxWgsl from "../../shaders/argmax.wgsl?raw";
import mergeWgsl from "../../shaders/argmax_merge.wgsl?raw";
import gumbelWgsl from "../../shaders/gumbel.wgsl?raw";
import { activationsOf, type DType, type Float } from "./elements";
import {
  type Expected,
  type Kernel,
  type Operand,
  pick,
  preludeFor,
  type Stage,
  spotAt,
  trafficOf,
  type Variant,
} from "./kernel";
import { randomBits } from "./random";

export type ArgmaxShape = {
  /** Sequences. */
  readonly rows: number;
  /** Tokens of the vocabulary, fewer than 2^24. */
  readonly columns: number;
  /** Columns of a block: logits come block by block, each with all rows. As many as `columns` where there is one. */
  readonly block: number;
};

export type SampleShape = ArgmaxShape & {
  /** The temperature in thousandths. */
  readonly milliTemperature: number;
  readonly seed: number;
};

type ArgmaxTuning = { readonly THREADS: number; readonly PARTS: number };

const MERGE_THREADS = 64;
const GUMBEL_THREADS = 64;

const space = {
  THREADS: [16, 32, 64, 128, 256],
  PARTS: [1, 2, 4, 8, 16, 32, 64],
};
const starts = [
  { THREADS: 128, PARTS: 32 },
  { THREADS: 256, PARTS: 8 },
  { THREADS: 16, PARTS: 4 },
];
const describe = ({ THREADS, PARTS }: ArgmaxTuning) => `${PARTS} parts of ${THREADS} threads`;
const demand = ({ THREADS }: ArgmaxTuning) => ({
  threads: Math.max(THREADS, MERGE_THREADS),
  workgroupStorage: 8 * THREADS,
});
const spot = ({ rows }: ArgmaxShape, _tuning: ArgmaxTuning, workgroup: number, choice: number) =>
  spotAt(0, pick(workgroup * MERGE_THREADS, MERGE_THREADS, rows, choice));

const best = ({ rows }: ArgmaxShape, { PARTS }: ArgmaxTuning): Operand => ({
  name: "best",
  rows: rows * PARTS,
  columns: 4,
  role: "scratch",
  element: "f32",
});

/** The largest of `logits`, in parts and then as one. */
const argmaxStages = (
  { THREADS, PARTS }: ArgmaxTuning,
  { rows }: ArgmaxShape,
  logits: string,
  elem: Float,
): Stage[] => [
  {
    shader: "argmax",
    prelude: preludeFor(elem, { THREADS, PARTS }),
    workgroups: rows * PARTS,
    binds: [logits, "best"],
  },
  {
    shader: "argmax_merge",
    prelude: { constants: { THREADS: MERGE_THREADS, PARTS } },
    workgroups: Math.ceil(rows / MERGE_THREADS),
    binds: ["best", "ids"],
  },
];

const parts: Variant<ArgmaxShape, ArgmaxTuning> = {
  shaders: { argmax: argmaxWgsl, argmax_merge: mergeWgsl },
  space,
  starts,
  describe,
  demand,
  stages: (tuning, shape, dtype) => argmaxStages(tuning, shape, "logits", activationsOf[dtype]),
  scratch: (tuning, shape) => [best(shape, tuning)],
  spot,
};

const blocks = ({ rows, columns, block }: ArgmaxShape) => ({
  rows: Math.ceil(columns / block) * rows,
  columns: block,
});

const noisy: Variant<SampleShape, ArgmaxTuning> = {
  shaders: { gumbel: gumbelWgsl, argmax: argmaxWgsl, argmax_merge: mergeWgsl },
  space,
  starts,
  describe,
  demand,
  stages: (tuning, shape, dtype) => [
    {
      shader: "gumbel",
      prelude: preludeFor(activationsOf[dtype], { THREADS: GUMBEL_THREADS }),
      workgroups: Math.ceil((shape.rows * shape.columns) / GUMBEL_THREADS),
      binds: ["logits", "position", "noisy"],
    },
    ...argmaxStages(tuning, shape, "noisy", "f32"),
  ],
  scratch: (tuning, shape) => [
    { name: "noisy", ...blocks(shape), role: "scratch", element: "f32" },
    best(shape, tuning),
  ],
  spot,
};

const logits = (shape: ArgmaxShape, dtype: DType): Operand => ({
  name: "logits",
  ...blocks(shape),
  role: "activations",
  element: activationsOf[dtype],
});

const ids = ({ rows }: ArgmaxShape): Operand => ({
  name: "ids",
  rows: 1,
  columns: rows,
  role: "output",
  element: "u32",
});

const impossible = ({ columns }: ArgmaxShape) =>
  columns < 2 ** 24 ? undefined : "a vocabulary has fewer than 2^24 tokens";

const traffic = ({ rows, columns }: ArgmaxShape, dtype: DType) =>
  trafficOf({ name: "logits", rows, columns, role: "activations", element: activationsOf[dtype] }) + 4 * rows;

/** The column of a row's largest number, the first of equals. */
function largest(columns: number, at: (column: number) => number): Expected {
  let value = 0;
  let top = Number.NEGATIVE_INFINITY;
  for (let column = 0; column < columns; column++) {
    if (at(column) > top) {
      top = at(column);
      value = column;
    }
  }
  return { value, magnitude: 1 };
}

/** Row and column of the operand that a logit has. */
const place = ({ rows, block }: ArgmaxShape, row: number, column: number): [number, number] => [
  Math.floor(column / block) * rows + row,
  column % block,
];

/** ids[r] = the column of the largest logit of row r, the first of equals: greedy decoding. */
export const argmax: Kernel<ArgmaxShape> = {
  fields: ["rows", "columns", "block"],
  variants: { parts },
  impossible,
  shapeClass: () => "all",
  operands: (shape, dtype) => [logits(shape, dtype), ids(shape)],
  work: (shape, dtype) => ({ flops: shape.rows * shape.columns, bytes: traffic(shape, dtype) }),
  products: ({ columns }) => columns,
  reference: (shape, [given], _row, wanted) =>
    wanted.map((row) => largest(shape.columns, (column) => given!(...place(shape, row, column)))),
  tolerance: () => 0,
};

/** Gumbel noise of stream `seed`, as gumbel.wgsl draws it. */
export const gumbelAt = (seed: number, index: number): number =>
  -Math.log(-Math.log1p(-(((randomBits(seed, index) >>> 9) + 0.5) / 2 ** 23)));

/**
 * ids[r] = a token drawn from softmax(logits / temperature): the largest of the logits with noise. The same seed
 * at the same position draws the same; every position draws anew.
 */
export const sample: Kernel<SampleShape> = {
  fields: ["rows", "columns", "block", "milliTemperature", "seed"],
  variants: { noisy },
  impossible,
  shapeClass: () => "all",
  operands: (shape, dtype) => [
    logits(shape, dtype),
    { name: "position", rows: 1, columns: 1, role: "activations", element: "u32", range: [0, 2 ** 24] },
    ids(shape),
  ],
  work: (shape, dtype) => ({ flops: 3 * shape.rows * shape.columns, bytes: 4 + traffic(shape, dtype) }),
  products: ({ columns }) => columns,
  reference: (shape, [given, position], _row, wanted) =>
    wanted.map((row) =>
      largest(shape.columns, (column) => {
        const noise = gumbelAt((shape.seed + position!(0, 0)) | 0, row * shape.columns + column);
        return given!(...place(shape, row, column)) + shape.milliTemperature * 1e-3 * noise;
      }),
    ),
  tolerance: () => 0,
};
