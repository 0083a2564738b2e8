// Faults to plant into what a transformer does between its products: embedding, norms, rotation and the cache, the
// activation, and the choice of a token.

import type { FaultGroup } from "./fault";

const rotation = { batch: 2, queries: 3, heads: 4, kvHeads: 2, headDim: 16, capacity: 7 };

export const transformerFaults: readonly FaultGroup[] = [
  {
    kernel: "embed",
    shape: { tokens: 29, vocab: 53, hidden: 20, piece: 2 },
    tunings: /threads$/,
    plants: [
      ["tokens of other pieces written as well", "id - first >= shape.vocab", "id >= 4000000000u"],
      ["the first word for all", "words + at % words]", "words]"],
    ],
  },
  {
    kernel: "embed",
    shape: { tokens: 29, vocab: 53, hidden: 20, piece: 1 },
    tunings: /threads$/,
    plants: [
      ["the last token never written", "token >= shape.tokens", "token + 1u >= shape.tokens"],
      ["a neighbouring row", "table[(id - first) * words", "table[(id - first + 1u) * words"],
    ],
  },
  {
    kernel: "embed",
    shader: "embed_quants",
    dtype: "q4_0",
    shape: { tokens: 29, vocab: 53, hidden: 96, piece: 1 },
    tunings: /unpacked$/,
    plants: [
      ["the scale of the row's first block", " + at % words / 8u", ""],
      ["the first four of a word for all", "BITS * (four % FOURS)", "BITS * (0u * four)"],
      ["half of each number", ">> vec4u(32u - BITS);", ">> vec4u(33u - BITS);"],
      ["scales of unpadded rows", "(blocks + 3u) / 4u * 4u", "blocks"],
    ],
  },
  {
    kernel: "rms_norm",
    shape: { rows: 3, columns: 67, nanoEpsilon: 10_000 },
    tunings: /threads/,
    plants: [
      ["epsilon a hundred times too large", "* 1e-9", "* 1e-7"],
      ["the padding counted as columns", "/ f32(shape.columns)", "/ f32(4u * words)"],
      [
        "the last words lost",
        "at < words; at += THREADS) {\n    let word = row_word(begin + at);\n    total",
        "at + 1u < words; at += THREADS) {\n    let word = row_word(begin + at);\n    total",
      ],
      ["no weight", " * vec4f(weight[at])", " * (1 + 0 * vec4f(weight[at]))"],
      ["half of the threads' sums lost", "reach > 0u", "reach > 1u"],
      ["the last row never written", "row >= shape.rows", "row + 1u >= shape.rows"],
    ],
  },
  {
    kernel: "add_rms_norm",
    shader: "rms_norm",
    shape: { rows: 3, columns: 67, nanoEpsilon: 10_000 },
    tunings: /threads/,
    plants: [
      ["the norm of one operand only", "word += vec4f(y[at])", "word += 0 * vec4f(y[at])"],
      ["the norm in place of the sum", "vec4<elem>(word);", "vec4<elem>(word * scale);"],
      ["rows of the first", "begin = row * words", "begin = 0u * words"],
    ],
  },
  {
    kernel: "rope",
    shape: rotation,
    tunings: /threads/,
    plants: [
      ["turned the other way", "low * cosine - high * sine", "low * cosine + high * sine"],
      ["neighbours turned against each other", "qkv[start + UNITS]", "qkv[start + 1u]"],
      [
        "halves swapped",
        "q[at] = vec2<elem>(turned_low);\n    q[at + UNITS] = vec2<elem>(turned_high)",
        "q[at] = vec2<elem>(turned_high);\n    q[at + UNITS] = vec2<elem>(turned_low)",
      ],
      ["the same position for all", "position[0] + token % shape.queries", "position[0]"],
      [
        "counted from the beginning",
        "position[0] + token % shape.queries",
        "0u * position[0] + token % shape.queries",
      ],
      ["values turned as well", "v[at] = stored(low)", "v[at] = stored(turned_low)"],
      ["keys not turned", "k[at] = stored(turned_low)", "k[at] = stored(low)"],
      ["no bias", " + vec2f(bias[at_bias])", " + 0 * vec2f(bias[at_bias])"],
      ["the bias of the first head", "let at_bias = head * 2u", "let at_bias = 0u * 2u"],
      [
        "all sequences in the first one's cache",
        "token / shape.queries * shape.kvHeads",
        "0u * shape.kvHeads",
      ],
      ["every key/value head the first", "+ kv_head) * shape.capacity", ") * shape.capacity"],
    ],
  },
  {
    kernel: "norm_rope",
    shader: "rope",
    shape: { ...rotation, nanoEpsilon: 10_000_000 },
    tunings: /threads/,
    plants: [
      ["no epsilon", " + f32(NANO_EPSILON) * 1e-9", ""],
      ["half a head in the norm", "dot(low, low) + dot(high, high)", "2 * dot(low, low)"],
      ["values normed as well", "if (head < turned) {\n      let", "if (head < heads) {\n      let"],
      ["keys with the queries' weights", "select(2u * UNITS, 0u, head < shape.heads)", "0u"],
      [
        "the neighbouring head's squares",
        "squares[thread - unit + i]",
        "squares[(thread - unit + i + UNITS) % (HEADS * UNITS)]",
      ],
    ],
  },
  {
    kernel: "rope",
    shape: rotation,
    dtype: "q8_0",
    tunings: /threads/,
    plants: [
      ["neighbours swapped in the cache", "return pack2x16float(pair)", "return pack2x16float(pair.yx)"],
    ],
  },
  {
    kernel: "silu_mul",
    shader: "activation",
    shape: { rows: 3, columns: 68 },
    tunings: /threads/,
    plants: [
      ["gate and other swapped", "exp(min(-steep", "exp(min(-up"],
      ["no gate", "gate / (1 + exp(min(-steep, vec4f(80)))) * up", "gate * up"],
      ["rows of one width", "row * 2u * words + words", "row * words + words"],
    ],
  },
  {
    kernel: "gelu_mul",
    shader: "activation",
    shape: { rows: 3, columns: 68 },
    tunings: /threads/,
    plants: [
      ["SiLU in its place", "steep = 1.5957691216 * (gate + 0.044715 * gate * gate * gate);", ""],
      ["no cube", "gate + 0.044715 * gate * gate * gate", "gate"],
      ["half as steep", "1.5957691216", "0.7978845608"],
    ],
  },
  {
    kernel: "scaled_embed",
    shader: "embed",
    shape: { tokens: 29, vocab: 53, hidden: 20, piece: 1 },
    tunings: /threads$/,
    plants: [["not scaled", "sqrt(f32(shape.hidden))", "1"]],
  },
  {
    kernel: "scaled_embed",
    shader: "embed_quants",
    dtype: "q8_0",
    shape: { tokens: 29, vocab: 53, hidden: 96, piece: 1 },
    tunings: /unpacked$/,
    plants: [["not scaled", "sqrt(f32(shape.hidden))", "1"]],
  },
  {
    kernel: "add",
    shape: { rows: 3, columns: 67 },
    tunings: /threads/,
    plants: [
      ["the padded tail lost", "(shape.columns + 3u) / 4u", "shape.columns / 4u"],
      ["the first counted twice", "vec4f(y[at])", "vec4f(x[at]) + 0 * vec4f(y[at])"],
    ],
  },
  {
    kernel: "argmax",
    // So many rows that the largest of some lies where a fault loses it.
    shape: { rows: 24, columns: 16_411, block: 4096 },
    tunings: /parts/,
    plants: [
      [
        "blocks taken for rows",
        "(column / shape.block * shape.rows + row)",
        "(column / shape.block + row * 2u)",
      ],
      ["half of the threads forgotten", "reach > 0u", "reach > 1u"],
      ["the smallest", "value > top", "-value > top"],
    ],
  },
  {
    kernel: "argmax",
    shader: "argmax_merge",
    shape: { rows: 700, columns: 1027, block: 512 },
    tunings: /parts/,
    plants: [
      ["the last part lost", "part < (row + 1u) * PARTS", "part + 1u < (row + 1u) * PARTS"],
      ["the first part always", "best[part].x > top.x", "best[part].x > 1e9"],
      ["the last row never written", "row >= shape.rows", "row + 1u >= shape.rows"],
    ],
  },
  {
    kernel: "sample",
    shader: "gumbel",
    shape: { rows: 70, columns: 67, block: 64, milliTemperature: 1500, seed: 3 },
    tunings: /parts/,
    plants: [
      ["no noise", "* 1e-3 * log(e)", "* 0 * log(e)"],
      ["the same noise at every position", "shape.seed + position[0]", "shape.seed + 0u * position[0]"],
      ["the same noise for every row", "position[0], number)", "position[0], column)"],
      ["uniform noise", "* log(e)", "* e"],
      ["a thousand times colder", "* 1e-3", "* 1e-6"],
    ],
  },
];
