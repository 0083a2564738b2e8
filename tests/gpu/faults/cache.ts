// Faults to plant into a KV cache in q8_0: as it is written by rope, and as attention reads it.

import { type FaultGroup, heads } from "./fault";

const rotation = { batch: 2, queries: 3, heads: 4, kvHeads: 2, headDim: 96, capacity: 7 };
const decode = heads([2, 1, 100, 4, 2, 64, 100]);
const single = heads([1, 1, 300, 4, 2, 64, 300]);

/** A scale that is read wrong, wherever it is. */
const SCALES: FaultGroup["plants"] = [
  ["the scale of each head's first block", "let block = at % HEAD_WORDS / 8u;", "let block = 0u * at;"],
  ["the scale of the neighbouring block", "(block % 2u)", "(1u - block % 2u)"],
  ["scales of unpadded rows", "at / HEAD_WORDS * SCALE_WORDS", "at / HEAD_WORDS * 1u"],
  ["128 steps to a scale", ".x / 127;", ".x / 128;"],
  ["whole numbers without a sign", "vec4f(vec4i(vec4u(word)", "vec4f((vec4u(word)"],
  ["neighbours the other way round", "vec4u(24, 16, 8, 0)", "vec4u(0, 8, 16, 24)"],
  ["values from among the keys", "at + shape.batch * shape.kvHeads", "at + 0u * shape.kvHeads"],
  ["values from behind the first sequence's keys", "at + shape.batch * shape.kvHeads", "at + shape.kvHeads"],
];

export const cacheFaults: readonly FaultGroup[] = [
  { kernel: "attention_q8_0", shader: "attention", shape: decode, tunings: /x128$/, plants: SCALES },
  {
    kernel: "attention_q8_0",
    needs: "tuning of this kind",
    shader: "attention_threads",
    shape: decode,
    tunings: /^\d+ of 1x1$/,
    plants: [
      ...SCALES,
      ["the first load of a key for all", "k[at / WIDE + load]", "k[at / WIDE + 0u * load]"],
      ["every vec4 of a load the first", "let column = columns[each];", "let column = columns[0u * each];"],
      ["the scale of a head's first load", "step_at(at + load * WIDE)", "step_at(at)"],
    ],
  },
  {
    kernel: "attention_q8_0",
    needs: "tuning of this kind",
    shader: "attention_subgroups",
    shape: single,
    tunings: /^\d+x\d+ of 2x1$/,
    plants: [
      ["values from among the keys", "at + shape.batch * shape.kvHeads", "at + 0u * shape.kvHeads"],
      ["the scale of the neighbouring block", "(block % 2u)", "(1u - block % 2u)"],
      ["the first word of a load for all", "[behind % WIDE]", "[0u * behind]"],
    ],
  },
  {
    kernel: "rope_q8_0",
    shader: "rope",
    shape: rotation,
    tunings: /threads/,
    plants: [
      ["values in the place of keys", "0u, head < turned);", "0u, head < 1000u);"],
      ["the scale of a head's first block", "unit / 8u * 16u", "0u * unit"],
      ["the second scale of a word lost", "next = largest", "next = 0 * largest"],
      ["scales swapped", "vec2f(top, next)", "vec2f(next, top)"],
      ["a scale of fewer steps", "four / max(top, 1e-30)", "four / max(top, 1e-30) * 0.992"],
      ["not rounded to the nearest", "pack4x8snorm(four /", "pack4x8snorm(-vec4f(0.5 / 127) + four /"],
      [
        "a thread's own numbers, not its word's",
        "finished[own + 2u * unit + 1u]",
        "finished[own + 2u * unit]",
      ],
      [
        "values turned as well",
        "select(low, turned_low, head < turned)",
        "select(low, turned_low, head < 1000u)",
      ],
      ["half a block's largest", "i < first + 16u", "i < first + 8u"],
      ["scales of unpadded rows", "place * SCALE_WORDS", "place * 1u"],
      [
        "no barrier before heads are quantised",
        "select(high, turned_high, head < turned);\n    workgroupBarrier();",
        "select(high, turned_high, head < turned);\n",
      ],
    ],
  },
];
