// Faults to plant into attention's shaders that do without workgroup memory, and into the one that merges splits.

import type { FaultGroup } from "./kernel_faults";

/** batch, queries, keys, heads, kvHeads, headDim, window. */
const heads = (shape: [number, number, number, number, number, number, number]) => {
  const [batch, queries, keys, heads, kvHeads, headDim, window] = shape;
  return { batch, queries, keys, heads, kvHeads, headDim, window };
};

const prefill = heads([1, 17, 17, 4, 2, 32, 17]);
const decode = heads([1, 1, 300, 4, 2, 32, 300]);
/** Fewer words of a head than lanes. */
const narrow = heads([1, 1, 300, 4, 2, 8, 300]);
const sliding = heads([1, 70, 150, 2, 1, 16, 33]);
const batch = heads([3, 2, 67, 6, 2, 20, 67]);

const SUBGROUPS = /^\d+x\d+ of 2x1$/;
/** Rows of several queries, which do not see the same keys. */
const SUBGROUP_QUERIES = /^\d+x\d+ of 8x1$/;
const SUBGROUP_SPLITS = /^\d+x\d+ of 8x1 split/;
const THREADS = /^\d+ of 4x1$/;
const THREAD_SPLITS = /^\d+ of 4x1 split/;
const SPLITS = /split/;

export const attentionFaults: readonly Omit<FaultGroup, "kernel" | "needs">[] = [
  {
    shader: "attention_subgroups",
    shape: decode,
    tunings: SUBGROUPS,
    dtype: "f32",
    plants: [
      ["the first lane's words for all", "], word % SUBGROUP)", "], 0u)"],
      ["the sum not rescaled", "acc[r * WORDS + n] *= rescale;", ""],
      ["the total not rescaled", "total[r] *= rescale;", ""],
      ["the total of one lane", "subgroupAdd(total[r])", "total[r]"],
      ["each lane its own peak", "peak = subgroupMax(peak);", ""],
      [
        "values of the first tile for all",
        "cache + min(tile + i * SUBGROUP",
        "cache + min(begin + i * SUBGROUP",
        3,
      ],
      ["no 1/sqrt(headDim)", " * inverseSqrt(f32(shape.headDim))", ""],
    ],
  },
  {
    shader: "attention_subgroups",
    shape: narrow,
    tunings: SUBGROUPS,
    dtype: "f32",
    plants: [
      ["the sums of some lanes twice, of others never", "WORD_LANES << s", "0u"],
      [
        "a neighbour's weight",
        "subgroupShuffle(score[r * KEYS + i], owner)",
        "subgroupShuffle(score[r * KEYS + i], lane)",
      ],
    ],
  },
  {
    shader: "attention_subgroups",
    shape: prefill,
    tunings: SUBGROUP_QUERIES,
    dtype: "f32",
    plants: [
      ["one key too many", "key <= position[r] &&", "key <= position[r] + 1u &&"],
      ["one key too few", "key <= position[r] &&", "key < position[r] &&"],
      ["the last row never written", "HEAD_WORDS && first + r <= last", "HEAD_WORDS && first + r < last"],
      [
        "queries and heads swapped",
        "row / sharing) * shape.heads + kv_head * sharing + row % sharing",
        "row % sharing) * shape.heads + kv_head * sharing + row / sharing",
      ],
    ],
  },
  {
    shader: "attention_subgroups",
    shape: sliding,
    tunings: SUBGROUP_QUERIES,
    dtype: "f32",
    plants: [
      ["the sliding window ignored", " && key + shape.window > position[r]", ""],
      [
        "the sliding window one key wider",
        "key + shape.window > position[r]",
        "key + shape.window >= position[r]",
      ],
    ],
  },
  {
    shader: "attention_subgroups",
    shape: decode,
    tunings: SUBGROUP_SPLITS,
    dtype: "q8_0",
    plants: [
      [
        "halves of the cache swapped",
        "unpack2x16float(word.x), unpack2x16float(word.y)",
        "unpack2x16float(word.y), unpack2x16float(word.x)",
      ],
      [
        "the last key of every split lost",
        "min(begin + (split + 1u) * share, end)",
        "min(begin + (split + 1u) * share, end) - 1u",
      ],
      ["all splits' totals in one place", "stats[at_row[r] * SPLITS + split]", "stats[at_row[r] * SPLITS]"],
    ],
  },
  {
    shader: "attention_threads",
    shape: prefill,
    tunings: THREADS,
    dtype: "f32",
    plants: [
      ["one key too many", "tile + i <= position[r] &&", "tile + i <= position[r] + 1u &&"],
      ["one key too few", "tile + i <= position[r] &&", "tile + i < position[r] &&"],
      ["the last row never written", "if (first + r <= last)", "if (first + r < last)"],
      ["the first row for all", "let row = query[r * HEAD_WORDS + word];", "let row = query[word];"],
      ["the sum not rescaled", "acc[r * HEAD_WORDS + word] *= rescale[r];", ""],
      ["the total not rescaled", "total[r] *= rescale[r];", ""],
    ],
  },
  {
    shader: "attention_threads",
    shape: sliding,
    tunings: THREADS,
    dtype: "f32",
    plants: [["the sliding window ignored", " && tile + i + shape.window > position[r]", ""]],
  },
  {
    shader: "attention_threads",
    shape: batch,
    tunings: THREAD_SPLITS,
    dtype: "q4_0",
    plants: [
      ["keys of the first sequence", "let cache = (sequence *", "let cache = (0u *"],
      ["the last sequence never written", "sequence >= shape.batch", "sequence + 1u >= shape.batch"],
      ["keys of the first kv head", "+ kv_head) * shape.keys", "+ 0u) * shape.keys"],
    ],
  },
  {
    shader: "attention_merge",
    shape: decode,
    tunings: SPLITS,
    dtype: "f32",
    plants: [
      ["every split of the same weight", "stats[split].y * exp(stats[split].x - highest)", "1.0"],
      ["highest scores ignored", " * exp(stats[split].x - highest)", ""],
      [
        "the last split left out",
        "SPLITS; split++) {\n    let weight",
        "SPLITS - 1u; split++) {\n    let weight",
      ],
      ["not divided by the total", "sum / total", "sum"],
      ["another word's sum", "split * HEAD_WORDS + index % HEAD_WORDS", "split * HEAD_WORDS"],
    ],
  },
];
