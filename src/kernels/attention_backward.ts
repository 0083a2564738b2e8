// Attention backwards over whole sequences, in three calls: what a softmax keeps of each row, the gradient by queries, and
// that by keys and values. The probabilities are made again from the first: nobody keeps them.

import dkvWgsl from "../../shaders/attention_dkv.wgsl?raw";
import dqWgsl from "../../shaders/attention_dq.wgsl?raw";
import statsWgsl from "../../shaders/attention_stats.wgsl?raw";
import { MAX_HEAD_DIM, visiblePairs } from "./attention";
import {
  ofQueries,
  queryRow,
  type AttentionBackwardShape as Shape,
  sharingOf,
  tiled,
} from "./attention_backward_tiles";
import { roundoff } from "./elements";
import { floats, onlyF32, written } from "./f32_only";
import { type Expected, type Kernel, type Matrix, type Operand, trafficOfAll } from "./kernel";

/** FLOP of so many products of a head's vectors for each pair that is seen. */
const productFlops = (shape: Shape, products: number) =>
  2 * products * shape.batch * shape.heads * shape.headDim * visiblePairs(shape.tokens, shape.window);

const queryRows = ({ batch, tokens, heads }: Shape) => batch * tokens * heads;
const keyRows = ({ batch, tokens, kvHeads }: Shape) => batch * tokens * kvHeads;

const common = {
  fields: ["batch", "tokens", "heads", "kvHeads", "headDim", "window"],
  unsupported: onlyF32,
  impossible: ({ heads, kvHeads, headDim }: Shape) => {
    if (heads % kvHeads !== 0) return "attention's heads are a multiple of its kvHeads";
    return headDim > MAX_HEAD_DIM ? `attention's headDim is ${MAX_HEAD_DIM} at most` : undefined;
  },
  shapeClass: ({ tokens, headDim }: Shape) => `${2 ** Math.ceil(Math.log2(tokens))} tokens, head ${headDim}`,
  /** Whole sequences first, then key/value heads. */
  split(shape: Shape, parts: number): Shape {
    const batch = Math.max(1, Math.floor(shape.batch / parts));
    const perSequence = Math.max(1, parts / (shape.batch / batch));
    const kvHeads = Math.max(1, Math.floor(shape.kvHeads / perSequence));
    return { ...shape, batch, kvHeads, heads: sharingOf(shape) * kvHeads };
  },
  products: ({ tokens, window, headDim }: Shape) => 2 * Math.min(tokens, window) * (headDim + 1),
  // exp() may be off by 3 + 2|x| ULP (WGSL 15.7.4); scores of this data stay below 4 in magnitude.
  tolerance: ({ tokens, heads, kvHeads, headDim }: Shape) =>
    roundoff.f32 * (48 + 2 * Math.sqrt((tokens * heads) / kvHeads) + 4 * Math.sqrt(headDim)),
} as const satisfies Partial<Kernel<Shape>>;

/** Where a row of q is: its head, its sequence's first row of keys, its position and the first key that it sees. */
function rowAt({ tokens, heads, kvHeads, window }: Shape, row: number) {
  const head = row % heads;
  const position = Math.floor(row / heads) % tokens;
  const sequence = Math.floor(row / heads / tokens);
  const cache = (sequence * kvHeads + Math.floor(head / (heads / kvHeads))) * tokens;
  return { cache, position, begin: Math.max(0, position + 1 - window) };
}

/** The product of two rows, and of their sizes. */
function dotted(a: Matrix, i: number, b: Matrix, j: number, length: number): Expected {
  let [value, magnitude] = [0, 0];
  for (let d = 0; d < length; d++) {
    const term = a(i, d) * b(j, d);
    value += term;
    magnitude += Math.abs(term);
  }
  return { value, magnitude };
}

const statsOperands = (shape: Shape): Operand[] => [
  floats("q", queryRows(shape), shape.headDim),
  floats("k", keyRows(shape), shape.headDim),
  floats("o", queryRows(shape), shape.headDim),
  floats("d_o", queryRows(shape), shape.headDim),
  written("stats", queryRows(shape), 2),
];

/** stats[row] = the logarithm of the sum of the exponentials of a row's scores, and Σ d_o ∘ o. */
export const attention_stats: Kernel<Shape> = {
  ...common,
  variants: {
    tiled: tiled({
      ...ofQueries,
      shader: "attention_stats",
      wgsl: statsWgsl,
      binds: ["q", "k", "o", "d_o", "stats"],
      copies: 1,
      numbers: 2,
      slots: false,
      placed: (shape, at, choice) => [queryRow(shape, at), choice % 2],
    }),
  },
  operands: statsOperands,
  work: (shape) => ({
    flops: productFlops(shape, 1) + 2 * queryRows(shape) * shape.headDim,
    bytes: trafficOfAll(statsOperands(shape)),
  }),
  reference(shape, [q, k, o, given], row, columns) {
    const { headDim } = shape;
    const { cache, position, begin } = rowAt(shape, row);
    const scores = Array.from(
      { length: position + 1 - begin },
      (_, i) => dotted(q!, row, k!, cache + begin + i, headDim).value / Math.sqrt(headDim),
    );
    const peak = Math.max(...scores);
    const all = peak + Math.log(scores.reduce((sum, score) => sum + Math.exp(score - peak), 0));
    return columns.map((column) =>
      column === 0
        ? { value: all, magnitude: 1 + Math.abs(peak) + Math.abs(all) }
        : dotted(o!, row, given!, row, headDim),
    );
  },
};

