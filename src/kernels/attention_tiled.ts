// Attention by workgroups: rows and scores in workgroup memory.

import wgsl from "../../shaders/attention.wgsl?raw";
import {
  type AttentionShape,
  attentionSpot,
  attentionStages,
  headWords,
  merge,
  pieces,
  splitScratch,
  unfitSplits,
} from "./attention_rows";
import type { Variant } from "./kernel";
import type { CacheFormat } from "./quantised_cache";

type TiledTuning = {
  readonly ROWS: number;
  readonly KEYS: number;
  readonly THREADS: number;
  /** Parts that the keys are divided into. */
  readonly SPLITS: number;
};

export const tiled = (cache: CacheFormat): Variant<AttentionShape, TiledTuning> => ({
  shaders: { attention: wgsl, ...merge.shaders },
  space: {
    ROWS: [4, 8, 16, 32],
    KEYS: [16, 32, 64, 128],
    THREADS: [16, 32, 64, 128, 256],
    SPLITS: [1, 2, 4, 8, 16, 32, 64],
  },
  starts: [
    { ROWS: 8, KEYS: 64, THREADS: 128, SPLITS: 1 },
    { ROWS: 4, KEYS: 128, THREADS: 128, SPLITS: 1 },
    { ROWS: 16, KEYS: 32, THREADS: 64, SPLITS: 1 },
    { ROWS: 8, KEYS: 64, THREADS: 128, SPLITS: 16 },
    { ROWS: 8, KEYS: 16, THREADS: 16, SPLITS: 1 },
  ],
  describe: ({ ROWS, KEYS, THREADS, SPLITS }) =>
    `${THREADS} threads of ${ROWS}x${KEYS}${SPLITS > 1 ? ` split ${SPLITS}` : ""}`,
  unfit: ({ ROWS, KEYS, THREADS, SPLITS }, shape) =>
    THREADS % KEYS === 0 ? unfitSplits(shape, ROWS, SPLITS) : "keys divide threads",

  demand: ({ ROWS, KEYS, THREADS, SPLITS }, shape) => ({
    threads: SPLITS > 1 ? Math.max(THREADS, merge.threads) : THREADS,
    workgroupStorage: ROWS * headWords(shape) * 16 + ROWS * KEYS * 4 + ROWS * 8,
  }),

  stages({ ROWS, KEYS, THREADS, SPLITS }, shape, dtype) {
    const ROWS_PER_THREAD = Math.ceil(ROWS / (THREADS / KEYS));
    const SLOTS = Math.ceil((ROWS * headWords(shape)) / THREADS);
    const constants = { ROWS, KEYS, THREADS, ROWS_PER_THREAD, SLOTS };
    const first = { shader: "attention", workgroups: pieces(shape, ROWS, SPLITS), constants };
    return attentionStages(shape, dtype, cache, first, SPLITS);
  },
  scratch: ({ SPLITS }, shape) => splitScratch(shape, SPLITS),
  spot: (shape, { ROWS, SPLITS }, workgroup, choice) =>
    attentionSpot(shape, { ROWS, SPLITS, perWorkgroup: 1 }, workgroup, choice),
});
