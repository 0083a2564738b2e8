// What the variants of attention have in common: rows in tiles, the cache's type, and keys in splits.

import mergeWgsl from "../../shaders/attention_merge.wgsl?raw";
import { activationsOf, cacheOf, type DType } from "./elements";
import { type Operand, type Prelude, pick, preludeFor, type Stage, spotAt } from "./kernel";
import { type CacheFormat, scaleWords } from "./quantised_cache";

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

/** The vec4s of a head. */
export const headWords = ({ headDim }: AttentionShape): number => Math.ceil(headDim / 4);

/** Rows of one key/value head of one sequence: a query for each of the heads that share it. */
const rowsOf = ({ queries, heads, kvHeads }: AttentionShape) => queries * (heads / kvHeads);

/** Rows of a tile where each tile has `most` of them at most, and all have about as many. */
export const tileRows = (shape: AttentionShape, most: number): number =>
  Math.ceil(rowsOf(shape) / Math.ceil(rowsOf(shape) / most));

/** Pieces of work: tiles of `ROWS` rows, each with its keys in splits. */
export const pieces = (shape: AttentionShape, ROWS: number, SPLITS: number): number =>
  shape.batch * shape.kvHeads * Math.ceil(rowsOf(shape) / ROWS) * SPLITS;

/** A spot in piece number `piece`, where there is one split only. */
function pieceSpot(shape: AttentionShape, ROWS: number, piece: number, choice: number) {
  const { batch, queries, heads, kvHeads, headDim } = shape;
  const sharing = heads / kvHeads;
  const tiles = Math.ceil(rowsOf(shape) / ROWS);
  const kvHead = Math.floor(piece / tiles) % kvHeads;
  const sequence = Math.floor(piece / tiles / kvHeads);
  const row = pick((piece % tiles) * ROWS, ROWS, rowsOf(shape), choice >>> 16);
  if (row === undefined || sequence >= batch) return undefined;
  const query = sequence * queries + Math.floor(row / sharing);
  return spotAt(query * heads + kvHead * sharing + (row % sharing), (choice & 0xffff) % headDim);
}

/** Scalar operations written out in one turn of a loop that SwiftShader's compiler survives; twice as many crash it. */
const MOST_OPERATIONS = 1700;

/** What the peak, the mask and the exponential of a score take, in operations. */
const SCORE_OPERATIONS = 40;

/** What unpacking four numbers of the cache adds: 16 operations, which weigh a quarter as much as multiply-adds do. */
const unpacking: Readonly<Record<CacheFormat, number>> = { floats: 0, q8_0: 4 };

/**
 * Whether the loop of rows against keys, with `words` multiply-adds of vec4s for each of both, would be too long with
 * all written out; compilers that bear more are allowed a multiple.
 */
export const tooLong = (
  ROWS: number,
  KEYS: number,
  words: number,
  cache: CacheFormat,
  allowance = 1,
): boolean =>
  4 * ROWS * KEYS * words + unpacking[cache] * KEYS * words + SCORE_OPERATIONS * ROWS * (KEYS + 1) >
  MOST_OPERATIONS * allowance;

const MERGE_THREADS = 64;

/** Rows of queries and of outputs. */
export const outputRows = ({ batch, queries, heads }: AttentionShape) => batch * queries * heads;

/** A spot of a workgroup that merges splits. */
export function mergedSpot(
  shape: AttentionShape,
  workgroup: number,
  choice: number,
): readonly [number, number] | undefined {
  const words = headWords(shape);
  const all = outputRows(shape) * words;
  const index = pick(workgroup * MERGE_THREADS, MERGE_THREADS, all, choice >>> 16);
  if (index === undefined) return undefined;
  const column = Math.min(4 * (index % words) + (choice & 3), shape.headDim - 1);
  return [Math.floor(index / words), column];
}

