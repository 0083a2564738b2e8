import type { AttentionShape } from "./attention_rows";
import { subgroups } from "./attention_subgroups";
import { threads } from "./attention_threads";
import { tiled } from "./attention_tiled";
import { activationsOf, cacheOf, type DType, roundoff } from "./elements";
import { type Expected, type Kernel, type Matrix, type Operand, trafficOfAll } from "./kernel";
import { type CacheFormat, numbersOf, quantisedCache, wholeHeads } from "./quantised_cache";

/** The output of a head is held in registers. */
export const MAX_HEAD_DIM = 256;

/** Query-key pairs of one head where n queries see themselves and what is before them within a window: Σ min(i, window), i from 1 to n. */
export function visiblePairs(n: number, window: number): number {
  const rising = Math.min(n, window);
  return (rising * (rising + 1)) / 2 + (n - rising) * window;
}

/** Query-key pairs of one head that the causal bound and the window leave: query i sees min(past + i + 1, window) keys. */
const pairs = ({ queries, keys, window }: AttentionShape): number =>
  visiblePairs(keys, window) - visiblePairs(keys - queries, window);

/** Keys that at least one query sees: what has to be read. */
const keysRead = ({ queries, keys, window }: AttentionShape) => Math.min(keys, window + queries - 1);

function cacheOperands(
  { batch, keys, kvHeads, headDim }: AttentionShape,
  dtype: DType,
  cache: CacheFormat,
): readonly Operand[] {
  const rows = batch * kvHeads * keys;
  if (cache === "q8_0") return quantisedCache(rows, headDim, "kv-cache");
  const part = { rows, columns: headDim, role: "kv-cache", element: cacheOf[dtype] } as const;
  return [
    { name: "k", ...part },
    { name: "v", ...part },
  ];
}

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

function operands(shape: AttentionShape, dtype: DType, cache: CacheFormat): Operand[] {
  const { batch, queries, heads, headDim } = shape;
  const part = { rows: batch * queries * heads, columns: headDim, element: activationsOf[dtype] };
  return [
    { name: "q", role: "activations", ...part },
    ...cacheOperands(shape, dtype, cache),
    { name: "o", role: "output", ...part },
  ];
}

const attentionOf = (cache: CacheFormat): Kernel<AttentionShape> => ({
  fields: ["batch", "queries", "keys", "heads", "kvHeads", "headDim", "window"],
  /** Keys that the cache of a head has room for: rows from one head's to the next's. */
  derived: { capacity: ({ keys }) => keys },
  variants: { tiled: tiled(cache), subgroups: subgroups(cache), threads: threads(cache) },

  impossible({ queries, keys, heads, kvHeads, headDim }) {
    if (queries > keys) return "attention has as many keys as queries at least";
    if (heads % kvHeads !== 0) return "attention's heads are a multiple of its kvHeads";
    if (headDim > MAX_HEAD_DIM) return `attention's headDim is ${MAX_HEAD_DIM} at most`;
    return cache === "q8_0" ? wholeHeads("attention_q8_0", headDim) : undefined;
  },

  shapeClass: ({ queries, keys, headDim }) =>
    `${queries === 1 ? "one query" : "many queries"}, ${2 ** Math.ceil(Math.log2(keys))} keys, head ${headDim}`,

  operands: (shape, dtype) => operands(shape, dtype, cache),

  /** Two products per visible pair; the softmax itself is not counted, as is usual. */
  work(shape, dtype) {
    const given = operands(shape, dtype, cache).filter(({ role }) => role !== "kv-cache");
    const read = [...given, ...cacheOperands({ ...shape, keys: keysRead(shape) }, dtype, cache)];
    return {
      flops: 4 * shape.batch * shape.heads * shape.headDim * pairs(shape),
      bytes: trafficOfAll(read),
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

  reference(shape, given, row, columns) {
    const { batch, kvHeads, keys } = shape;
    const [q, first, second] = given;
    const [k, v] =
      cache === "floats"
        ? [first, second]
        : [0, batch * kvHeads * keys].map((from) => numbersOf(first!, second!, from));
    return attend(shape, [q!, k!, v!], row, columns);
  },

  // exp() may be off by 3 + 2|x| ULP (WGSL 15.7.4); scores of this data stay below 4 in magnitude.
  tolerance: ({ keys, headDim }) => roundoff.f32 * (32 + 2 * Math.sqrt(keys) + 2 * Math.sqrt(headDim)),
});

/** softmax(Q·Kᵀ/√d)·V with grouped-query heads: causal over a prompt, or one query over a KV cache. */
export const attention = attentionOf("floats");

/** The same over a cache in q8_0. */
export const attention_q8_0 = attentionOf("q8_0");
