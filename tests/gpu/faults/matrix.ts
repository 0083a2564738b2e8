// Faults to plant into products by matrix units, and into the probe of the units.

import { barrier, type FaultGroup, MKN } from "./fault";

const NEEDS = "matrix units";
/** One size is enough, and quickly compiled: all run one text. */
const tunings = /^2x2 /;
const common = { kernel: "matmul", needs: NEEDS, dtype: "f16", tunings } as const;
const staged = { ...common, shader: "matmul_matrix" } as const;
const direct = { ...common, shader: "matmul_matrix_direct" } as const;
/** No tile divides M or N, no step K. */
const tiles = MKN(130, 69, 43);
/** Whole matrices of every unit, and no whole tiles. */
const whole = MKN(112, 80, 64);

export const matrixFaults: readonly FaultGroup[] = [
  {
    ...staged,
    shape: tiles,
    plants: [
      ["words of K rounded down", "(shape.K + 3u) / 4u", "shape.K / 4u"],
      ["K past the last whole step lost", "k < words_k; k +=", "k + STEP_WORDS <= words_k; k +="],
      ["a tile never written", "if (col >= shape.N)", "if (col >= shape.N || tile == 1u)"],
      ["the last row never written", "at.x < shape.M &&", "at.x + 1u < shape.M &&"],
      ["the last columns never written", "at.y < words_n)", "at.y + 1u < words_n)"],
      ["strides swapped: words_k for words_n", "c[at.x * words_n", "c[at.x * words_k"],
      ["added to the stale output", "c[at.x * words_n + at.y] =", "c[at.x * words_n + at.y] +="],
      ["rows of A clamped one early", "i / STEP_WORDS, shape.M - 1u)", "i / STEP_WORDS, shape.M - 2u)"],
      ["weights clamped one early", "i / STEP_WORDS, shape.N - 1u)", "i / STEP_WORDS, shape.N - 2u)"],
      ["no zeros past the end of K", "if (at < words_k) { word", "if (true) { word", 2],
      [
        "a component staged twice",
        "stage_b[to + 3u] = unit_elem(word.w)",
        "stage_b[to + 3u] = unit_elem(word.z)",
      ],
      ["weights not transposed", "<Right, col_major>", "<Right, row_major>"],
      ["sums transposed", "Store<row_major>", "Store<col_major>"],
      ["one matrix of A for all", "(first_m + m * UNIT_M)", "(first_m + 0u * m)"],
      ["one step of K for all of a stage", "* STRIDE + step * UNIT_K", "* STRIDE + 0u * step", 2],
      ["sums of the neighbour", "acc[m * MATRICES_N + n], UNIT_N)", "acc[m * MATRICES_N], UNIT_N)"],
      ["the last step's sums alone", "right, acc[m * MATRICES_N + n])", "right, Sum())"],
    ],
  },
  {
    ...staged,
    shape: tiles,
    plants: [
      ["all subgroups do the first one's part", "min(thread / lanes, SUBGROUPS - 1u)", "0u * lanes"],
      ["no barrier before staging", ...barrier("\n    for (var i = thread; i < TILE_M")],
      ["no barrier after staging", ...barrier("\n    for (var step = 0u;")],
      ["no barrier before sums go out", ...barrier("\n      for (var i = thread; i < SUBGROUPS")],
      ["no barrier before the next sums", ...barrier("\n      subgroupMatrixStore")],
    ],
  },
  {
    ...direct,
    shape: whole,
    plants: [
      ["the last step of K lost", "k < shape.K; k +=", "k + STEP_K * UNIT_K < shape.K; k +="],
      ["the last row never written", "at.x < shape.M &&", "at.x + 1u < shape.M &&"],
      ["matrices of A clamped one early", "shape.M - UNIT_M)", "shape.M - 2u * UNIT_M)"],
      ["matrices of weights clamped one early", "shape.N - UNIT_N)", "shape.N - 2u * UNIT_N)"],
      ["weights not transposed", "<Right, col_major>", "<Right, row_major>"],
      ["one matrix of weights for all", "&b, at_b[n]", "&b, at_b[0u * n]"],
    ],
  },
  {
    kernel: "matmul",
    needs: NEEDS,
    shader: "matmul_matrix_quants",
    shape: MKN(130, 69, 96),
    dtype: "q4_0",
    tunings,
    plants: [
      ["the last block lost", "block < blocks;", "block + 1u < blocks;"],
      ["the scale of the first block", "scales_stride + block", "scales_stride + 0u * block"],
      ["the other one of two scales", "[at % 2u]", "[(at + 1u) % 2u]"],
      ["no scale", "scale * vec4f(quants)", "vec4f(quants)"],
      ["fours in reverse", "BITS - BITS * four", "BITS - BITS * (FOURS - 1u - four)"],
      ["weights clamped one early", "i / WORDS, shape.N - 1u)", "i / WORDS, shape.N - 2u)"],
      ["one step of K for all of a block", "* STRIDE + step * UNIT_K", "* STRIDE + 0u * step", 2],
    ],
  },
  {
    kernel: "mma",
    needs: NEEDS,
    shape: { subgroups: 8, chains: 8, steps: 1920, M: 8, N: 8, K: 8 },
    dtype: "f16",
    tunings: /./,
    plants: [
      ["one step of eight fewer", "step < 8u;", "step < 7u;"],
      ["eight steps of 1920 fewer", "i < shape.steps;", "i + 8u < shape.steps;"],
      ["one left operand for all", "MultiplyAccumulate(left[l],", "MultiplyAccumulate(left[0u * l],"],
      ["one right operand for all", "right[r], acc", "right[0u * r], acc"],
      ["one chain of eight lost", "acc[c], UNIT_N)", "acc[c % 7u], UNIT_N)"],
      ["all subgroups start alike", "((first + subgroup) * CHAINS + c)", "(0u * subgroup + c)"],
      ["the last subgroup never written", "at / SUM_SIZE < shape", "at / SUM_SIZE + 1u < shape"],
    ],
  },
];
