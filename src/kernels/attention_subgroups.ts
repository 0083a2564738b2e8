// Attention by subgroups: lanes hand each other rows and weights.

import wgsl from "../../shaders/attention_subgroups.wgsl?raw";
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

type SubgroupsTuning = {
  /** Lanes of a subgroup, which are the device's and no choice. */
  readonly SUBGROUP: number;
  /** Subgroups of a workgroup. */
  readonly SUBGROUPS: number;
  /** Rows of a subgroup, at most. */
  readonly ROWS: number;
  /** Keys that a lane takes at once. */
  readonly KEYS: number;
  /** Parts that the keys are divided into. */
  readonly SPLITS: number;
};

/** Lanes that may lie idle in the sums for the sake of more lanes side by side. */
const IDLE = 1.25;

/** What the shader's constants are made of. */
function derived({ SUBGROUP, ROWS: most, KEYS }: SubgroupsTuning, shape: AttentionShape) {
  const words = headWords(shape);
  let WORD_LANES = SUBGROUP;
  while (Math.ceil(words / WORD_LANES) * WORD_LANES > IDLE * words) WORD_LANES /= 2;
  const KEY_LANES = SUBGROUP / WORD_LANES;
  return {
    SUBGROUP,
    ROWS: tileRows(shape, most),
    KEYS,
    QUERY_WORDS: Math.ceil(words / SUBGROUP),
    WORD_LANES,
    KEY_LANES,
    KEY_STEPS: Math.log2(KEY_LANES),
    WORDS: Math.ceil(words / WORD_LANES),
    BROADCAST: KEY_LANES === 1 ? WORD_LANES : 0,
    SHUFFLE: KEY_LANES === 1 ? 0 : WORD_LANES,
  };
}

export const subgroups = (cache: CacheFormat): Variant<AttentionShape, SubgroupsTuning> => ({
  shaders: { attention_subgroups: wgsl, ...merge.shaders },
  space: {
    SUBGROUP: [4, 8, 16, 32, 64],
    SUBGROUPS: [1, 2, 4, 8],
    ROWS: [1, 2, 4, 8, 16, 32],
    KEYS: [1, 2, 4],
    SPLITS: [1, 2, 4, 8, 16, 32, 64],
  },
  starts: [4, 8, 16, 32, 64].flatMap((SUBGROUP) => {
    const SUBGROUPS = SUBGROUP < 16 ? 1 : 4;
    const few = { SUBGROUP, SUBGROUPS, KEYS: 1, SPLITS: SUBGROUP < 16 ? 4 : 32 };
    const many = { SUBGROUP, SUBGROUPS, KEYS: 1, SPLITS: 1 };
    return [
      { ...many, ROWS: 8 },
      { ...many, ROWS: 2 },
      { ...few, ROWS: 8 },
      { ...few, ROWS: 2 },
    ];
  }),
  describe: ({ SUBGROUP, SUBGROUPS, ROWS, KEYS, SPLITS }) =>
    `${SUBGROUPS}x${SUBGROUP} of ${ROWS}x${KEYS}${SPLITS > 1 ? ` split ${SPLITS}` : ""}`,
  unfit(tuning, shape) {
    const { SUBGROUP, ROWS, KEYS, WORD_LANES, WORDS } = derived(tuning, shape);
    return tooLong(ROWS, KEYS, headWords(shape) + WORD_LANES * WORDS, cache, SUBGROUP === 4 ? 1 : 4)
      ? "too much to write out"
      : unfitSplits(shape, tuning.ROWS, tuning.SPLITS);
  },

  demand: ({ SUBGROUP, SUBGROUPS, SPLITS }) => ({
    threads: SPLITS > 1 ? Math.max(SUBGROUP * SUBGROUPS, merge.threads) : SUBGROUP * SUBGROUPS,
    workgroupStorage: 0,
    subgroup: SUBGROUP,
  }),

  stages(tuning, shape, dtype) {
    const { SUBGROUPS, SPLITS } = tuning;
    const constants = { SUBGROUPS, ...derived(tuning, shape) };
    const workgroups = Math.ceil(pieces(shape, constants.ROWS, SPLITS) / SUBGROUPS);
    const first = { shader: "attention_subgroups", workgroups, constants, enable: ["subgroups"] };
    return attentionStages(shape, dtype, cache, first, SPLITS);
  },
  scratch: ({ SPLITS }, shape) => splitScratch(shape, SPLITS),
  spot: (shape, { SUBGROUPS, ROWS, SPLITS }, workgroup, choice) =>
    attentionSpot(shape, { ROWS: tileRows(shape, ROWS), SPLITS, perWorkgroup: SUBGROUPS }, workgroup, choice),
});
