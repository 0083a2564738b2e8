import type { AttentionShape } from "./attention_rows";
import { subgroups } from "./attention_subgroups";
import { threads } from "./attention_threads";
import { tiled } from "./attention_tiled";
import { activationsOf, cacheOf, type DType, roundoff } from "./elements";
import { type Expected, type Kernel, type Matrix, type Operand, trafficOf } from "./kernel";

/** The output of a head is held in registers. */
export const MAX_HEAD_DIM = 256;

/** Query-key pairs of one head that the causal bound and the window leave: query i sees min(past + i + 1, window) keys. */
function pairs({ queries, keys, window }: AttentionShape): number {
  /** The sum of min(i, window) for i from 1 to n. */
  const upTo = (n: number) => {
    const rising = Math.min(n, window);
    return (rising * (rising + 1)) / 2 + (n - rising) * window;
  };
  return upTo(keys) - upTo(keys - queries);
}

/** Keys that at least one query sees: what has to be read. */
const keysRead = ({ queries, keys, window }: AttentionShape) => Math.min(keys, window + queries - 1);

const operands = (
  { batch, queries, keys, heads, kvHeads, headDim }: AttentionShape,
  dtype: DType,
): Operand[] => [
  {
    name: "q",
    rows: batch * queries * heads,
    columns: headDim,
    role: "activations",
    element: activationsOf[dtype],
  },
  { name: "k", rows: batch * kvHeads * keys, columns: headDim, role: "kv-cache", element: cacheOf[dtype] },
  { name: "v", rows: batch * kvHeads * keys, columns: headDim, role: "kv-cache", element: cacheOf[dtype] },
  {
    name: "o",
    rows: batch * queries * heads,
    columns: headDim,
    role: "output",
    element: activationsOf[dtype],
  },
];

/** Columns of an output row in float64. A sink is one more score, of a key without a value. */
export function attend(
  { queries, keys, heads, kvHeads, headDim, window }: AttentionShape,
  [q, k, v]: readonly Matrix[],
  row: number,
  columns: readonly number[],
  sink = Number.NEGATIVE_INFINITY,
): Expected[] {
  const head = row % heads;
  const query = Math.floor(row / heads) % queries;
  const sequence = Math.floor(row / heads / queries);
  const cache = (sequence * kvHeads + Math.floor(head / (heads / kvHeads))) * keys;
  const position = keys - queries + query;
  const begin = Math.max(0, position + 1 - window);

  const scores: number[] = [];
  for (let key = begin; key <= position; key++) {
    let dot = 0;
    for (let d = 0; d < headDim; d++) dot += q!(row, d) * k!(cache + key, d);
    scores.push(dot / Math.sqrt(headDim));
  }
  const highest = scores.reduce((a, b) => Math.max(a, b), sink);
  const weights = scores.map((score) => Math.exp(score - highest));
  const total = weights.reduce((a, b) => a + b, Math.exp(sink - highest));

  return columns.map((column) => {
    let value = 0;
    let magnitude = 0;
    weights.forEach((weight, i) => {
      const term = (weight / total) * v!(cache + begin + i, column);
      value += term;
      magnitude += Math.abs(term);
    });
    return { value, magnitude };
  });
}

/** softmax(Q·Kᵀ/√d)·V with grouped-query heads: causal over a prompt, or one query over a KV cache. */
export const attention: Kernel<AttentionShape> = {
  fields: ["batch", "queries", "keys", "heads", "kvHeads", "headDim", "window"],
  /** Keys that the cache of a head has room for: rows from one head's to the next's. */
  derived: { capacity: ({ keys }) => keys },
  variants: { tiled, subgroups, threads },

  impossible({ queries, keys, heads, kvHeads, headDim }) {
    if (queries > keys) return "attention has as many keys as queries at least";
    if (heads % kvHeads !== 0) return "attention's heads are a multiple of its kvHeads";
    return headDim > MAX_HEAD_DIM ? `attention's headDim is ${MAX_HEAD_DIM} at most` : undefined;
  },

  shapeClass: ({ queries, keys, headDim }) =>
    `${queries === 1 ? "one query" : "many queries"}, ${2 ** Math.ceil(Math.log2(keys))} keys, head ${headDim}`,

  operands,

  /** Two products per visible pair; the softmax itself is not counted, as is usual. */
  work(shape, dtype) {
    const [q, , , o] = operands(shape, dtype);
    const [, k, v] = operands({ ...shape, keys: keysRead(shape) }, dtype);
    return {
      flops: 4 * shape.batch * shape.heads * shape.headDim * pairs(shape),
      bytes: [q, k, v, o].reduce((sum, operand) => sum + (operand ? trafficOf(operand) : 0), 0),
    };
  },

  /** Whole sequences first, then key/value heads with the query heads that share them, then queries: the last ones. */
  split(shape, parts) {
    const batch = Math.max(1, Math.floor(shape.batch / parts));
    const perSequence = Math.max(1, parts / (shape.batch / batch));
    const kvHeads = Math.max(1, Math.floor(shape.kvHeads / perSequence));
    const perHead = Math.max(1, perSequence / (shape.kvHeads / kvHeads));
    const queries = Math.max(1, Math.ceil(shape.queries / perHead));
    return { ...shape, batch, queries, kvHeads, heads: (shape.heads / shape.kvHeads) * kvHeads };
  },

  // The scores of a row, whichever of its elements is asked for.
  products: (shape) => Math.min(shape.keys, shape.window) * (shape.headDim + 1),

  reference: (shape, inputs, row, columns) => attend(shape, inputs, row, columns),

  // exp() may be off by 3 + 2|x| ULP (WGSL 15.7.4); scores of this data stay below 4 in magnitude.
  tolerance: ({ keys, headDim }) => roundoff.f32 * (32 + 2 * Math.sqrt(keys) + 2 * Math.sqrt(headDim)),
};
