// Faults to plant into the probes.

import { barrier, type FaultGroup } from "./fault";

const slices = { groups: 3, words: 4099 };
const wideSlices = { groups: 3, words: 4100 };

export const probeFaults: readonly FaultGroup[] = [
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
    kernel: "read",
    shader: "read_wide",
    shape: wideSlices,
    tunings: /, . wide loads/,
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
    shape: { words: 70_001, seed: 3, shrink: 64 },
    tunings: /64/,
    plants: [
      ["not made smaller", " / f32(shape.shrink)", ""],
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
  {
    kernel: "dot",
    needs: "packed products",
    shape: { invocations: 300, chains: 8, steps: 512 },
    dtype: "q8_0",
    tunings: /./,
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
  ...(["narrow", "wide"] as const).map((variant): FaultGroup => {
    const words = variant === "narrow" ? "shape.words" : "words";
    return {
      kernel: "reread",
      shader: variant === "narrow" ? "read" : "read_wide",
      shape: { groups: 24, words: 64, slices: 5 },
      tunings: /./,
      plants: [
        ["the first slice for all", `% shape.slices * ${words};`, `* 0u * ${words};`],
        ["the last slice never read", "index % shape.slices", "index % (shape.slices - 1u)"],
        ["slices never begin again", "index % shape.slices", "index"],
      ],
    };
  }),
];
