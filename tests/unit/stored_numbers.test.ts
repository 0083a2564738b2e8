// The numbers in memory: the generator that they come from, and where whole numbers of few bits lie.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bitsOf, decoder, storedAt } from "../../src/kernels/elements";
import { randomAt, randomBits } from "../../src/kernels/random";

describe("stored numbers", () => {
  const words = (seed: number, count: number) =>
    Uint32Array.from({ length: count }, (_, i) => randomBits(seed, i));

  test.each(["i8", "i4", "i8x4"] as const)(
    "%s: random bits of the stream, as a decoder of the bytes reads them",
    (element) => {
      const read = decoder(element, words(7, 64).buffer);
      const count = (64 * 32) / bitsOf[element];
      const values = Array.from({ length: count }, (_, i) => storedAt(element, 7, i));
      expect(values).toEqual(Array.from({ length: count }, (_, i) => read(i)));
      const top = 2 ** (bitsOf[element] - 1);
      expect(Math.min(...values)).toBeGreaterThanOrEqual(-top);
      expect(Math.max(...values)).toBeLessThan(top);
      expect(Math.min(...values)).toBeLessThan(-top / 2);
    },
  );

  test("four neighbours lie in the four words of a vec4u, in the same bits", () => {
    // Element k of a block of i4 is nibble k / 4 of word k % 4.
    const four = new Uint32Array([0, 0x00000070, 0, 0xf0000000]);
    const at = decoder("i4", four.buffer);
    expect(at(5)).toBe(7);
    expect(at(31)).toBe(-1);
    expect(Array.from({ length: 32 }, (_, k) => at(k)).filter((value) => value !== 0)).toEqual([7, -1]);
    // Element k of a block of i8 is byte k / 4 of word k % 4.
    const bytes = decoder("i8", new Uint32Array([0, 0x00008000, 0, 0]).buffer);
    expect(bytes(5)).toBe(-128);
  });

  test("four neighbours of a KV cache lie in one word, the first in its lowest bits", () => {
    const at = decoder("i8x4", new Uint32Array([0, 0x80ff017f]).buffer);
    expect([4, 5, 6, 7].map(at)).toEqual([127, 1, -1, -128]);
  });
});

describe("random weights", () => {
  /** PCG-RXS-M-XS once more, in whole numbers without overflow. */
  function pcg(seed: number, index: number): number {
    const state = (BigInt(index) * 747_796_405n + BigInt(seed) * 2_654_435_769n) % 2n ** 32n;
    const word = (((state >> ((state >> 28n) + 4n)) ^ state) * 277_803_737n) % 2n ** 32n;
    return Number(((word >> 22n) ^ word) >> 20n) / 4096 - 0.5;
  }

  test("are multiples of 1/4096 from -1/2 to below 1/2, by the published generator", () => {
    const seed = fc.integer({ min: 1, max: 1000 });
    fc.assert(
      fc.property(seed, fc.integer({ min: 0, max: 2 ** 32 - 1 }), (stream, index) => {
        const value = randomAt(stream, index);
        expect(Number.isInteger(value * 4096)).toBe(true);
        expect(value).toBeGreaterThanOrEqual(-0.5);
        expect(value).toBeLessThan(0.5);
        expect(value).toBe(pcg(stream, index));
      }),
    );
  });

  const stream = (seed: number) => Array.from({ length: 100_000 }, (_, i) => randomAt(seed, i));
  const mean = (values: number[]) => values.reduce((a, b) => a + b) / values.length;

  test.each([
    [1, 2],
    [1, 9],
    [2, 3],
  ])("of streams %d and %d have nothing to do with each other", (one, other) => {
    const [a, b] = [stream(one), stream(other)];
    const correlation = 12 * mean(a.map((value, i) => value * b[i]!));
    expect(Math.abs(correlation)).toBeLessThan(0.02);
  });

  test.each([1, 2, 77])("are evenly spread in stream %d", (seed) => {
    const values = stream(seed);
    expect(Math.abs(mean(values))).toBeLessThan(0.005);
    expect(mean(values.map((value) => value * value))).toBeCloseTo(1 / 12, 2);
    expect(new Set(values).size).toBe(4096);
  });

  test("differ from stream to stream and from one to the next", () => {
    const [a, b] = [stream(1), stream(2)];
    expect(a.filter((value, i) => value === b[i]).length).toBeLessThan(100);
    expect(Math.abs(mean(a.slice(1).map((value, i) => value * a[i]!)))).toBeLessThan(0.001);
  });
});
