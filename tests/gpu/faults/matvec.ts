// Faults to plant into products with vectors, one of them fused with an activation, and into their quantiser.

import { barrier, type FaultGroup, MKN } from "./fault";

const vectors = MKN(2, 131, 524);
/** Long enough to be split in parts, of which the last is shorter. */
const long = MKN(2, 131, 2092);
/** Whole blocks of 32 along K. */
const blockVectors = MKN(2, 131, 544);
const wideRows = MKN(2, 131, 512);

export const matvecFaults: readonly FaultGroup[] = [
  {
    kernel: "matvec",
    shader: "matvec_lanes",
    shape: vectors,
    tunings: /x64 of/,
    plants: [
      ["the first product lost", "fma(input[m].x, ", "fma(input[m].x * f32(k > 0u), "],
      ["the last product lost", "fma(input[m].w, ", "fma(input[m].w * f32(k + 1u < words), "],
      ["K past the last whole step lost", "k < end;", "k + LANES - 1u < end;"],
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
      ["rows of the output not padded", "+ m) * stride", "+ m) * shape.N"],
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
  {
    kernel: "matvec",
    shader: "matvec_lanes",
    shape: long,
    tunings: /split 4/,
    plants: [
      ["the first part for all", "part * part_words + lane", "lane"],
      [
        "parts end one word early",
        "(part + 1u) * part_words, words)",
        "(part + 1u) * part_words - 1u, words)",
      ],
      ["parts rounded down", "(words + SPLIT - 1u) / SPLIT", "words / SPLIT"],
      ["parts on each other", "(part * M + m)", "m"],
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
];
