// Faults to plant into products of matrices.

import { barrier, type FaultGroup, MKN } from "./fault";

/** Two rows of tiles for every tuning; no tile divides M or N, no step K. */
const tiles = MKN(130, 65, 43);
/** The last product is a vec4's last component. */
const long = MKN(5, 7, 4096);
/** Whole blocks of 32 and whole words of 64 bytes along K; no tile divides M or N. */
const blocks = MKN(130, 65, 224);

export const matmulFaults: readonly FaultGroup[] = [
  {
    kernel: "matmul",
    shader: "matmul_tiled",
    shape: long,
    tunings: /8x8 of 4x4 direct/,
    plants: [
      ["the first of 4096 products lost", "fma(left[m].x, ", "fma(left[m].x * f32(k + i > 0u), "],
      ["the last of 4096 products lost", "fma(left[m].w,", "fma(left[m].w * f32(k + i + 1u < words_k),"],
    ],
  },
  {
    kernel: "matmul",
    shader: "matmul_tiled",
    shape: tiles,
    tunings: /8x8 of 4x4 direct/,
    plants: [
      ["K one vec4 short", "k < end; k +=", "k + 1u < end; k +="],
      ["words of K rounded down", "(shape.K + 3u) / 4u", "shape.K / 4u"],
      ["a tile never written", "if (part >= SPLIT)", "if (part >= SPLIT || tile == 1u)"],
      ["rows past the last whole tile lost", "at.x < shape.M &&", "at.x < shape.M / TILE_M * TILE_M &&"],
      ["the last row never written", "at.x < shape.M &&", "at.x + 1u < shape.M &&"],
      ["the last columns never written", "at.y < words_n)", "at.y + 1u < words_n)"],
      ["strides swapped: words_k for words_n", "+ at.x) * words_n", "+ at.x) * words_k"],
      ["nothing written", "if (at.x < shape.M &&", "if (shape.M == 0u && at.x < shape.M &&"],
      ["only positive numbers written", "at.y < words_n)", "at.y < words_n && acc[m][n] > 0.0)"],
      ["added to the stale output", "] = vec4<target_elem>(", "] += vec4<target_elem>("],
      ["tiles in each other's place", "vec2u(row +", "vec2u((row + TILE_M) % (tiles_m * TILE_M) +"],
      ["two workgroups on one tile", "let row = (tile % tiles_m) *", "let row = (tile % tiles_m / 2u) *"],
      ["rows of A clamped one early", "thread_m + m, shape.M - 1u)", "thread_m + m, shape.M - 2u)"],
      ["weights clamped one early", "thread_n + n, shape.N - 1u)", "thread_n + n, shape.N - 2u)"],
      ["weights of the next row", "min(col + thread_n + n,", "min(col + thread_n + n + 1u,"],
      ["a component times another", "fma(left[m].y, right.y,", "fma(left[m].y, right.x,"],
      ["a column of each patch twice", "acc[m][n + 3u]", "acc[m][n + 2u]"],
    ],
  },
  {
    kernel: "matmul",
    shader: "matmul_tiled",
    shape: MKN(64, 128, 16),
    tunings: /8x8 of 4x4 direct/,
    plants: [
      ["the output transposed", "c[(part * shape.M + at.x) * words_n + at.y]", "c[at.y * shape.M + at.x]"],
    ],
  },
  {
    kernel: "matmul",
    shader: "matmul_tiled",
    shape: tiles,
    tunings: /4x4 staged 4$/,
    plants: [
      ["K past the last whole step lost", "k < end; k +=", "k + STEP_K <= end; k +="],
      ["no barrier before staging", "workgroupBarrier(); }\n      let slot_a", " }\n      let slot_a"],
      ["no barrier after staging", ...barrier("\n    }\n    for (var i = 0u; i < STEP_K")],
      ["staged rows clamped one early", "i / STEP_K, shape.M - 1u)", "i / STEP_K, shape.M - 2u)"],
    ],
  },
  {
    kernel: "matmul",
    shader: "matmul_tiled",
    shape: long,
    tunings: /of 4x4 (direct|staged 4)$/,
    dtype: "f16",
    // A driver may leave out a conversion to f16 and back, as lavapipe does, but not quantizeToF16.
    plants: [
      ["accumulators in f16", "right.w, acc[m][n])", "right.w, quantizeToF16(acc[m][n]))"],
      ["f16 overflow", "= vec4<target_elem>(vec4f(", "= elem(1.0 / 16384) * vec4<elem>(16384 * vec4f("],
    ],
  },
  {
    kernel: "matmul",
    shader: "matmul_broadcast",
    needs: "subgroups of four or eight lanes",
    shape: tiles,
    tunings: / [AB]$/,
    plants: [
      [
        "a lane's rows of A handed out twice",
        "m % SUBGROUP + step * THREAD_M",
        "m % 2u + step * THREAD_M",
        2,
      ],
      ["weights of the next row", "min(col + n, shape.N - 1u)", "min(col + n + 1u, shape.N - 1u)"],
      ["K one step short", "begin < words_k;", "begin + STEP_K * TURNS < words_k;"],
      ["rows of A clamped one early", "% THREAD_M, shape.M - 1u)", "% THREAD_M, shape.M - 2u)"],
      ["the last row never written", "at.x < shape.M &&", "at.x + 1u < shape.M &&"],
    ],
  },
  {
    kernel: "matmul",
    shader: "matmul_broadcast",
    needs: "several subgroups of eight lanes",
    shape: tiles,
    tunings: /^4x8 of/,
    plants: [["subgroups on each other's rows", "thread / SUBGROUP * THREAD_M;", "0u;"]],
  },
  {
    kernel: "matmul",
    shader: "matmul_broadcast_quants",
    needs: "subgroups of four or eight lanes",
    shape: blocks,
    tunings: /shared$/,
    dtype: "q4_0",
    plants: [
      [
        "the scale of the first block for all",
        "scales[(at_scale[n] + block) / 2u]",
        "scales[at_scale[n] / 2u]",
      ],
      ["whole numbers without their sign", "vec4f(vec4i(word", "vec4f((word"],
      ["one place of a word for all", "let place = (k + step) %", "let place = (0u * k) %"],
      ["the last block lost", "block < blocks;", "block + 1u < blocks;"],
    ],
  },
  {
    kernel: "matmul",
    shader: "matmul_tiled_quants",
    shape: blocks,
    tunings: /unpacked$/,
    dtype: "q4_0",
    plants: [
      ["whole numbers without their sign", "vec4f(vec4i(word", "vec4f((word"],
      ["the scale of the first block for all", "n * scales_stride + block;", "n * scales_stride;"],
      ["the other half of a pair of scales", "[at % 2u]", "[1u - at % 2u]"],
      ["the last block lost", "block < blocks;", "block + 1u < blocks;"],
      ["eight words of a block, seven multiplied", "k < 8u; k++", "k < 7u; k++"],
    ],
  },
  {
    kernel: "matmul",
    shader: "sum_parts",
    shape: tiles,
    tunings: /split/,
    plants: [
      ["the last part left out", "part < SPLIT;", "part + 1u < SPLIT;"],
      ["the first part for all", "part * words + at", "at"],
      ["the last sums never written", "at >= words)", "at + 1u >= words)"],
    ],
  },
  {
    kernel: "matmul",
    shader: "matmul_tiled",
    shape: tiles,
    tunings: /split/,
    plants: [
      ["parts that overlap", "(part + 1u) / SPLIT * STEP_K", "(part + 2u) / SPLIT * STEP_K"],
      ["parts on top of each other", "(part * shape.M + at.x)", "at.x"],
    ],
  },
];
