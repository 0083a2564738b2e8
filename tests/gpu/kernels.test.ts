// Every kernel, every tuning, every type and shapes that no tile divides, against float64, in a real browser.

import { describe, expect, test } from "vitest";
import { check } from "../../src/engine/check";
import { openDevice, unsupported } from "../../src/engine/device";
import { prepare } from "../../src/engine/launch";
import { unfit } from "../../src/engine/pipeline";
import { createTimer } from "../../src/engine/timer";
import { allocateWeights, streamedBy } from "../../src/engine/weights";
import { type AnyShape, type KernelName, kernelOf, kernels } from "../../src/kernels";
import { type Choice, choiceName, starts, variantOf } from "../../src/kernels/choices";
import { type DType, dtypes } from "../../src/kernels/elements";
import { eased } from "./adapter";
import { host, useDevice } from "./device";

const MKN = (M: number, N: number, K: number) => ({ M, N, K });

/** batch, queries, keys, heads, kvHeads, headDim, window. */
const heads = (shape: [number, number, number, number, number, number, number]) => {
  const [batch, queries, keys, heads, kvHeads, headDim, window] = shape;
  return { batch, queries, keys, heads, kvHeads, headDim, window };
};

const rotated = (shape: [number, number, number, number, number, number]) => {
  const [batch, queries, heads, kvHeads, headDim, capacity] = shape;
  return { batch, queries, heads, kvHeads, headDim, capacity };
};
const embeddings = [
  { tokens: 1, vocab: 1, hidden: 1, piece: 1 },
  { tokens: 7, vocab: 101, hidden: 67, piece: 1 },
  { tokens: 29, vocab: 53, hidden: 20, piece: 2 },
  { tokens: 7, vocab: 101, hidden: 96, piece: 1 },
  { tokens: 29, vocab: 53, hidden: 352, piece: 2 },
];

const gates = [
  { rows: 1, columns: 4 },
  { rows: 3, columns: 68 },
  { rows: 130, columns: 20 },
];

const outer = [
  MKN(1, 1, 1),
  MKN(2, 3, 5),
  MKN(37, 41, 43),
  MKN(130, 65, 67),
  MKN(64, 128, 128),
  MKN(5, 7, 4099),
  MKN(301, 12, 9),
];
const tables = [
  { tokens: 1, vocab: 1, hidden: 1 },
  { tokens: 67, vocab: 11, hidden: 67 },
  { tokens: 7, vocab: 301, hidden: 20 },
];
const normed = [
  { rows: 1, columns: 1, nanoEpsilon: 1000 },
  { rows: 3, columns: 67, nanoEpsilon: 10_000 },
  { rows: 131, columns: 20, nanoEpsilon: 10_000_000 },
  { rows: 1, columns: 4099, nanoEpsilon: 1000 },
];
const rowsOfLogits = [
  { rows: 1, columns: 1 },
  { rows: 3, columns: 301 },
  { rows: 70, columns: 67 },
  { rows: 1, columns: 4099 },
];

/** batch, tokens, heads, kvHeads, headDim, window. */
const sequences = (
  [
    [1, 1, 1, 1, 4, 1],
    [1, 17, 4, 4, 32, 17],
    [1, 67, 6, 2, 64, 67],
    [2, 31, 4, 1, 80, 31],
    [3, 70, 2, 1, 16, 33],
    [1, 13, 9, 3, 20, 5],
    [1, 9, 2, 1, 256, 9],
  ] as const
).map(([batch, tokens, heads, kvHeads, headDim, window]) => ({
  batch,
  tokens,
  heads,
  kvHeads,
  headDim,
  window,
}));

const rotations = [
  rotated([1, 1, 1, 1, 4, 1]),
  rotated([1, 1, 9, 3, 64, 77]),
  rotated([1, 19, 4, 2, 20, 31]),
  rotated([3, 5, 6, 2, 12, 8]),
  rotated([2, 1, 4, 1, 256, 3]),
];

/** The same whose heads are whole blocks of 32. */
const cachedRotations = [
  rotated([1, 1, 1, 1, 32, 1]),
  rotated([1, 1, 9, 3, 64, 77]),
  rotated([1, 19, 4, 2, 96, 31]),
  rotated([3, 5, 6, 2, 128, 8]),
  rotated([2, 1, 4, 1, 256, 3]),
];

