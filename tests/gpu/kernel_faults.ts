// Faults to plant into the kernels, as data: what to write into a shader's text in place of what, and a shape and
// tunings at which the kernel is then wrong.

import { type AnyShape, type KernelName, kernelOf } from "../../src/kernels";
import type { DType } from "../../src/kernels/elements";
import type { Adapter } from "./adapter";
import { attentionFaults } from "./attention_faults";

/** A name, the text to look for, what stands there instead, and how often the text is found: once where absent. */
type Plant = readonly [name: string, from: string, to: string, times?: number];

export interface FaultGroup {
  readonly kernel: KernelName;
  /** Stem of the shader whose text is changed; the kernel's name where absent. */
  readonly shader?: string;
  readonly shape: AnyShape;
  readonly tunings: RegExp;
  /** What only some adapters have; without it the fault is skipped where no choice is left. */
  readonly needs?: string;
  /** f32 where absent. */
  readonly dtype?: DType;
  /** Adapters that run the kernel as if the fault were not there. */
  readonly benign?: readonly Adapter[];
  readonly plants: readonly Plant[];
}

export interface Fault extends Omit<FaultGroup, "plants"> {
  readonly name: string;
  readonly shader: string;
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
const wideSlices = { groups: 3, words: 4100 };
/** Whole blocks of 32 and whole words of 64 bytes along K; no tile divides M or N. */
const blocks = MKN(130, 65, 224);
const blockVectors = MKN(2, 131, 544);
const wideRows = MKN(2, 131, 512);

const BARRIER = "workgroupBarrier();";

/** The text with the barrier in front of it, and without. */
const barrier = (text: string): [string, string] => [BARRIER + text, text];

const groups: readonly FaultGroup[] = [
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
      ["no barrier before staging", `${BARRIER} }\n      let slot_a`, " }\n      let slot_a"],
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
    kernel: "matvec",
    shader: "matvec_lanes",
    shape: vectors,
    tunings: /x64 of/,
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
    shader: "matvec_lanes",
    shape: vectors,
    tunings: /x32 of/,
    plants: [["teams add each other's partial sums", "thread + reach]", "(thread + reach) % LANES]"]],
  },
  {
    kernel: "matvec",
    shader: "matvec_lanes",
    shape: vectors,
    tunings: /x1 of/,
    plants: [
      ["the last team's rows never written", "if (lane > 0u)", "if (thread + 1u == THREADS)"],
      ["the last column never written", "first + r < shape.N)", "first + r + 1u < shape.N)"],
      ["rows of the output not padded", "y[m * stride", "y[m * shape.N", 2],
      ["the first row of X for all", "x[m * words + k]", "x[k]"],
      ["weights of the next row", "min(first + r / PER_OUTPUT, shape.N", "min(first + r + 1u, shape.N"],
      ["weights clamped one early", "first + r / PER_OUTPUT, shape.N - 1u)", "first + r, shape.N - 2u)"],
      ["one row of weights for a whole team", "min(first + r / PER_OUTPUT, shape.N", "min(first, shape.N"],
    ],
  },
  {
    kernel: "matvec",
    shader: "matvec_lanes",
    shape: vectors,
    tunings: /x8 of/,
    // Both run eight invocations in lockstep.
    benign: ["llvmpipe", "lavapipe"],
    plants: [["no barrier in a reduction over eight", ...barrier("")]],
  },
  {
    kernel: "matvec",
    shader: "matvec_lanes",
    shape: vectors,
    tunings: /rows/,
    dtype: "f16",
    plants: [["accumulators in f16", "weight.w, acc[m][r])", "weight.w, quantizeToF16(acc[m][r]))"]],
  },
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
    kernel: "read",
    shape: slices,
    tunings: /64 threads/,
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
    benign: ["llvmpipe", "lavapipe"],
    plants: [["no barrier in a reduction over eight", ...barrier("")]],
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
  {
    kernel: "matvec",
    shader: "matvec_wide",
    shape: wideRows,
    tunings: /of . rows/,
    plants: [
      ["the last 64 bytes of a row lost", "k < words;", "k + STEP < words;"],
      ["a word of the next row", "w[at[r] + k + step]", "w[at[r] + k + step + words]"],
      ["the last column never written", "first + r < shape.N)", "first + r + 1u < shape.N)"],
      ["a component times another", "input[m][i].y, weight.y", "input[m][i].y, weight.x"],
    ],
  },
  {
    kernel: "matvec",
    shader: "matvec_wide",
    needs: "subgroups of four or eight lanes",
    shape: wideRows,
    tunings: /by (4|8)$/,
    plants: [["every lane hands out what the first has", "4u * step + i)", "4u * step)"]],
  },
  {
    kernel: "matvec",
    shader: "matvec_quants",
    shape: blockVectors,
    tunings: /unpacked$/,
    dtype: "q4_0",
    plants: [
      ["whole numbers without their sign", "vec4f(vec4i(quants", "vec4f((quants"],
      ["the scale of the neighbouring block", "16u * (scale_at % 2u)", "16u * (1u - scale_at % 2u)"],
      ["nibbles in another order", "word * FOURS + four", "word * FOURS + (four ^ 1u)"],
    ],
  },
  {
    kernel: "matvec",
    shader: "matvec_quants",
    shape: blockVectors,
    tunings: /x(1|8) of . rows unpacked$/,
    dtype: "q4_0",
    plants: [["sums kept from block to block", "var sums = array<f32, M>();", "var sums: array<f32, M>;"]],
  },
  {
    kernel: "matvec",
    shader: "matvec_quants",
    shape: blockVectors,
    tunings: /unpacked$/,
    dtype: "q8_0",
    plants: [["half of a block twice", "* WORDS + word]", "* WORDS]"]],
  },
  {
    kernel: "matvec",
    shader: "matvec_packed",
    shape: blockVectors,
    tunings: /packed$/,
    dtype: "q4_0",
    plants: [
      ["odd nibbles for even ones", "products(even, low[m])", "products(odd, low[m])"],
      ["16 times too large", "input_scale[m] / 16", "input_scale[m]"],
      ["the scale of the first block of X for all", "m * x_stride + block]", "m * x_stride]"],
    ],
  },
  {
    kernel: "matvec",
    shader: "quantise",
    shape: blockVectors,
    tunings: /packed$/,
    dtype: "q4_0",
    plants: [
      ["rounded down instead of to the nearest", "round(input[i]", "floor(input[i]"],
      [
        "the largest of half a block",
        "largest = max(largest, abs(input[i]));",
        "largest = max(largest, abs(input[i / 2u]));",
      ],
      ["a block too few", "at >= shape.M * blocks", "at + 1u >= shape.M * blocks"],
    ],
  },
  {
    kernel: "swiglu",
    shader: "matvec_lanes",
    shape: vectors,
    tunings: /x1 of/,
    plants: [
      ["no SiLU", "gate / (1 + exp(min(-gate, 80.0)))", "gate"],
      ["the gate's own row for both", "r % PER_OUTPUT * shape.N", "0u"],
      ["one factor for all", "acc[m][2u * pair + 1u]", "acc[m][1u]"],
    ],
  },
  {
    kernel: "read",
    shader: "read_wide",
    shape: wideSlices,
    tunings: /wide loads/,
    plants: [
      [
        "one vec4 of four twice",
        "(vec4f(word[2]) + vec4f(word[3]));\n    }",
        "(vec4f(word[2]) + vec4f(word[2]));\n    }",
      ],
      ["the last word lost", "begin + words;", "begin + words - 1u;"],
    ],
  },
  {
    kernel: "read",
    shader: "read_wide",
    shape: wideSlices,
    tunings: /own wide/,
    plants: [["own parts rounded down", "(words + THREADS - 1u) /", "words /"]],
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

/** Attention by subgroups, by single threads and in splits: not every adapter has a tuning of each kind. */
const attentionGroups = attentionFaults.map(
  (group): FaultGroup => ({ ...group, kernel: "attention", needs: "tuning of this kind" }),
);

export const faults: readonly Fault[] = [...groups, ...attentionGroups].flatMap(
  ({ plants, dtype = "f32", shader, ...group }) =>
    plants.map(([name, from, to, times = 1]) => ({
      ...group,
      name,
      shader: shader ?? group.kernel,
      dtype,
      from,
      to,
      times,
      race: from.includes(BARRIER),
    })),
);

/** Every shader as it is, by the record that holds it. */
const sound = new Map<Readonly<Record<string, string>>, Readonly<Record<string, string>>>();

/** Plants a fault. Throws where its text is not found as often as stated: nothing would be planted. */
export function plant({ kernel, shader, name, from, to, times }: Fault): void {
  const holders = Object.values(kernelOf(kernel).variants).filter(({ shaders }) => shader in shaders);
  if (holders.length === 0) throw new Error(`${kernel}, ${name}: no variant has a shader ${shader}`);
  for (const { shaders } of holders) {
    if (!sound.has(shaders)) sound.set(shaders, { ...shaders });
    const parts = shaders[shader]?.split(from) ?? [];
    if (parts.length !== times + 1 || from === to) {
      throw new Error(`${kernel}, ${name}: found ${parts.length - 1} times, not ${times}: ${from}`);
    }
    Object.assign(shaders, { [shader]: parts.join(to) });
  }
}

export function removeFaults(): void {
  for (const [shaders, texts] of sound) Object.assign(shaders, texts);
}
