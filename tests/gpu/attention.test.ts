// Attention by corners of its tunings' space, in every type, at shapes that no tile divides, against float64, in a real
// browser. Where searches begin is tested with all other kernels, in kernels.test.ts.

import { describe, expect, test } from "vitest";
import { check } from "../../src/engine/check";
import { unsupported } from "../../src/engine/device";
import { prepare } from "../../src/engine/launch";
import { unfit } from "../../src/engine/pipeline";
import { createTimer } from "../../src/engine/timer";
import { allocateWeights, streamedBy } from "../../src/engine/weights";
import { kernelOf } from "../../src/kernels";
import { attention } from "../../src/kernels/attention";
import { type Choice, choiceName, starts } from "../../src/kernels/choices";
import { dtypes, quantsOf } from "../../src/kernels/elements";
import { eased } from "./adapter";
import { useDevice } from "./device";

/** batch, queries, keys, heads, kvHeads, headDim, window. */
const shapes = [
  [1, 1, 1, 1, 1, 4, 1],
  [1, 1, 1, 2, 1, 3, 1],
  [1, 1, 131, 4, 2, 64, 131],
  [1, 1, 257, 9, 3, 64, 257],
  [3, 1, 67, 6, 2, 20, 67],
  [1, 17, 17, 4, 4, 32, 17],
  [1, 67, 67, 6, 2, 64, 67],
  [2, 5, 131, 4, 1, 80, 131],
  [2, 3, 40, 7, 1, 128, 40],
  [1, 70, 150, 2, 1, 16, 33],
  [1, 1, 300, 4, 1, 256, 100],
].map(([batch, queries, keys, heads, kvHeads, headDim, window]) => {
  return { batch, queries, keys, heads, kvHeads, headDim, window } as Parameters<typeof attention.work>[0];
});

/** Those whose heads are whole blocks of 32, or are made so: few, for compiling takes long. */
const shapesInBlocks = [2, 7, 9, 10].map((i) => {
  const shape = shapes[i]!;
  return { ...shape, headDim: 32 * Math.ceil(shape.headDim / 32) };
});

const kernels = [
  ["attention", shapes],
  ["attention_q8_0", shapesInBlocks],
] as const;
const gpu = useDevice();

/** What a search may come to. */
const corners: readonly Choice[] = [
  { variant: "tiled", tuning: { ROWS: 4, KEYS: 32, THREADS: 256, SPLITS: 64 } },
  { variant: "threads", tuning: { THREADS: 16, ROWS: 2, KEYS: 4, SPLITS: 2 } },
  { variant: "threads", tuning: { THREADS: 4, ROWS: 1, KEYS: 2, SPLITS: 64 } },
  // After the others, or it meets the longest heads, which take llvmpipe most of a minute to compile in eight rows.
  { variant: "threads", tuning: { THREADS: 64, ROWS: 8, KEYS: 1, SPLITS: 1 } },
  ...[4, 8, 16, 32, 64].flatMap((SUBGROUP) => [
    { variant: "subgroups", tuning: { SUBGROUP, SUBGROUPS: 2, ROWS: 4, KEYS: 2, SPLITS: 8 } },
    { variant: "subgroups", tuning: { SUBGROUP, SUBGROUPS: 8, ROWS: 1, KEYS: 4, SPLITS: 1 } },
    { variant: "subgroups", tuning: { SUBGROUP, SUBGROUPS: 1, ROWS: 16, KEYS: 2, SPLITS: 1 } },
  ]),
];

/** A cache in q8_0 is the same in all types: what differs is activations. */
const cases = dtypes.flatMap((dtype) =>
  kernels
    .filter(([name]) => name === "attention" || quantsOf[dtype] === undefined)
    .map(([name, own]) => [dtype, name, own] as const),
);

describe.each(cases)("%s, %s", (dtype, name, own) => {
  const kernel = kernelOf(name);
  const variants = Object.keys(attention.variants).map((variant, turn) => [variant, turn] as const);
  test.for(variants)("%s", async ([variant, turn], { skip }) => {
    const device = gpu();
    const reason = unsupported(device, dtype);
    if (reason !== undefined) return skip(reason);

    const calls = own.map((shape) => ({ kernel: name, shape }));
    const weights = await allocateWeights(device, dtype, 2 ** 23, streamedBy(calls, dtype));
    const timer = createTimer(device);
    let checked = 0;
    for (const [i, shape] of own.entries()) {
      // Each variant takes its third of the shapes.
      if (eased && i % variants.length !== turn) continue;
      const fitting = corners.filter(
        (each) => each.variant === variant && unfit(device, kernel, each, shape, dtype) === undefined,
      );
      // One for each shape, another one for the next: compiling all takes minutes.
      const choice = fitting[i % fitting.length];
      if (choice === undefined) continue;
      const launch = await prepare(device, weights, { kernel: name, shape }, dtype, choice, 4);
      const { error, tolerance } = await check(device, timer, launch).catch((cause: Error) => {
        throw new Error(`${JSON.stringify(shape)}, ${choiceName(kernel, choice)}: ${cause.message}`);
      });
      expect(error).toBeLessThanOrEqual(tolerance);
      launch.destroy();
      checked++;
    }
    timer.destroy();
    weights.destroy();
    if (checked === 0 && variant === "subgroups") skip("no subgroups of a size that it knows");
    expect(checked).toBeGreaterThan(0);
  });
});

test.each(cases)("%s, %s: every shape has a variant that needs no extension", (dtype, name, own) => {
  const kernel = kernelOf(name);
  for (const shape of own) {
    for (const { tuning, variant } of starts(kernel).filter(({ variant }) => variant !== "subgroups")) {
      const found = kernel.variants[variant];
      if (found?.unfit?.(tuning, shape, dtype) === undefined) return;
    }
    throw new Error(`nothing computes ${JSON.stringify(shape)}`);
  }
});
