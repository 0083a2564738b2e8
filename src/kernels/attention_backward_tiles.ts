// How the way back of attention is divided: tiles of rows of a key/value head of a sequence, a workgroup for each.

import { pick, spotAt, type Variant } from "./kernel";

/** Whole sequences from their beginning on. */
export type AttentionBackwardShape = {
  readonly batch: number;
  /** Of each sequence. */
  readonly tokens: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** How many keys a token sees at most, its own included; `tokens` where there is no sliding window. */
  readonly window: number;
};

type Shape = AttentionBackwardShape;

type TiledTuning = { readonly ROWS: number; readonly KEYS: number; readonly THREADS: number };

const headWords = ({ headDim }: Shape) => Math.ceil(headDim / 4);

/** vec4s of a tile that each thread sums up; each is written out, and compilers take seconds for more. */
const slotsOf = (rows: number, threads: number, shape: Shape) =>
  Math.ceil((rows * headWords(shape)) / threads);
const MOST_SLOTS = 16;

/** Heads that share a key/value head. */
export const sharingOf = ({ heads, kvHeads }: Shape) => heads / kvHeads;

interface Tiles {
  readonly shader: string;
  readonly wgsl: string;
  readonly binds: readonly string[];
  /** Rows of a key/value head of a sequence that are divided into tiles. */
  rows(shape: Shape): number;
  /** Copies of a tile in workgroup memory, and numbers for each row and lane. */
  readonly copies: number;
  readonly numbers: number;
  /** Whether a thread sums up vec4s of the output. */
  readonly slots: boolean;
  /** The output's row of a row of a key/value head of a sequence, and its column. */
  placed(
    shape: Shape,
    at: { sequence: number; kvHead: number; row: number },
    choice: number,
  ): [number, number];
}

/** A workgroup for each tile of rows, in front of all that they see or are seen by. */
export const tiled = (of: Tiles): Variant<Shape, TiledTuning> => ({
  shaders: { [of.shader]: of.wgsl },
  space: {
    ROWS: [2, 4, 8, 16, 32],
    KEYS: [8, 16, 32, 64, 128],
    THREADS: [16, 32, 64, 128, 256],
  },
  starts: [
    { ROWS: 8, KEYS: 64, THREADS: 128 },
    { ROWS: 16, KEYS: 32, THREADS: 128 },
    { ROWS: 4, KEYS: 16, THREADS: 16 },
  ],
  describe: ({ ROWS, KEYS, THREADS }) => `${THREADS} threads of ${ROWS}x${KEYS}`,
  unfit({ ROWS, KEYS, THREADS }, shape) {
    if (THREADS % KEYS !== 0) return "keys divide threads";
    return slotsOf(ROWS, THREADS, shape) > MOST_SLOTS ? "too much to write out" : undefined;
  },
  demand: ({ ROWS, KEYS, THREADS }, shape) => ({
    threads: THREADS,
    workgroupStorage: ROWS * (16 * of.copies * headWords(shape) + 4 * of.numbers * KEYS + 8),
  }),
  stages({ ROWS, KEYS, THREADS }, shape) {
    const ROWS_PER_THREAD = Math.ceil(ROWS / (THREADS / KEYS));
    const HEAD_WORDS = headWords(shape);
    const SLOTS = slotsOf(ROWS, THREADS, shape);
    const constants = { HEAD_WORDS, ROWS, KEYS, THREADS, ROWS_PER_THREAD, ...(of.slots && { SLOTS }) };
    const tiles = Math.ceil(of.rows(shape) / ROWS);
    const workgroups = shape.batch * shape.kvHeads * tiles;
    return [{ shader: of.shader, prelude: { constants }, workgroups, binds: of.binds }];
  },
  spot(shape, { ROWS }, workgroup, choice) {
    const tiles = Math.ceil(of.rows(shape) / ROWS);
    const row = pick((workgroup % tiles) * ROWS, ROWS, of.rows(shape), choice >>> 16);
    const kvHead = Math.floor(workgroup / tiles) % shape.kvHeads;
    const sequence = Math.floor(workgroup / tiles / shape.kvHeads);
    if (row === undefined || sequence >= shape.batch) return undefined;
    return spotAt(...of.placed(shape, { sequence, kvHead, row }, choice & 0xffff));
  },
});

/** The row of q of a row of a key/value head: a token of one of the heads that share it. */
export function queryRow(shape: Shape, { sequence, kvHead, row }: Parameters<Tiles["placed"]>[1]): number {
  const sharing = sharingOf(shape);
  const token = sequence * shape.tokens + Math.floor(row / sharing);
  return token * shape.heads + kvHead * sharing + (row % sharing);
}

/** Tiles of queries' rows, which write to a row of theirs. */
export const ofQueries = {
  rows: (shape) => shape.tokens * sharingOf(shape),
  placed: (shape, at, choice) => [queryRow(shape, at), choice % shape.headDim],
} satisfies Partial<Tiles>;
