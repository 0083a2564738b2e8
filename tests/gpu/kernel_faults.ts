// Faults to plant into the kernels, as data: what to write into a shader's text in place of what, and a shape and
// tunings at which the kernel is then wrong.

import { type AnyShape, type KernelName, kernels } from "../../src/kernels";
import type { DType } from "../../src/kernels/kernel";

export type Browser = "chromium" | "firefox";

/** A name, the text to look for, what stands there instead, and how often the text is found: once where absent. */
type Plant = readonly [name: string, from: string, to: string, times?: number];

interface Group {
  readonly kernel: KernelName;
  readonly shape: AnyShape;
  readonly tunings: RegExp;
  /** f32 where absent. */
  readonly dtype?: DType;
  /** Browsers whose software adapter runs the kernel as if the fault were not there. */
  readonly benign?: readonly Browser[];
  readonly plants: readonly Plant[];
}

export interface Fault extends Omit<Group, "plants"> {
  readonly name: string;
  readonly dtype: DType;
  readonly from: string;
  readonly to: string;
  readonly times: number;
  /** A barrier less: an adapter may win the race. */
  readonly race: boolean;
}

const MKN = (M: number, N: number, K: number) => ({ M, N, K });

/** batch, queries, keys, heads, kvHeads, headDim, window. */
const heads = (shape: [number, number, number, number, number, number, number]) => {
  const [batch, queries, keys, heads, kvHeads, headDim, window] = shape;
  return { batch, queries, keys, heads, kvHeads, headDim, window };
};

/** Two rows of tiles for every tuning; no tile divides M or N, no step K. */
const tiles = MKN(130, 65, 43);
/** The last product is a vec4's last component. */
const long = MKN(5, 7, 4096);
const vectors = MKN(2, 131, 524);
const prefill = heads([1, 17, 17, 4, 2, 16, 17]);
const decode = heads([1, 1, 300, 4, 2, 16, 300]);
const batch = heads([3, 2, 67, 6, 2, 20, 67]);
const sliding = heads([1, 70, 150, 2, 1, 16, 33]);
const slices = { groups: 3, words: 4099 };

const BARRIER = "workgroupBarrier();";

/** The text with the barrier in front of it, and without. */
const barrier = (text: string): [string, string] => [BARRIER + text, text];