const inputs = (shape: Shape): Operand[] => [
  floats("q", queryRows(shape), shape.headDim),
  floats("k", keyRows(shape), shape.headDim),
  floats("v", keyRows(shape), shape.headDim),
  floats("d_o", queryRows(shape), shape.headDim),
  floats("stats", queryRows(shape), 2),
];

/** P and dS of a row and a key, each with the size of its terms. */
function pairAt(
  { headDim }: Shape,
  [q, k, v, given, stats]: readonly Matrix[],
  row: number,
  key: number,
): { share: number; slope: number; size: number } {
  const score = dotted(q!, row, k!, key, headDim).value / Math.sqrt(headDim);
  const share = Math.exp(score - stats!(row, 0));
  const back = dotted(given!, row, v!, key, headDim);
  const delta = stats!(row, 1);
  return {
    share,
    slope: share * (back.value - delta),
    size: share * (back.magnitude + Math.abs(delta)),
  };
}

const dqOperands = (shape: Shape): Operand[] => [
  ...inputs(shape),
  written("dq", queryRows(shape), shape.headDim),
];

/** dQ = (P ∘ (dO·Vᵀ - delta))·K / √headDim. */
export const attention_dq: Kernel<Shape> = {
  ...common,
  variants: {
    tiled: tiled({
      ...ofQueries,
      shader: "attention_dq",
      wgsl: dqWgsl,
      binds: ["q", "k", "v", "d_o", "stats", "dq"],
      copies: 2,
      numbers: 1,
      slots: true,
    }),
  },
  operands: dqOperands,
  /** The scores once more, dP and dQ. */
  work: (shape) => ({ flops: productFlops(shape, 3), bytes: trafficOfAll(dqOperands(shape)) }),
  reference(shape, given, row, columns) {
    const [, k] = given;
    const { cache, position, begin } = rowAt(shape, row);
    const sums = columns.map(() => ({ value: 0, magnitude: 0 }));
    for (let key = cache + begin; key <= cache + position; key++) {
      const { slope, size } = pairAt(shape, given, row, key);
      columns.forEach((column, i) => {
        const factor = k!(key, column) / Math.sqrt(shape.headDim);
        sums[i]!.value += slope * factor;
        sums[i]!.magnitude += size * Math.abs(factor);
      });
    }
    return sums;
  },
};

const dkvOperands = (shape: Shape): Operand[] => [
  ...inputs(shape),
  written("dk", keyRows(shape), shape.headDim),
  written("dv", keyRows(shape), shape.headDim),
];

/** dK = dSᵀ·Q / √headDim and dV = Pᵀ·dO, over the heads that share a key. */
export const attention_dkv: Kernel<Shape> = {
  ...common,
  variants: {
    tiled: tiled({
      shader: "attention_dkv",
      wgsl: dkvWgsl,
      binds: ["q", "k", "v", "d_o", "stats", "dk", "dv"],
      rows: ({ tokens }) => tokens,
      copies: 2,
      numbers: 2,
      slots: true,
      placed: (shape, { sequence, kvHead, row }, choice) => [
        (sequence * shape.kvHeads + kvHead) * shape.tokens + row + (choice & 1) * keyRows(shape),
        (choice >>> 1) % shape.headDim,
      ],
    }),
  },
  operands: dkvOperands,
  /** The scores and dP once more, dK and dV. */
  work: (shape) => ({ flops: productFlops(shape, 4), bytes: trafficOfAll(dkvOperands(shape)) }),
  products: (shape) => common.products(shape) * sharingOf(shape),
  reference(shape, given, at, columns) {
    const { tokens, heads, kvHeads, headDim, window } = shape;
    const [q, , , from] = given;
    const values = at >= keyRows(shape);
    const key = at % keyRows(shape);
    const sharing = sharingOf(shape);
    const [position, lane] = [key % tokens, Math.floor(key / tokens)];
    const [sequence, kvHead] = [Math.floor(lane / kvHeads), lane % kvHeads];
    const sums = columns.map(() => ({ value: 0, magnitude: 0 }));
    for (let token = position; token < Math.min(position + window, tokens); token++) {
      for (let i = 0; i < sharing; i++) {
        const row = (sequence * tokens + token) * heads + kvHead * sharing + i;
        const { share, slope, size } = pairAt(shape, given, row, key);
        columns.forEach((column, j) => {
          const factor = values ? from!(row, column) : q!(row, column) / Math.sqrt(headDim);
          sums[j]!.value += (values ? share : slope) * factor;
          sums[j]!.magnitude += (values ? share : size) * Math.abs(factor);
        });
      }
    }
    return sums;
  },
};
