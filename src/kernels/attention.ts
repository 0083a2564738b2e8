import wgsl from "../../shaders/attention.wgsl?raw";
import { type Expected, type Kernel, pick, roundoff, sizeOf, spotAt } from "./kernel";
import { preludeFor } from "./prelude";

export type AttentionShape = {
  readonly batch: number;
  /** Tokens asked for, the last ones of each sequence. */
  readonly queries: number;
  /** Tokens in the KV cache of each sequence, the queries' own included. */
  readonly keys: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** How many keys a query sees at most, its own included; `keys` where there is no sliding window. */
  readonly window: number;
};

export type AttentionTuning = { readonly ROWS: number; readonly KEYS: number; readonly THREADS: number };

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

const headWords = (headDim: number) => Math.ceil(headDim / 4);

/** softmax(Q·Kᵀ/√d)·V with grouped-query heads: causal over a prompt, or one query over a KV cache. */
export const attention: Kernel<AttentionShape, AttentionTuning> = {
  wgsl,
  fields: ["batch", "queries", "keys", "heads", "kvHeads", "headDim", "window"],

  tunings: {
    "8 rows by 64 keys, 128 threads": { ROWS: 8, KEYS: 64, THREADS: 128 },
    "4 rows by 128 keys, 128 threads": { ROWS: 4, KEYS: 128, THREADS: 128 },
    "16 rows by 32 keys, 64 threads": { ROWS: 16, KEYS: 32, THREADS: 64 },
    "8 rows by 16 keys, 16 threads": { ROWS: 8, KEYS: 16, THREADS: 16 },
  },

  impossible({ queries, keys, heads, kvHeads, headDim }) {
    if (queries > keys) return "attention has as many keys as queries at least";
    if (heads % kvHeads !== 0) return "attention's heads are a multiple of its kvHeads";
    return headDim > MAX_HEAD_DIM ? `attention's headDim is ${MAX_HEAD_DIM} at most` : undefined;
  },

  shapeClass: ({ queries, keys, headDim }) =>
    `${queries === 1 ? "one query" : "many queries"}, ${2 ** Math.ceil(Math.log2(keys))} keys, head ${headDim}`,

  demand: ({ ROWS, KEYS, THREADS }, { headDim }) => ({
    threads: THREADS,
    workgroupStorage: ROWS * headWords(headDim) * 16 + ROWS * KEYS * 4 + ROWS * 8,
  }),

  prelude({ ROWS, KEYS, THREADS }, { headDim }, dtype) {
    const HEAD_WORDS = headWords(headDim);
    const ROWS_PER_THREAD = Math.ceil(ROWS / (THREADS / KEYS));
    const SLOTS = Math.ceil((ROWS * HEAD_WORDS) / THREADS);
    return preludeFor(dtype, { HEAD_WORDS, ROWS, KEYS, THREADS, ROWS_PER_THREAD, SLOTS });
  },

  workgroups: ({ batch, queries, heads, kvHeads }, { ROWS }) =>
    batch * kvHeads * Math.ceil((queries * (heads / kvHeads)) / ROWS),

  spot({ batch, queries, heads, kvHeads, headDim }, { ROWS }, workgroup, choice) {
    const sharing = heads / kvHeads;
    const tiles = Math.ceil((queries * sharing) / ROWS);
    const kvHead = Math.floor(workgroup / tiles) % kvHeads;
    const sequence = Math.floor(workgroup / tiles / kvHeads);
    const row = pick((workgroup % tiles) * ROWS, ROWS, queries * sharing, choice >>> 16);
    if (row === undefined || sequence >= batch) return undefined;
    const query = sequence * queries + Math.floor(row / sharing);
    return spotAt(query * heads + kvHead * sharing + (row % sharing), (choice & 0xffff) % headDim);
  },

  operands: ({ batch, queries, keys, heads, kvHeads, headDim }) => [
    { name: "q", rows: batch * queries * heads, columns: headDim, role: "activations" },
    { name: "k", rows: batch * kvHeads * keys, columns: headDim, role: "kv-cache" },
    { name: "v", rows: batch * kvHeads * keys, columns: headDim, role: "kv-cache" },
    { name: "o", rows: batch * queries * heads, columns: headDim, role: "output" },
  ],

  /** Two products per visible pair; the softmax itself is not counted, as is usual. */
  work: (shape, dtype) => ({
    flops: 4 * shape.batch * shape.heads * shape.headDim * pairs(shape),
    bytes:
      2 *
      shape.batch *
      (shape.queries * shape.heads + keysRead(shape) * shape.kvHeads) *
      shape.headDim *
      sizeOf[dtype],
  }),

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

  reference({ queries, keys, heads, kvHeads, headDim, window }, [q, k, v], row, columns): Expected[] {
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
    const highest = scores.reduce((a, b) => Math.max(a, b));
    const weights = scores.map((score) => Math.exp(score - highest));
    const total = weights.reduce((a, b) => a + b);

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
  },

  // exp() may be off by 3 + 2|x| ULP (WGSL 15.7.4); scores of this data stay below 4 in magnitude.
  tolerance: ({ keys, headDim }) => roundoff.f32 * (32 + 2 * Math.sqrt(keys) + 2 * Math.sqrt(headDim)),
};