/** A spot of a workgroup of the last stage, where a workgroup of the first one takes so many pieces. */
export function attentionSpot(
  shape: AttentionShape,
  { ROWS, SPLITS, perWorkgroup }: { ROWS: number; SPLITS: number; perWorkgroup: number },
  workgroup: number,
  choice: number,
): readonly [number, number] | undefined {
  if (SPLITS === 1) {
    const first = workgroup * perWorkgroup;
    const piece = pick(first, perWorkgroup, pieces(shape, ROWS, 1), (choice >>> 8) & 0xff);
    return piece === undefined ? undefined : pieceSpot(shape, ROWS, piece, choice);
  }
  return mergedSpot(shape, workgroup, choice);
}

/** The results of so many splits and their weights. */
export const partials = (shape: AttentionShape, SPLITS: number): Operand[] => {
  const scratch = { rows: outputRows(shape) * SPLITS, role: "scratch", element: "f32" } as const;
  return [
    { ...scratch, name: "partial", columns: shape.headDim },
    { ...scratch, name: "stats", columns: 4 },
  ];
};

/** What splits leave where there are several. */
export const splitScratch = (shape: AttentionShape, SPLITS: number): Operand[] =>
  SPLITS === 1 ? [] : partials(shape, SPLITS);

/** Splits are there to give every core its part of few rows; many rows are parts enough. */
export const unfitSplits = (shape: AttentionShape, most: number, SPLITS: number): string | undefined =>
  SPLITS > 1 && rowsOf(shape) > 4 * most ? "there are rows enough to divide" : undefined;

/** How a shader reads a cache: what is loaded at once, and the constants that say what becomes of it. */
function access(cache: CacheFormat, dtype: DType, { headDim }: AttentionShape) {
  const words = Math.ceil(headDim / 4);
  if (cache === "q8_0") {
    const [WIDE, SCALE_WORDS] = [4, scaleWords(headDim)];
    const flags = { PLAIN: 0, PACKED: 0, QUANTISED: 1, FLOATS: 0 };
    return { kv: "vec4u", flags: { ...flags, WIDE, LOADS: words / WIDE, SCALE_WORDS } };
  }
  const packed = cacheOf[dtype] === "f16";
  const flags = { PLAIN: Number(!packed), PACKED: Number(packed), QUANTISED: 0, FLOATS: 1 };
  return { kv: packed ? "vec2u" : "vec4f", flags: { ...flags, WIDE: 1, LOADS: words, SCALE_WORDS: 1 } };
}

/** The stage that computes attention, and where there are several splits the one that merges them. */
export function attentionStages(
  shape: AttentionShape,
  dtype: DType,
  cache: CacheFormat,
  first: Pick<Stage, "shader" | "workgroups"> & {
    readonly constants: Readonly<Record<string, number>>;
    readonly enable?: readonly string[];
  },
  SPLITS: number,
): Stage[] {
  const elem = activationsOf[dtype];
  const { kv, flags } = access(cache, dtype, shape);
  const HEAD_WORDS = headWords(shape);
  const several = SPLITS > 1;
  const { shader, workgroups, constants, enable } = first;
  const all = { HEAD_WORDS, SPLITS, PARTIAL: Number(several), ...flags, ...constants };
  const prelude = preludeFor(elem, all, enable);
  const alias = { elem, kv, out: several ? "f32" : elem };
  const typed: Prelude = { ...prelude, alias };
  const stored = cache === "q8_0" ? ["kv", "scales"] : ["k", "v"];
  const binds = ["q", ...stored, ...(several ? ["partial", "stats"] : ["o"])];
  const merge: Stage = {
    shader: "attention_merge",
    prelude: preludeFor(elem, { HEAD_WORDS, SPLITS, THREADS: MERGE_THREADS }),
    workgroups: Math.ceil((outputRows(shape) * HEAD_WORDS) / MERGE_THREADS),
    binds: ["partial", "stats", "o"],
  };
  return [{ shader, prelude: typed, workgroups, binds }, ...(several ? [merge] : [])];
}

/** The shader that merges splits, and the threads of its workgroups. */
export const merge = { shaders: { attention_merge: mergeWgsl }, threads: MERGE_THREADS } as const;
