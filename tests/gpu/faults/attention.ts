// Faults to plant into attention: in tiles, by subgroups, by single threads, and in splits that are merged.

import { barrier, type FaultGroup, heads } from "./fault";

const prefill = heads([1, 17, 17, 4, 2, 16, 17]);
const decode = heads([1, 1, 300, 4, 2, 16, 300]);
const prefillOf32 = heads([1, 17, 17, 4, 2, 32, 17]);
const decodeOf32 = heads([1, 1, 300, 4, 2, 32, 300]);
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

/** Not every adapter has a tuning of each kind. */
const NEEDS = "tuning of this kind";

export const attentionFaults: readonly FaultGroup[] = [
  // Without the barrier between scores and peaks both software adapters are right all the same, at every shape tried:
  // any peak will do as long as nothing overflows.
  {
    kernel: "attention",
    shape: prefill,
    tunings: /of 16x/,
    plants: [
      ["no barrier before the scores", ...barrier("\n    let key")],
      ["no barrier after the peaks", ...barrier("\n\n    for (var i = thread;")],
      ["no barrier after the weights", ...barrier("\n\n    let seen")],
    ],
  },
  {
    kernel: "attention",
    shape: prefill,
    tunings: /x128$/,
    plants: [
      ["one key too many", "key <= position &&", "key <= position + 1u &&"],
      ["one key too few", "key <= position &&", "key < position &&"],
      ["a query of another head", "row % sharing;\n    query", "row / sharing;\n    query"],
      ["the output of another head", "row % sharing;\n      // A split", "row / sharing;\n      // A split"],
      [
        "queries and heads swapped",
        "row / sharing) * shape.heads + kv_head * sharing + row % sharing",
        "row % sharing) * shape.heads + kv_head * sharing + row / sharing",
        2,
      ],
      ["the last row never written", "row <= last)", "row < last)"],
      ["one row's scores for all of a thread", "thread / KEYS + i * ROW_STEP, ROWS", "thread / KEYS, ROWS"],
    ],
  },
  {
    kernel: "attention",
    shape: decode,
    tunings: /of 8x16$/,
    plants: [
      ["the last key never read", "past + last / sharing + 1u;", "past + last / sharing;"],
      ["keys of the first kv head", "+ kv_head) * shape.capacity", "+ 0u) * shape.capacity"],
      ["the sum not rescaled", "acc[s] * rescale[r]", "acc[s]"],
      ["the total not rescaled", "total[s] * rescale[r]", "total[s]"],
      ["no 1/sqrt(headDim)", " * inverseSqrt(f32(shape.headDim))", ""],
      ["values of the first tile for all", "cache + tile * HEAD_WORDS", "cache + begin * HEAD_WORDS"],
      ["the last key of every tile lost", "i < seen;", "i + 1u < seen;"],
      ["the last tile lost", "tile < stop;", "tile + KEYS <= stop;"],
      ["not divided by the total", "acc[s] / select(1.0, total[s], total[s] > 0.0)", "acc[s]"],
    ],
  },
  {
    kernel: "attention",
    shape: sliding,
    tunings: /of 8x16$/,
    plants: [
      ["the sliding window ignored", " && key + shape.window > position", ""],
      ["the sliding window one key wider", "key + shape.window > position", "key + shape.window >= position"],
    ],
  },
  {
    kernel: "attention",
    shape: batch,
    tunings: /x128$/,
    plants: [
      ["keys of the first sequence", "let cache = (sequence *", "let cache = (0u *"],
      ["the last sequence never written", "sequence >= shape.batch", "sequence + 1u >= shape.batch"],
      ["queries taken for the first of the sequence", "shape.keys - shape.queries;", "0u;"],
    ],
  },
  {
    kernel: "attention",
    shape: decode,
    tunings: /threads of/,
    dtype: "f16",
    plants: [["sums in f16", ", sum);", ", quantizeToF16(sum));"]],
  },
  {
    kernel: "attention",
    needs: NEEDS,
    shader: "attention_subgroups",
    shape: decodeOf32,
    tunings: SUBGROUPS,
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
    kernel: "attention",
    needs: NEEDS,
    shader: "attention_subgroups",
    shape: narrow,
    tunings: SUBGROUPS,
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
    kernel: "attention",
    needs: NEEDS,
    shader: "attention_subgroups",
    shape: prefillOf32,
    tunings: SUBGROUP_QUERIES,
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
    kernel: "attention",
    needs: NEEDS,
    shader: "attention_subgroups",
    shape: sliding,
    tunings: SUBGROUP_QUERIES,
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
    kernel: "attention",
    needs: NEEDS,
    shader: "attention_subgroups",
    shape: decodeOf32,
    tunings: SUBGROUP_SPLITS,
    dtype: "q8_0",
    plants: [
      [
        "halves of the cache swapped",
        "unpack2x16float(loaded.x), unpack2x16float(loaded.y)",
        "unpack2x16float(loaded.y), unpack2x16float(loaded.x)",
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
    kernel: "attention",
    needs: NEEDS,
    shader: "attention_threads",
    shape: prefillOf32,
    tunings: THREADS,
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
    kernel: "attention",
    needs: NEEDS,
    shader: "attention_threads",
    shape: sliding,
    tunings: THREADS,
    plants: [["the sliding window ignored", " && tile + i + shape.window > position[r]", ""]],
  },
  {
    kernel: "attention",
    needs: NEEDS,
    shader: "attention_threads",
    shape: batch,
    tunings: THREAD_SPLITS,
    dtype: "q4_0",
    plants: [
      ["keys of the first sequence", "let cache = (sequence *", "let cache = (0u *"],
      ["the last sequence never written", "sequence >= shape.batch", "sequence + 1u >= shape.batch"],
      ["keys of the first kv head", "+ kv_head) * shape.capacity", "+ 0u) * shape.capacity"],
    ],
  },
  {
    kernel: "attention",
    needs: NEEDS,
    shader: "attention_merge",
    shape: decodeOf32,
    tunings: SPLITS,
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