/** tokens, chosen, sharing, experts, held, until, woken, N, K. */
const experts = (shape: [number, number, number, number, number, number, number, number, number]) => {
  const [tokens, chosen, sharing, experts, held, until, woken, N, K] = shape;
  return { tokens, chosen, sharing, experts, held, until, woken, N, K };
};

/** Of one token and of some, of all experts and of a piece of them, rows shared and not. */
const fewTokens = [
  experts([1, 1, 1, 1, 1, 1, 1, 1, 1]),
  experts([1, 4, 4, 4, 4, 4, 4, 131, 67]),
  experts([3, 2, 2, 5, 5, 5, 4, 31, 37]),
  experts([5, 3, 1, 7, 3, 5, 6, 67, 101]),
  experts([1, 8, 8, 8, 8, 8, 8, 33, 96]),
  experts([7, 3, 1, 11, 4, 11, 9, 67, 352]),
];

const manyTokens = [
  experts([1, 1, 1, 1, 1, 1, 1, 1, 1]),
  experts([70, 3, 3, 7, 7, 7, 7, 41, 43]),
  experts([37, 2, 1, 13, 5, 9, 13, 129, 68]),
  // Far more experts than rows of some.
  experts([19, 4, 4, 67, 67, 67, 46, 65, 36]),
  experts([1, 1, 1, 1, 1, 1, 1, 1, 32]),
  experts([70, 3, 3, 7, 7, 7, 7, 41, 96]),
  experts([131, 2, 1, 9, 4, 7, 9, 67, 224]),
];

