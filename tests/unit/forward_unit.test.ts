// How much of a whole model is run, in what portions.

import { expect, test } from "vitest";
import { amountFor, chunkOf } from "../../src/engine/forward_unit";
import { modelConfig } from "../../src/workloads";

const found = (reading: number, writing: number, interactive: number) =>
  ({
    prefill: { secondsToFirstToken: [reading] },
    decode: { wall: 4 * writing, steps: 4 },
    interactive: [interactive, interactive],
  }) as unknown as Parameters<typeof amountFor>[0];

test("two fifths of the time are for reading, two for writing twice, one for tokens that are read back", () => {
  expect(amountFor(found(0.1, 0.01, 0.02), 512, 5)).toEqual({
    generate: 100,
    interactive: 50,
    repetitions: 18,
    sustain: 0,
  });
});

test("no more than is asked for, and than tells more", () => {
  expect(amountFor(found(0.001, 0.001, 0.001), 128, 15)).toEqual({
    generate: 128,
    interactive: 128,
    repetitions: 25,
    sustain: 0,
  });
  expect(amountFor(found(0.001, 0.001, 0.001), 2 ** 20, 60)).toMatchObject({
    generate: 1024,
    interactive: 256,
  });
});

test("what was run first is all there is where there is no time for more", () => {
  expect(amountFor(found(10, 2, 2), 128, 5)).toBeUndefined();
  expect(amountFor(found(10, 2, 2), 1, 5)).toBeUndefined();
  // A slow prompt does not keep a fast answer short.
  expect(amountFor(found(10, 0.01, 2), 128, 5)).toMatchObject({
    generate: 100,
    interactive: 4,
    repetitions: 1,
  });
});

test("a load that is asked for is put on, even where there is no time for more of the rest", () => {
  expect(amountFor(found(10, 2, 2), 128, 5, 10)).toEqual({
    generate: 4,
    interactive: 4,
    repetitions: 1,
    sustain: 10,
  });
});

test("chunks are powers of two in which no product and no attention takes long", () => {
  const llama = modelConfig("llama-3.2-1b");
  const at = { prompt: 512, depth: 0, batch: 1 };
  expect(chunkOf(llama, at, { flops: 50e12 })).toBe(512);
  // Gate and up of one token are 2 · 16384 · 2048 FLOP; 0.5 s at 3 GFLOP/s are 22 tokens.
  expect(chunkOf(llama, at, { flops: 10e9 })).toBe(16);
  expect(chunkOf(llama, at, { flops: 20e9 })).toBe(32);
  expect(chunkOf(llama, { ...at, batch: 8 }, { flops: 320e9 })).toBe(64);
  // Attention over a long context takes longer than any product.
  expect(chunkOf(llama, { ...at, depth: 100_000 }, { flops: 1e12 })).toBe(16);
});
