// Faults to plant into the shaders of matrix units, of packed bytes and of the cache curve, as data: what to write into
// a shader's text in place of what, and a call and choices at which the kernel is then wrong.

import { type Call, kernelOf } from "../../src/kernels";
import type { DType } from "../../src/kernels/elements";

export interface Fault {
  readonly name: string;
  readonly call: Call;
  readonly dtype: DType;
  readonly variant: string;
  /** Choices at which it is wrong, by their names. */
  readonly choices: RegExp;
  /** Stem of the shader file. */
  readonly shader: string;
  readonly from: string;
  readonly to: string;
  /** How often `from` is found. */
  readonly times: number;
  /** A barrier less: an adapter may win the race. */
  readonly race: boolean;
}

/** A name, the text to look for, what stands there instead, and how often the text is found: once where absent. */
type Plant = readonly [name: string, from: string, to: string, times?: number];

interface Group extends Pick<Fault, "call" | "dtype" | "variant" | "shader"> {
  /** All where absent. */
  readonly choices?: RegExp;
  readonly plants: readonly Plant[];
}

const matmul = (M: number, N: number, K: number): Call => ({ kernel: "matmul", shape: { M, N, K } });

const BARRIER = "workgroupBarrier();";

/** The text with the barrier in front of it, and without. */
const barrier = (text: string): [string, string] => [BARRIER + text, text];

/** One choice is enough, and quickly compiled: all run one text. */
const choices = /^2x2 /;
const staged = { dtype: "f16", variant: "matrix", shader: "matmul_matrix", choices } as const;
const direct = { dtype: "f16", variant: "matrixDirect", shader: "matmul_matrix_direct", choices } as const;
/** No tile divides M or N, no step K. */
const tiles = matmul(130, 69, 43);
/** Whole matrices of every unit, and no whole tiles. */
const whole = matmul(112, 80, 64);

const groups: readonly Group[] = [
  {
    ...staged,
    call: tiles,
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
    call: tiles,
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
    call: whole,
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
    call: matmul(130, 69, 96),
    dtype: "q4_0",
    variant: "matrixQuants",
    shader: "matmul_matrix_quants",
    choices,
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
    call: { kernel: "mma", shape: { subgroups: 8, chains: 8, steps: 1920, M: 8, N: 8, K: 8 } },
    dtype: "f16",
    variant: "outer",
    shader: "mma",
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
  {
    call: { kernel: "dot", shape: { invocations: 300, chains: 8, steps: 512 } },
    dtype: "q8_0",
    variant: "chained",
    shader: "dot",
    plants: [
      ["one chain lost", "var c = 1u;", "var c = 2u;"],
      ["one step of eight fewer", "step < 8u;", "step < 7u;"],
      ["eight steps of 512 fewer", "i < shape.steps;", "i + 8u < shape.steps;"],
      ["all invocations start alike", "(invocation * CHAINS + c) *", "c *"],
      [
        "bytes without a sign",
        "dot4I8Packed(bitcast<u32>(x[c]), factors)",
        "i32(dot4U8Packed(bitcast<u32>(x[c]), factors))",
      ],
      ["the last invocation never written", "invocation >= shape", "invocation + 1u >= shape"],
    ],
  },
  ...(["narrow", "wide"] as const).map((variant): Group => {
    const words = variant === "narrow" ? "shape.words" : "words";
    return {
      call: { kernel: "reread", shape: { groups: 24, words: 64, slices: 5 } },
      dtype: "f32",
      variant,
      shader: variant === "narrow" ? "read" : "read_wide",
      plants: [
        ["the first slice for all", `% shape.slices * ${words};`, `* 0u * ${words};`],
        ["the last slice never read", "index % shape.slices", "index % (shape.slices - 1u)"],
        ["slices never begin again", "index % shape.slices", "index"],
      ],
    };
  }),
];

export const faults: readonly Fault[] = groups.flatMap(({ plants, choices = /./, ...group }) =>
  plants.map(([name, from, to, times = 1]) => ({
    ...group,
    choices,
    name: `${group.variant}: ${name}`,
    from,
    to,
    times,
    race: from.includes(BARRIER),
  })),
);

const shadersOf = ({ call, variant }: Fault): Record<string, string> => {
  const { shaders } = kernelOf(call.kernel).variants[variant] ?? {};
  if (shaders === undefined) throw new Error(`${call.kernel} has no variant ${variant}`);
  return shaders;
};

/** Plants a fault. Throws where its text is not found as often as stated: nothing would be planted. Returns what removes it. */
export function plant(fault: Fault): () => void {
  const { name, shader, from, to, times } = fault;
  const shaders = shadersOf(fault);
  const sound = shaders[shader];
  const parts = sound?.split(from) ?? [];
  if (sound === undefined || parts.length !== times + 1 || from === to)
    throw new Error(`${shader}, ${name}: found ${parts.length - 1} times, not ${times}: ${from}`);
  shaders[shader] = parts.join(to);
  return () => {
    shaders[shader] = sound;
  };
}