/** One, primes, one row, not a multiple of any tile, long K. */
const shapes: Record<KernelName, readonly AnyShape[]> = {
  matmul: [
    MKN(1, 1, 1),
    MKN(2, 3, 5),
    MKN(37, 41, 43),
    MKN(1, 129, 64),
    MKN(130, 65, 67),
    MKN(64, 128, 128),
    MKN(5, 7, 4099),
    // Whole blocks of 32 along K.
    MKN(1, 1, 32),
    MKN(37, 41, 96),
    MKN(130, 65, 224),
  ],
  matvec: [
    MKN(1, 1, 1),
    MKN(1, 3, 5),
    MKN(1, 131, 67),
    MKN(1, 64, 128),
    MKN(1, 5, 16411),
    MKN(2, 31, 37),
    MKN(3, 129, 257),
    MKN(8, 67, 101),
    MKN(1, 1, 32),
    MKN(1, 131, 8192),
    MKN(3, 33, 96),
    MKN(8, 67, 352),
  ],
  swiglu: [MKN(1, 1, 1), MKN(1, 131, 67), MKN(3, 31, 37), MKN(8, 67, 101), MKN(1, 131, 96), MKN(3, 33, 352)],
  attention: [
    heads([1, 1, 1, 1, 1, 4, 1]),
    heads([1, 1, 1, 2, 1, 3, 1]),
    heads([1, 1, 131, 4, 2, 64, 131]),
    heads([1, 1, 257, 9, 3, 64, 257]),
    heads([3, 1, 67, 6, 2, 20, 67]),
    heads([1, 17, 17, 4, 4, 32, 17]),
    heads([1, 67, 67, 6, 2, 64, 67]),
    heads([2, 5, 131, 4, 1, 80, 131]),
    heads([1, 70, 150, 2, 1, 16, 33]),
    heads([1, 1, 300, 4, 1, 256, 100]),
  ],
  // More of them in attention.test.ts.
  attention_q8_0: [heads([1, 1, 1, 1, 1, 32, 1]), heads([3, 2, 67, 6, 2, 96, 33])],
  // The first stage is attention's, whose shapes are more.
  sink_attention: [heads([3, 1, 67, 6, 2, 20, 67]), heads([2, 5, 131, 8, 1, 64, 33])],
  embed: embeddings,
  scaled_embed: embeddings,
  rms_norm: [
    { rows: 1, columns: 1, nanoEpsilon: 1000 },
    { rows: 3, columns: 67, nanoEpsilon: 10_000 },
    { rows: 131, columns: 20, nanoEpsilon: 10_000_000 },
    { rows: 1, columns: 4099, nanoEpsilon: 1000 },
  ],
  add_rms_norm: [
    { rows: 1, columns: 1, nanoEpsilon: 1000 },
    { rows: 3, columns: 67, nanoEpsilon: 10_000 },
    { rows: 131, columns: 20, nanoEpsilon: 10_000_000 },
    { rows: 1, columns: 4099, nanoEpsilon: 1000 },
  ],
  rope: rotations,
  norm_rope: rotations.map((shape) => ({ ...shape, nanoEpsilon: 10_000_000 })),
  rope_q8_0: cachedRotations,
  norm_rope_q8_0: cachedRotations.map((shape) => ({ ...shape, nanoEpsilon: 10_000_000 })),
  silu_mul: gates,
  gelu_mul: gates,
  add: [
    { rows: 1, columns: 1 },
    { rows: 3, columns: 67 },
    { rows: 130, columns: 20 },
  ],
  add_bias: [
    { rows: 1, columns: 1 },
    { rows: 3, columns: 67 },
    { rows: 130, columns: 20 },
  ],
  join: [
    { rows: 1, columns: 1, block: 4 },
    { rows: 3, columns: 301, block: 128 },
    { rows: 70, columns: 67, block: 20 },
  ],
  route: [
    { tokens: 1, experts: 1, chosen: 1 },
    { tokens: 3, experts: 128, chosen: 8 },
    { tokens: 131, experts: 67, chosen: 5 },
    { tokens: 2, experts: 7, chosen: 7 },
  ],
  expert_matvec: fewTokens,
  expert_swiglu: fewTokens,
  expert_matmul: manyTokens,
  clamped_swiglu: [
    { tokens: 1, chosen: 1, experts: 1, columns: 4, milliLimit: 7000 },
    { tokens: 3, chosen: 3, experts: 5, columns: 68, milliLimit: 300 },
    { tokens: 70, chosen: 4, experts: 32, columns: 20, milliLimit: 100 },
  ],
  combine: [
    { tokens: 1, chosen: 1, columns: 1 },
    { tokens: 3, chosen: 5, columns: 67 },
    { tokens: 70, chosen: 8, columns: 20 },
  ],
  biased_combine: [
    { tokens: 1, chosen: 1, columns: 1, experts: 1 },
    { tokens: 3, chosen: 5, columns: 67, experts: 7 },
    { tokens: 70, chosen: 8, columns: 20, experts: 32 },
  ],
  argmax: [
    { rows: 1, columns: 1, block: 1 },
    { rows: 3, columns: 301, block: 301 },
    { rows: 70, columns: 67, block: 64 },
    { rows: 1, columns: 4099, block: 1028 },
  ],
  sample: [
    { rows: 1, columns: 1, block: 1, milliTemperature: 1000, seed: 1 },
    { rows: 3, columns: 301, block: 301, milliTemperature: 700, seed: 2 },
    { rows: 70, columns: 67, block: 64, milliTemperature: 10, seed: 3 },
    { rows: 1, columns: 4099, block: 1028, milliTemperature: 1500, seed: 4 },
  ],
  cross_entropy: rowsOfLogits,
  cross_entropy_backward: rowsOfLogits,
  matmul_nn: outer,
  matmul_tn: outer,
  rms_norm_backward: normed,
  add_rms_norm_backward: normed,
  column_sum: [
    { rows: 1, columns: 1 },
    { rows: 3, columns: 301 },
    { rows: 131, columns: 67 },
    { rows: 4099, columns: 5 },
  ],
  silu_mul_backward: gates,
  attention_stats: sequences,
  attention_dq: sequences,
  attention_dkv: sequences,
  rope_backward: sequences.map(({ window: _, ...shape }) => shape),
  embed_backward: tables,
  add_embed_backward: tables,
  adamw: [
    { rows: 1, columns: 1, microBeta1: 900_000, microBeta2: 999_000, picoEpsilon: 10_000 },
    { rows: 3, columns: 67, microBeta1: 900_000, microBeta2: 950_000, picoEpsilon: 10_000 },
    { rows: 130, columns: 20, microBeta1: 1, microBeta2: 500_000, picoEpsilon: 1 },
  ],
  fma: [
    { invocations: 1, chains: 1, steps: 8 },
    { invocations: 67, chains: 2, steps: 64 },
    { invocations: 300, chains: 8, steps: 512 },
  ],
  read: [
    { groups: 1, words: 1 },
    { groups: 3, words: 67 },
    { groups: 5, words: 4099 },
    { groups: 3, words: 4 },
    { groups: 5, words: 4100 },
  ],
  reread: [
    { groups: 1, words: 1, slices: 1 },
    { groups: 7, words: 67, slices: 3 },
    { groups: 24, words: 4100, slices: 5 },
  ],
  dot: [
    { invocations: 1, chains: 1, steps: 8 },
    { invocations: 67, chains: 4, steps: 64 },
    { invocations: 300, chains: 16, steps: 1024 },
  ],
  mma: [
    { subgroups: 1, chains: 2, steps: 8, M: 8, N: 8, K: 8 },
    { subgroups: 13, chains: 8, steps: 1920, M: 8, N: 8, K: 8 },
    { subgroups: 13, chains: 8, steps: 1920, M: 16, N: 16, K: 16 },
    { subgroups: 13, chains: 8, steps: 1920, M: 8, N: 16, K: 16 },
    { subgroups: 13, chains: 8, steps: 1920, M: 16, N: 8, K: 16 },
    { subgroups: 13, chains: 8, steps: 1920, M: 16, N: 8, K: 8 },
  ],
  copy: [{ words: 1 }, { words: 67 }, { words: 8209 }],
  fill: [
    { words: 1, seed: 1, shrink: 1 },
    { words: 67, seed: 2, shrink: 64 },
    { words: 70_001, seed: 3, shrink: 1 },
  ],
  empty: [{ mark: 7 }],
};

