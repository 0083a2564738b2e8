// Rows of the embedding table, by token.

import floatsWgsl from "../../shaders/embed.wgsl?raw";
import quantsWgsl from "../../shaders/embed_quants.wgsl?raw";
import { activationsOf, BLOCK, bitsOf, type DType, quantsOf, roundoff } from "./elements";
import { type Kernel, type Operand, pick, preludeFor, trafficOf, type Variant } from "./kernel";
import { weightOperands, weightsOf } from "./product";

export type EmbedShape = {
  readonly tokens: number;
  /** Rows of the table, or of each of its pieces. */
  readonly vocab: number;
  readonly hidden: number;
  /** Which piece of the table this is, counted from 1: a table may be too large for one binding. */
  readonly piece: number;
};

type EmbedTuning = { readonly THREADS: number };

const operands = ({ tokens, vocab, hidden, piece }: EmbedShape, dtype: DType): Operand[] => [
  {
    name: "ids",
    rows: 1,
    columns: tokens,
    role: "activations",
    element: "u32",
    range: [0, piece * vocab],
  },
  ...weightOperands("table", vocab, hidden, dtype),
  { name: "out", rows: tokens, columns: hidden, role: "output", element: activationsOf[dtype] },
];

/** The row of this piece that a token has, or undefined. */
const rowOf = ({ vocab, piece }: EmbedShape, id: number): number | undefined =>
  Math.floor(id / vocab) === piece - 1 ? id % vocab : undefined;

/** A thread for each four numbers. */
function variant(
  shader: string,
  wgsl: string,
  SCALED: 0 | 1,
  unfit: (dtype: DType) => string | undefined,
  scales: string[],
) {
  const words = ({ hidden }: EmbedShape) => Math.ceil(hidden / 4);
  const found: Variant<EmbedShape, EmbedTuning> = {
    shaders: { [shader]: wgsl },
    space: { THREADS: [16, 32, 64, 128, 256] },
    starts: [{ THREADS: 64 }, { THREADS: 256 }],
    describe: ({ THREADS }) => `${THREADS} threads${scales.length > 0 ? " unpacked" : ""}`,
    unfit: (_tuning, _shape, dtype) => unfit(dtype),
    demand: ({ THREADS }) => ({ threads: THREADS, workgroupStorage: 0 }),
    stages: ({ THREADS }, shape, dtype) => {
      const quants = quantsOf[dtype];
      const bits = quants === undefined ? {} : { BITS: bitsOf[quants] };
      return [
        {
          shader,
          prelude: preludeFor(activationsOf[dtype], { THREADS, SCALED, ...bits }),
          workgroups: Math.ceil((shape.tokens * words(shape)) / THREADS),
          binds: ["ids", "table", ...scales, "out"],
        },
      ];
    },
    spot(shape, { THREADS }, workgroup, choice) {
      const index = pick(workgroup * THREADS, THREADS, shape.tokens * words(shape), choice >>> 2);
      if (index === undefined) return undefined;
      const column = Math.min(4 * (index % words(shape)) + (choice & 3), shape.hidden - 1);
      return [Math.floor(index / words(shape)), column];
    },
  };
  return found;
}

const embedding = (SCALED: 0 | 1): Kernel<EmbedShape> => ({
  fields: ["tokens", "vocab", "hidden", "piece"],
  variants: {
    floats: variant(
      "embed",
      floatsWgsl,
      SCALED,
      (dtype) => (quantsOf[dtype] === undefined ? undefined : "its weights are floats"),
      [],
    ),
    quants: variant(
      "embed_quants",
      quantsWgsl,
      SCALED,
      (dtype) => (quantsOf[dtype] === undefined ? "its weights are whole numbers" : undefined),
      ["scales"],
    ),
  },
  unsupported: ({ hidden }, dtype) =>
    quantsOf[dtype] === undefined || hidden % BLOCK === 0
      ? undefined
      : `${dtype} has blocks of ${BLOCK} weights, and hidden = ${hidden} is no multiple of that`,
  shapeClass: () => "all",
  operands,
  /** A row of the table for each token, as if no two were alike. */
  work(shape, dtype) {
    const bytes = operands({ ...shape, vocab: shape.tokens }, dtype).map(trafficOf);
    return { flops: SCALED * shape.tokens * shape.hidden, bytes: bytes.reduce((a, b) => a + b) };
  },
  rowsRead: ({ tokens }) => tokens,
  untouched: (shape, [ids], row) => rowOf(shape, ids!(0, row)) === undefined,
  products: () => 1,
  reference(shape, [ids, table, scales], row, columns) {
    const at = rowOf(shape, ids!(0, row)) ?? Number.NaN;
    const weights = weightsOf(table!, scales);
    const scale = SCALED === 1 ? Math.sqrt(shape.hidden) : 1;
    return columns.map((column) => {
      const value = weights(at, column) * scale;
      return { value, magnitude: Math.abs(value) || 1 };
    });
  },
  // sqrt() is as good as 1 / inverseSqrt(), which may be off by 2 ULP (WGSL 15.7.4).
  tolerance: (_shape, dtype) => (Number(quantsOf[dtype] !== undefined) + 6 * SCALED) * roundoff.f32,
});

/** out[t] = table[ids[t]]: where a forward pass begins. Tokens of other pieces of the table are left alone. */
export const embed = embedding(0);

/** The same times √hidden, as Gemma's embeddings are. */
export const scaled_embed = embedding(1);