const groups: readonly Group[] = [
  {
    kernel: "matmul",
    shape: long,
    tunings: /8x8 of 4x4/,
    plants: [
      ["the first of 4096 products lost", "fma(left[m].x, ", "fma(left[m].x * f32(k + i > 0u), "],
      ["the last of 4096 products lost", "fma(left[m].w,", "fma(left[m].w * f32(k + i + 1u < words_k),"],
    ],
  },
  {
    kernel: "matmul",
    shape: tiles,
    tunings: /8x8 of 4x4/,
    plants: [
      ["K one vec4 short", "k < words_k; k +=", "k + 1u < words_k; k +="],
      ["words of K rounded down", "(shape.K + 3u) / 4u", "shape.K / 4u"],
      ["a tile never written", "if (col >= shape.N)", "if (col >= shape.N || tile == 1u)"],
      ["rows past the last whole tile lost", "at.x < shape.M &&", "at.x < shape.M / TILE_M * TILE_M &&"],
      ["the last row never written", "at.x < shape.M &&", "at.x + 1u < shape.M &&"],
      ["the last columns never written", "at.y < words_n)", "at.y + 1u < words_n)"],
      ["strides swapped: words_k for words_n", "c[at.x * words_n", "c[at.x * words_k"],
      ["nothing written", "if (at.x < shape.M &&", "if (shape.M == 0u && at.x < shape.M &&"],
      ["only positive numbers written", "at.y < words_n)", "at.y < words_n && acc[m][n] > 0.0)"],
      ["added to the stale output", "c[at.x * words_n + at.y] =", "c[at.x * words_n + at.y] +="],
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
    shape: MKN(64, 128, 16),
    tunings: /8x8 of 4x4/,
    plants: [["the output transposed", "c[at.x * words_n + at.y]", "c[at.y * shape.M + at.x]"]],
  },
  {
    kernel: "matmul",
    shape: tiles,
    tunings: /4x4 staged/,
    plants: [
      ["K past the last whole step lost", "k < words_k; k +=", "k + STEP_K <= words_k; k +="],
      ["no barrier before staging", ...barrier("\n      for (var i = thread; i < TILE_M")],
      ["no barrier after staging", ...barrier("\n    }\n    for (var i = 0u; i < STEP_K")],
      ["staged rows clamped one early", "i / STEP_K, shape.M - 1u)", "i / STEP_K, shape.M - 2u)"],
    ],
  },
  {
    kernel: "matmul",
    shape: long,
    tunings: /4x4/,
    dtype: "f16",
    plants: [
      ["accumulators in f16", "right.w, acc[m][n])", "right.w, f32(elem(acc[m][n])))"],
      ["f16 overflow", "= vec4<elem>(vec4f(", "= elem(1.0 / 16384) * vec4<elem>(16384 * vec4f("],
    ],
  },
  {
    kernel: "matvec",
    shape: vectors,
    tunings: /64 lanes/,
    plants: [
      ["the first product lost", "fma(input[m].x, ", "fma(input[m].x * f32(k > 0u), "],
      ["the last product lost", "fma(input[m].w, ", "fma(input[m].w * f32(k + 1u < words), "],
      ["K past the last whole step lost", "k < words;", "k < words / LANES * LANES;"],
      ["one lane's partial sum lost", "+ thread] = acc[m][r];", "+ thread] = acc[m][r] * f32(lane > 0u);"],
      ["a reduction that ends a step early", "reach > 0u", "reach > 1u"],
      ["a reduction that begins a step late", "reach = LANES / 2u", "reach = LANES / 4u"],
      ["no barrier in the reduction", ...barrier("")],
    ],
  },
  {
    kernel: "matvec",
    shape: vectors,
    tunings: /32 lanes/,
    plants: [["teams add each other's partial sums", "thread + reach]", "(thread + reach) % LANES]"]],
  },
  {
    kernel: "matvec",
    shape: vectors,
    tunings: /1 lane,/,
    plants: [
      ["the last team's rows never written", "if (lane > 0u)", "if (thread + 1u == THREADS)"],
      ["the last column never written", "first + r < shape.N)", "first + r + 1u < shape.N)"],
      ["rows of the output not padded", "y[m * stride", "y[m * shape.N"],
      ["the first row of X for all", "x[m * words + k]", "x[k]"],
      ["weights of the next row", "min(first + r, shape.N", "min(first + r + 1u, shape.N"],
      ["weights clamped one early", "first + r, shape.N - 1u)", "first + r, shape.N - 2u)"],
      ["one row of weights for a whole team", "min(first + r, shape.N", "min(first, shape.N"],
    ],
  },
  {
    kernel: "matvec",
    shape: vectors,
    tunings: /8 lanes/,
    // llvmpipe runs eight invocations in lockstep.
    benign: ["firefox"],
    plants: [["no barrier in a reduction over eight", ...barrier("")]],
  },
  {
    kernel: "matvec",
    shape: vectors,
    tunings: /lane/,
    dtype: "f16",
    plants: [["accumulators in f16", "weight.w, acc[m][r])", "weight.w, f32(elem(acc[m][r])))"]],
  },
  // Without the barrier between scores and peaks both software adapters are right all the same, at every shape tried:
  // any peak will do as long as nothing overflows.
  {
    kernel: "attention",
    shape: prefill,
    tunings: /16 rows/,
    plants: [
      ["no barrier before the scores", ...barrier("\n    let key")],
      ["no barrier after the peaks", ...barrier("\n\n    for (var i = thread;")],
      ["no barrier after the weights", ...barrier("\n\n    let seen")],
    ],
  },
  {
    kernel: "attention",
    shape: prefill,
    tunings: /by 128 keys/,
    plants: [
      ["one key too many", "key <= position &&", "key <= position + 1u &&"],
      ["one key too few", "key <= position &&", "key < position &&"],
      ["a query of another head", "row % sharing;\n    query", "row / sharing;\n    query"],
      ["the output of another head", "row % sharing;\n      o[", "row / sharing;\n      o["],
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
    tunings: /by 16 keys/,
    plants: [
      ["the last key never read", "past + last / sharing + 1u;", "past + last / sharing;"],
      ["keys of the first kv head", "+ kv_head) * shape.keys", "+ 0u) * shape.keys"],
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
    tunings: /by 16 keys/,
    plants: [
      ["the sliding window ignored", " && key + shape.window > position", ""],
      ["the sliding window one key wider", "key + shape.window > position", "key + shape.window >= position"],
    ],
  },
  {
    kernel: "attention",
    shape: batch,
    tunings: /by 128 keys/,
    plants: [
      ["keys of the first sequence", "let cache = (sequence *", "let cache = (0u *"],
      ["the last sequence never written", "sequence >= shape.batch", "sequence + 1u >= shape.batch"],
      ["queries taken for the first of the sequence", "shape.keys - shape.queries;", "0u;"],
    ],
  },
  {
    kernel: "attention",
    shape: decode,
    tunings: /rows/,
    dtype: "f16",
    plants: [["sums in f16", ", sum);", ", vec4f(vec4<elem>(sum)));"]],
  },
  {
    kernel: "read",
    shape: slices,
    tunings: /64 threads|16 threads/,
    plants: [
      ["the tail lost", "for (; at < end;", "for (; at < begin;"],
      ["the last vec4 lost", "begin + shape.words;", "begin + shape.words - 1u;"],
      ["slices shifted by one", "index * shape.words;", "index * shape.words + 1u;"],
      ["one load of several lost", "var i = 1u; i < LOADS;", "var i = 2u; i < LOADS;"],
      ["one load for several", "data[at + i * STEP]", "data[at]"],
      ["one thread's sum lost", "= acc[0];", "= select(acc[0], vec4f(), thread == 0u);"],
      ["no barrier in the reduction", ...barrier("")],
    ],
  },
  {
    kernel: "read",
    shape: slices,
    tunings: /8 own/,
    plants: [["own parts rounded down", "(shape.words + THREADS - 1u) /", "shape.words /"]],
  },
  {
    kernel: "read",
    shape: slices,
    tunings: /^8 threads/,
    benign: ["firefox"],
    plants: [["no barrier in a reduction over eight", ...barrier("")]],
  },
  {
    kernel: "copy",
    shape: { words: 8209 },
    tunings: /256 threads/,
    plants: [
      ["the tail skipped", "at < shape.words)", "at < shape.words / 4u * 4u)"],
      ["one load for several", "source[at]", "source[begin]"],
      ["neighbours swapped", "source[at]", "source[at ^ 1u]"],
    ],
  },
  {
    kernel: "fill",
    shape: { words: 70_001, seed: 3 },
    tunings: /64/,
    plants: [
      ["the next seed", "shape.seed *", "(shape.seed + 1u) *"],
      ["indices shifted by one", "vec4u(0, 1, 2, 3)", "vec4u(1, 2, 3, 4)"],
      ["numbers that repeat", "random(at * 4u", "random(at % 4096u * 4u"],
      ["the last vec4 never written", "at < shape.words;", "at + 1u < shape.words;"],
    ],
  },
  {
    kernel: "fma",
    shape: { invocations: 300, chains: 8, steps: 512 },
    tunings: /64|256/,
    plants: [
      ["one chain lost", "var c = 1u;", "var c = 2u;"],
      ["one step of eight fewer", "step < 8u;", "step < 7u;"],
      ["eight steps of 512 fewer", "i < shape.steps;", "i + 8u < shape.steps;"],
      ["all invocations start alike", "(invocation * CHAINS + chain)", "chain"],
      ["the last invocation never written", "invocation >= shape", "invocation + 1u >= shape"],
    ],
  },
];

export const faults: readonly Fault[] = groups.flatMap(({ plants, dtype = "f32", ...group }) =>
  plants.map(([name, from, to, times = 1]) => ({
    ...group,
    name,
    dtype,
    from,
    to,
    times,
    race: from.includes(BARRIER),
  })),
);

const sound = Object.fromEntries(Object.entries(kernels).map(([name, { wgsl }]) => [name, wgsl]));

/** Plants a fault. Throws where its text is not found as often as stated: nothing would be planted. */
export function plant({ kernel, name, from, to, times }: Fault): void {
  const parts = sound[kernel]?.split(from) ?? [];
  if (parts.length !== times + 1 || from === to) {
    throw new Error(`${kernel}, ${name}: found ${parts.length - 1} times, not ${times}: ${from}`);
  }
  Object.assign(kernels[kernel], { wgsl: parts.join(to) });
}

export function removeFaults(): void {
  for (const [name, kernel] of Object.entries(kernels)) Object.assign(kernel, { wgsl: sound[name] });
}
