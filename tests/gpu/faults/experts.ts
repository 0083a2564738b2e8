// Faults to plant into mixtures of experts: the choice, the products of each token's own experts, their sums.

import type { FaultGroup } from "./fault";

const few = { tokens: 5, chosen: 3, sharing: 3, experts: 7, held: 3, until: 5, woken: 6, N: 67, K: 101 };
const many = { tokens: 37, chosen: 2, sharing: 2, experts: 13, held: 4, until: 9, woken: 13, N: 129, K: 68 };

export const expertFaults: readonly FaultGroup[] = [
  {
    kernel: "route",
    shape: { tokens: 131, experts: 67, chosen: 5 },
    tunings: /threads/,
    plants: [
      ["no bias", " + f32(bias[expert])", " + 0 * f32(bias[expert])"],
      ["the smallest in place of the largest", "rival > own ||", "rival < own ||"],
      ["the first of all for each", "ids[out + place] = best[place]", "ids[out + place] = best[0]"],
      ["weights that do not add up to one", " / total;", ";"],
      ["softmax over one less", "place < CHOSEN; place++) { total", "place + 1u < CHOSEN; place++) { total"],
      ["rows of the first token", "let row = token *", "let row = 0u * token *"],
    ],
  },
  {
    kernel: "route",
    // So many chosen that some are equal.
    shape: { tokens: 131, experts: 128, chosen: 64 },
    tunings: /threads/,
    plants: [["of equals the last", "other < expert)", "other > expert)"]],
  },
  {
    kernel: "expert_matvec",
    shape: few,
    tunings: /x/,
    plants: [
      ["pieces taken for the whole layer", " - (shape.until - shape.held)", ""],
      ["the expert of the token's first pair", "* ids_stride + pair % shape.chosen", "* ids_stride"],
      ["a neighbouring expert", "(expert * PER_OUTPUT", "((expert + 1u) % shape.held * PER_OUTPUT"],
      ["the first token's row", "pair / shape.sharing * words", "0u * pair / shape.sharing * words"],
      ["a row for each pair where they share one", "pair / shape.sharing", "pair"],
    ],
  },
  {
    kernel: "expert_matvec",
    shader: "expert_matvec_quants",
    dtype: "q4_0",
    shape: { ...few, K: 96 },
    tunings: /unpacked/,
    plants: [
      ["other pieces' rows written as well", "expert >= shape.held", "expert > 4000000000u"],
      ["the scale of the row's first block", "scales_stride + block;", "scales_stride;"],
      ["the scales of the first expert", "at[r] * scales_stride", "at[r] % shape.N * scales_stride"],
    ],
  },
  {
    kernel: "expert_swiglu",
    shader: "expert_matvec",
    shape: few,
    tunings: /x/,
    plants: [
      ["gate and other swapped", "let gate = acc[2u * gated]", "let gate = acc[2u * gated + 1u]"],
      ["the gate's rows for both", "+ r % PER_OUTPUT) * shape.N", ") * shape.N"],
    ],
  },
  {
    kernel: "expert_matmul",
    shader: "expert_group",
    shape: { ...many, held: 13, until: 13 },
    tunings: /of/,
    plants: [
      ["the last expert's pairs left out", "offsets[EXPERTS] = total;", "offsets[EXPERTS] = total - 1u;"],
      [
        "all pairs at one place",
        "order[atomicAdd(&next[expert_of(pair)], 1u)]",
        "order[atomicLoad(&next[expert_of(pair)])]",
      ],
      [
        "the last pair never sorted",
        "pair < pairs; pair += THREADS) {\n    order",
        "pair + 1u < pairs; pair += THREADS) {\n    order",
      ],
    ],
  },
  {
    kernel: "expert_matmul",
    shape: many,
    tunings: /of/,
    plants: [
      [
        "the matrix of the layer's number",
        "(expert - (shape.until - shape.held)) * shape.N",
        "expert * shape.N",
      ],
      [
        "an expert's first tile given to the one before",
        "first_tile(middle) <= tile",
        "first_tile(middle) < tile",
      ],
      [
        "rows as they come",
        "order[min(row + i / 8u, end - 1u)] / shape.sharing",
        "min(row + i / 8u, end - 1u) / shape.sharing",
      ],
      ["written in sorted order", "y[pair * words_n", "y[(row + thread_m + m) * words_n"],
      ["an expert's last row lost", "row + thread_m + m < end &&", "row + thread_m + m + 1u < end &&"],
      [
        "the last words of K lost",
        "at < words_k);\n    }\n    for (var once = 0u; once < FLOATS",
        "at + 1u < words_k);\n    }\n    for (var once = 0u; once < FLOATS",
      ],
    ],
  },
  {
    kernel: "expert_matmul",
    dtype: "q8_0",
    shape: { ...many, K: 224 },
    tunings: /unpacked/,
    plants: [
      ["the scale of another block", "scales_stride + block;", "scales_stride + (block + 1u) % blocks;"],
      ["half of each number", ">> vec4u(32u - BITS));", ">> vec4u(33u - BITS));"],
    ],
  },
  {
    kernel: "clamped_swiglu",
    shape: { tokens: 3, chosen: 3, experts: 5, columns: 68, milliLimit: 300 },
    tunings: /threads/,
    plants: [
      ["no limit above gates", "bias[start_bias]), limit)", "bias[start_bias]), 9 * limit)"],
      ["gates limited from below too", "(up + 1) * gate /", "(up + 1) * max(gate, -limit) /"],
      ["others not limited", ", -limit, limit)", ", -9 * limit, 9 * limit)"],
      ["SiLU", "-1.702 *", "-1.0 *"],
      ["nothing added to the other", "(up + 1) * gate", "up * gate"],
      ["the bias of the first expert", "expert * 2u * words", "0u * expert * 2u * words"],
    ],
  },
  {
    kernel: "combine",
    shape: { tokens: 70, chosen: 7, columns: 20 },
    tunings: /threads/,
    plants: [
      ["all experts as much", "vec4f(weights[token * stride + slot])", "vec4f(weights[token * stride])"],
      ["an expert left out", "slot < shape.chosen; slot++", "slot + 1u < shape.chosen; slot++"],
      ["weights of unpadded rows", "let stride = (shape.chosen + 3u) / 4u * 4u", "let stride = shape.chosen"],
    ],
  },
  {
    kernel: "biased_combine",
    shader: "combine",
    shape: { tokens: 70, chosen: 7, columns: 20, experts: 32 },
    tunings: /threads/,
    plants: [
      ["the bias of another expert", "ids[token * stride + slot]", "(ids[token * stride + slot] ^ 1u)"],
    ],
  },
  {
    kernel: "add_bias",
    shape: { rows: 3, columns: 67 },
    tunings: /threads/,
    plants: [["the bias of the first words", "bias[at % words]", "bias[at % 4u]"]],
  },
  {
    kernel: "join",
    shape: { rows: 70, columns: 67, block: 20 },
    tunings: /threads/,
    plants: [
      ["blocks of one row", "word / block * shape.rows + row", "word / block + row"],
      ["the first block again", "(word / block *", "(0u * word / block *"],
    ],
  },
  {
    kernel: "sink_attention",
    shader: "attention_sinks",
    shape: { batch: 2, queries: 5, keys: 131, heads: 8, kvHeads: 1, headDim: 64, window: 33 },
    tunings: /./,
    plants: [
      ["no sink", "var total = exp(sink - highest);", "var total = 0.0;"],
      ["the first head's sink for all", "sinks[row % shape.heads]", "sinks[0]"],
      ["a sink that is not rescaled", "var total = exp(sink - highest);", "var total = exp(sink);"],
    ],
  },
];
