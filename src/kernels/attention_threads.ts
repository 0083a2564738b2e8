// Attention by threads that work each for itself: where workgroup memory and barriers cost more than loads.

import wgsl from "../../shaders/attention_threads.wgsl?raw";
import {
  type AttentionShape,
  attentionSpot,
  attentionStages,
  headWords,
  merge,
  pieces,
  splitScratch,
  tileRows,
  tooLong,
  unfitSplits,
} from "./attention_rows";
import type { Variant } from "./kernel";
import type { CacheFormat } from "./quantised_cache";

type ThreadsTuning = {
  readonly THREADS: number;
  /** Rows of a thread, at most. */
  readonly ROWS: number;
  /** Keys that a thread takes at once. */
  readonly KEYS: number;
  /** Parts that the keys are divided into. */
  readonly SPLITS: number;
};

export const threads = (cache: CacheFormat): Variant<AttentionShape, ThreadsTuning> => ({
  shaders: { attention_threads: wgsl, ...merge.shaders },
  space: {
    THREADS: [4, 8, 16, 32, 64],
    ROWS: [1, 2, 4, 8],
    KEYS: [1, 2, 4],
    SPLITS: [1, 2, 4, 8, 16, 32, 64],
  },
  starts: [
    { THREADS: 8, ROWS: 4, KEYS: 1, SPLITS: 1 },
    { THREADS: 16, ROWS: 4, KEYS: 2, SPLITS: 1 },
    { THREADS: 8, ROWS: 1, KEYS: 1, SPLITS: 1 },
    { THREADS: 8, ROWS: 4, KEYS: 1, SPLITS: 16 },
    { THREADS: 8, ROWS: 1, KEYS: 1, SPLITS: 16 },
  ],
  describe: ({ THREADS, ROWS, KEYS, SPLITS }) =>
    `${THREADS} of ${ROWS}x${KEYS}${SPLITS > 1 ? ` split ${SPLITS}` : ""}`,
  unfit: ({ ROWS, KEYS, SPLITS }, shape) =>
    tooLong(tileRows(shape, ROWS), KEYS, 2 * headWords(shape), cache)
      ? "too much to write out"
      : unfitSplits(shape, ROWS, SPLITS),

  demand: ({ THREADS, SPLITS }) => ({
    threads: SPLITS > 1 ? Math.max(THREADS, merge.threads) : THREADS,
    workgroupStorage: 0,
  }),

  stages({ THREADS, ROWS: most, KEYS, SPLITS }, shape, dtype) {
    const ROWS = tileRows(shape, most);
    const workgroups = Math.ceil(pieces(shape, ROWS, SPLITS) / THREADS);
    const first = { shader: "attention_threads", workgroups, constants: { ROWS, KEYS, THREADS } };
    return attentionStages(shape, dtype, cache, first, SPLITS);
  },
  scratch: ({ SPLITS }, shape) => splitScratch(shape, SPLITS),
  spot: (shape, { THREADS, ROWS, SPLITS }, workgroup, choice) =>
    attentionSpot(shape, { ROWS: tileRows(shape, ROWS), SPLITS, perWorkgroup: THREADS }, workgroup, choice),
});
