// Faults to plant into what a training step does backwards, and into its optimiser.

import { type FaultGroup, MKN } from "./fault";

const sequences = { batch: 2, tokens: 21, heads: 4, kvHeads: 2, headDim: 16, window: 9 };

const adamw = { rows: 3, columns: 67, microBeta1: 900_000, microBeta2: 950_000, picoEpsilon: 10_000 };

export const trainingFaults: readonly FaultGroup[] = [
  {
    kernel: "matmul_nn",
    shader: "matmul_outer",
    shape: MKN(37, 41, 43),
    tunings: /of/,
    plants: [
      [
        "one of four products lost",
        "vec4f(left[m][j]), right",
        "vec4f(select(left[m][j], 0.0, j == 3u)), right",
      ],
      ["a step of K lost", "k < end; k += STEP_K", "k + STEP_K < end; k += STEP_K"],
      ["the last row never written", "at.x < shape.M &&", "at.x + 1u < shape.M &&"],
    ],
  },
  {
    kernel: "matmul_nn",
    shader: "matmul_outer",
    shape: MKN(37, 41, 43),
    tunings: /staged/,
    plants: [
      ["a neighbouring row of A", "[min(row, shape.M - 1u)", "[min(row + 1u, shape.M - 1u)"],
      ["a neighbouring row of B", "min(k, shape.K - 1u) * words_n", "min(k + 1u, shape.K - 1u) * words_n"],
    ],
  },
  {
    kernel: "matmul_tn",
    shader: "matmul_outer",
    shape: MKN(37, 41, 43),
    tunings: /of/,
    plants: [
      ["the last row of A again, past its end", ", k < shape.K);", ", true);"],
      [
        "rows and columns of a patch swapped",
        "vec4f(rows[0][j], rows[1][j], rows[2][j], rows[3][j])",
        "rows[j]",
      ],
      ["the first word of A for all", "min(word, words_m - 1u)", "0u * word"],
      ["a step of K lost", "k < end; k += STEP_K", "k + STEP_K < end; k += STEP_K"],
    ],
  },
  {
    kernel: "matmul_tn",
    shader: "sum_parts",
    shape: MKN(37, 41, 643),
    tunings: /split/,
    plants: [["the last part lost", "part < SPLIT", "part + 1u < SPLIT"]],
  },
  {
    kernel: "matmul_tn",
    shader: "transpose",
    shape: MKN(37, 41, 43),
    tunings: /turned first/,
    needs: "subgroups",
    plants: [
      ["the last row of K lost", "if (4u * four + i < shape.K)", "if (4u * four + i + 1u < shape.K)"],
      ["a block of rows lost", "four >= fours ||", "four >= fours - 1u ||"],
      ["not turned", "vec4f(rows[0][i], rows[1][i], rows[2][i], rows[3][i])", "rows[i]"],
    ],
  },
  {
    kernel: "matmul_nn",
    shader: "transpose",
    shape: MKN(37, 41, 43),
    tunings: /turned first/,
    needs: "subgroups",
    plants: [
      ["as wide as A", "OF_A == 1u", "OF_A != 1u"],
      ["the last words never turned", "word >= words)", "word + 1u >= words)"],
    ],
  },
  {
    kernel: "cross_entropy",
    shape: { rows: 5, columns: 301 },
    tunings: /threads/,
    plants: [
      [
        "half of the threads' sums lost",
        "reach > 0u; reach /= 2u) {\n    workgroupBarrier();\n    if (thread < reach) { parts[thread] += ",
        "reach > 1u; reach /= 2u) {\n    workgroupBarrier();\n    if (thread < reach) { parts[thread] += ",
      ],
      [
        "the logit of the next row's target",
        "begin + targets[row]",
        "begin + targets[(row + 1u) % shape.rows]",
      ],
      [
        "the probability in place of the loss",
        "all - logits[begin + targets[row]]",
        "exp(logits[begin + targets[row]] - all)",
      ],
      ["the last row never written", "row >= shape.rows", "row + 1u >= shape.rows"],
    ],
  },
  {
    kernel: "cross_entropy_backward",
    shape: { rows: 5, columns: 301 },
    tunings: /threads/,
    plants: [
      ["no target", "share - chosen", "share - 0 * chosen"],
      ["of the sum of the losses, not the mean", " / f32(shape.rows)", ""],
      ["the first row's sum for all", "stats[row].y", "stats[0].y"],
      ["the loss for the sum", "stats[row].y", "stats[row].x"],
    ],
  },
  {
    kernel: "rms_norm_backward",
    shape: { rows: 3, columns: 67, nanoEpsilon: 10_000 },
    tunings: /threads/,
    plants: [
      ["the scale taken for a constant", " - word * back", " - 0 * word * back"],
      ["the products without weights", "dot(word, weight[at] * dy", "dot(word, dy"],
      ["the square of the scale for its cube", "scale * scale * scale", "scale * scale"],
      ["the padding counted as columns", "f32(shape.columns);\n", "f32(4u * words);\n"],
      ["shares with weights", "up * word * scale;", "up * word * scale * weight[at];"],
      ["half of the threads' sums lost", "reach > 0u", "reach > 1u"],
    ],
  },
  {
    kernel: "add_rms_norm_backward",
    shader: "rms_norm_backward",
    shape: { rows: 3, columns: 67, nanoEpsilon: 10_000 },
    tunings: /threads/,
    plants: [
      ["what came past the block lost", "gradient += given[begin + at]", "gradient += 0 * given[begin + at]"],
      ["what came past the first row for all", "given[begin + at]", "given[at]"],
    ],
  },
  {
    kernel: "column_sum",
    shape: { rows: 131, columns: 67 },
    tunings: /parts/,
    plants: [
      ["half of the parts lost", "reach > 0u", "reach > 1u"],
      ["the last row lost", "row < shape.rows", "row + 1u < shape.rows"],
      [
        "the last words never written",
        "thread < WIDTH && word < words",
        "thread < WIDTH && word + 1u < words",
      ],
    ],
  },
  {
    kernel: "silu_mul_backward",
    shader: "activation_backward",
    shape: { rows: 3, columns: 68 },
    tunings: /threads/,
    plants: [
      ["the gate's slope without its own part", "(1 + gate * (1 - open))", "(1 + 0 * gate)"],
      ["gate and other swapped", "given * up * open * ", "given * gate * open * "],
      ["rows of one width", "row * 2u * words", "row * words"],
    ],
  },
  {
    kernel: "attention_stats",
    shape: sequences,
    tunings: /threads of/,
    plants: [
      ["no mask", "key <= position && ", ""],
      ["no window", "&& key + shape.window > position", ""],
      ["no 1/sqrt(headDim)", " * inverseSqrt(f32(shape.headDim))", ""],
      ["the wrong head's output", "dot(o[at *", "dot(o[start *"],
    ],
  },
  {
    kernel: "attention_stats",
    // So many keys that every lane has several.
    shape: { batch: 1, tokens: 150, heads: 2, kvHeads: 1, headDim: 8, window: 150 },
    tunings: /threads of/,
    plants: [
      ["no rescale", "total[i] * exp(highest[i] - peak)", "total[i]"],
      ["the last lane lost", "i < KEYS; i++) { all", "i + 1u < KEYS; i++) { all"],
    ],
  },
  {
    kernel: "embed_backward",
    shape: { tokens: 7, vocab: 301, hidden: 20 },
    tunings: /threads/,
    plants: [
      [
        "rows without a token left as they were",
        "table[row * words + at] = sum;",
        "if (any) { table[row * words + at] = sum; }",
      ],
    ],
  },
  {
    kernel: "attention_dq",
    shape: sequences,
    tunings: /threads of/,
    plants: [
      ["no delta", "(backs[i] - stat[r].y)", "backs[i]"],
      ["no mask", "key <= position && ", ""],
      ["no window", "&& key + shape.window > position", ""],
      ["not scaled", "acc[s] * scale", "acc[s]"],
      ["the values' rows for keys", "KEYS + i]), k[at", "KEYS + i]), v[at"],
      [
        "every key/value head the first",
        "shape.kvHeads + kv_head) * shape.tokens",
        "shape.kvHeads) * shape.tokens",
      ],
      ["a tile's last key lost", "i < seen", "i + 1u < seen"],
    ],
  },
  {
    kernel: "attention_dkv",
    shape: sequences,
    tunings: /threads of/,
    plants: [
      ["no delta", "(backs[i] - stat.y)", "backs[i]"],
      ["no mask", "key <= position && ", ""],
      ["no window", "&& key + shape.window > position", ""],
      ["only the first of the heads that share a key", "(tile + i) % sharing", "0u * sharing"],
      ["values by the slopes", "vec4f(weight.x)", "vec4f(weight.y)"],
      ["keys by the probabilities", "vec4f(weight.y)", "vec4f(weight.x)"],
      ["keys not scaled", "acc_k[s] * scale", "acc_k[s]"],
      [
        "the last rows never seen",
        "min(last + shape.window, shape.tokens) * sharing",
        "min(last + shape.window - 1u, shape.tokens - 1u) * sharing",
      ],
    ],
  },
  {
    kernel: "rope_backward",
    shape: { batch: 2, tokens: 5, heads: 4, kvHeads: 2, headDim: 16 },
    tunings: /threads/,
    plants: [
      ["turned on, not back", "low * cosine + high * sine", "low * cosine - high * sine"],
      [
        "values turned as well",
        "high * cosine - low * sine, head < turned",
        "high * cosine - low * sine, head < heads",
      ],
      [
        "every key/value head the first",
        "shape.kvHeads + kv_head) * shape.tokens",
        "shape.kvHeads) * shape.tokens",
      ],
      ["the same position for all", "position * 2u * units + unit]", "0u * position + unit]"],
      ["the first sequence's keys for all", "token / shape.tokens * shape.kvHeads", "0u * shape.kvHeads"],
    ],
  },
  {
    kernel: "embed_backward",
    shape: { tokens: 67, vocab: 11, hidden: 67 },
    tunings: /threads/,
    plants: [
      ["the last token of a number only", "sum += given", "sum = given"],
      [
        "the last token of the batch lost",
        "token = 0u; token < shape.tokens",
        "token = 0u; token + 1u < shape.tokens",
      ],
    ],
  },
  {
    kernel: "add_embed_backward",
    shader: "embed_backward",
    shape: { tokens: 7, vocab: 301, hidden: 20 },
    tunings: /threads/,
    plants: [
      ["the other gradient lost", "sum += other[row * words + at]", "sum += 0 * other[row * words + at]"],
      ["the other gradient's first row", "other[row * words + at]", "other[at]"],
    ],
  },
  {
    kernel: "adamw",
    shape: adamw,
    tunings: /threads/,
    plants: [
      ["no weight decay", "(1 - now.w)", "(1 - 0 * now.w)"],
      [
        "the decay in the gradient",
        "let given = gradient[at]",
        "let given = gradient[at] + schedule[0].w * next_weight[at]",
      ],
      ["the bias of the mean not corrected", "now.x * now.y * mean", "now.x * mean"],
      ["the bias of the squares not corrected", "square * abs(now.z)", "square"],
      ["no root", "sqrt(square * abs(now.z))", "square * abs(now.z)"],
      ["the gradient in place of its square", "rest2 * given * given", "rest2 * given"],
      ["one beta for both", "f32(shape.microBeta2)", "f32(shape.microBeta1)"],
      ["the mean not kept", "next_m[at] = mean", "next_m[at] = given"],
    ],
  },
  {
    kernel: "adamw",
    shape: { ...adamw, microBeta1: 1, microBeta2: 1, picoEpsilon: 2 ** 31 },
    tunings: /threads/,
    plants: [["no epsilon", " + f32(shape.picoEpsilon) * 1e-12", ""]],
  },
];