const gpu = useDevice();

/** The shapes that choice number `rank` of `choices` is tested at: all that fit it. Where it is eased, choices share them. */
function met(fitting: readonly AnyShape[], rank: number, choices: number): readonly AnyShape[] {
  const turns = eased ? Math.min(choices, fitting.length) : 1;
  return fitting.filter((_, i) => i % turns === rank % turns);
}

/** All that a type decides of a choice for these shapes: where it is the same in two types, one test does for both. */
function textOf(name: KernelName, choice: Choice, fitting: readonly AnyShape[], dtype: DType): string {
  const kernel = kernelOf(name);
  const variant = variantOf(kernel, choice);
  const all = fitting.map((shape) => [
    kernel.operands(shape, dtype),
    variant.stages(choice.tuning, shape, dtype),
    kernel.tolerance(shape, dtype) + (variant.slack?.(choice.tuning, shape, dtype) ?? 0),
  ]);
  return JSON.stringify(all);
}

describe.each(dtypes)("%s", (dtype) => {
  describe.each(Object.keys(kernels) as KernelName[])("%s", (name) => {
    const kernel = kernelOf(name);
    const list = starts(kernel).map((choice, rank) => [choiceName(kernel, choice), choice, rank] as const);
    test.for(list)("%s", async ([, choice, rank], { skip, onTestFinished }) => {
      const reason = unsupported(gpu(), dtype);
      if (reason !== undefined) return skip(reason);
      const possible = shapes[name].filter((shape) => kernel.unsupported?.(shape, dtype) === undefined);
      const fittingIn = (type: DType) =>
        shapes[name].filter(
          (shape) =>
            kernel.unsupported?.(shape, type) === undefined &&
            unfit(gpu(), kernel, choice, shape, type) === undefined,
        );
      const fitting = fittingIn(dtype);
      if (fitting.length === 0)
        return skip(
          kernel.unsupported?.(shapes[name][0]!, dtype) ??
            unfit(gpu(), kernel, choice, possible[0] ?? shapes[name][0]!, dtype),
        );

      const same = dtypes
        .slice(0, dtypes.indexOf(dtype))
        .find(
          (earlier) =>
            unsupported(gpu(), earlier) === undefined &&
            textOf(name, choice, fittingIn(earlier), earlier) === textOf(name, choice, fitting, dtype),
        );
      if (same !== undefined) return skip(`the same shaders and operands as in ${same}`);

      // One each: bind groups, thousands here, live as long as their device or until garbage is collected, and on
      // lavapipe each takes one of the 65,530 mappings that Linux gives a process.
      const device = await openDevice(host);
      onTestFinished(() => device.close());
      const calls = fitting.map((shape) => ({ kernel: name, shape }));
      const weights = await allocateWeights(device, dtype, 2 ** 23, streamedBy(calls, dtype));
      const timer = createTimer(device);
      for (const shape of met(fitting, rank, list.length)) {
        const launch = await prepare(device, weights, { kernel: name, shape }, dtype, choice, 4);
        const { error, tolerance } = await check(device, timer, launch);
        expect(error, `${JSON.stringify(shape)}`).toBeLessThanOrEqual(tolerance);
        launch.destroy();
      }
    });
  });
});
