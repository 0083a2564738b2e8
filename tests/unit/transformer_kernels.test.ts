// What lies between a transformer's products, by hand.

import { describe, expect, test } from "vitest";
import { type Call, kernelOf } from "../../src/kernels";
import type { Matrix } from "../../src/kernels/kernel";
import { callOf, matrix } from "./kernel_calls";

const values = (call: Call, inputs: Matrix[], row: number, columns: number[]) =>
  kernelOf(call.kernel)
    .reference(call.shape, inputs, row, columns, "f32")
    .map(({ value }) => value);

test("embed takes the rows of its tokens, and leaves those of other pieces alone", () => {
  const call: Call = { kernel: "embed", shape: { tokens: 3, vocab: 2, hidden: 2, piece: 2 } };
  const inputs = [matrix([1, 3, 2]), matrix([1, 2], [3, 4])];
  expect(values(call, inputs, 1, [0, 1])).toEqual([3, 4]);
  expect(values(call, inputs, 2, [1])).toEqual([2]);
  const alone = [0, 1, 2].map((row) => kernelOf("embed").untouched!(call.shape, inputs, row));
  expect(alone).toEqual([true, false, false]);
});

test("rms_norm divides by the root mean square, add_rms_norm what it has added up", () => {
  const shape = { rows: 1, columns: 2, nanoEpsilon: 500_000_000 };
  // (1 + 8) / 2 with an epsilon of a half... is 5; with 3.5² it is 13.
  const [a, b] = values(
    { kernel: "rms_norm", shape },
    [matrix([1, Math.sqrt(8)]), matrix([2, 1])],
    0,
    [0, 1],
  );
  expect(a).toBeCloseTo(2 / Math.sqrt(5), 12);
  expect(b).toBeCloseTo(Math.sqrt(8 / 5), 12);
  const added: Call = { kernel: "add_rms_norm", shape };
  const inputs = [matrix([3, 1]), matrix([2, 1]), matrix([-2, Math.sqrt(8) - 1])];
  expect(values(added, inputs, 0, [0])).toEqual([1]);
  expect(values(added, inputs, 1, [0])[0]).toBeCloseTo(2 / Math.sqrt(5), 12);
});

describe("rope", () => {
  const shape = { batch: 2, queries: 1, heads: 1, kvHeads: 1, headDim: 4, capacity: 3 };
  const call: Call = { kernel: "rope", shape };
  // A quarter turn of the first pair and none of the second, at position 1.
  const angles = matrix([9, 9, 9, 9], [0, 1, 1, 0], [9, 9, 9, 9]);
  const qkv = matrix([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], [0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 7]);
  const bias: Matrix = (_, column) => (column === 0 ? 100 : 0);
  const inputs = [qkv, bias, angles, matrix([1])];

  test("turns the first half of a head against the second, after the bias", () => {
    expect(values(call, inputs, 0, [0, 1, 2, 3])).toEqual([-3, 2, 101, 4]);
  });

  test("puts keys, turned, and values, as they are, into their sequence's place in the cache", () => {
    // Two rows of q, then three of k for each sequence, then those of v.
    expect(values(call, inputs, 2 + 1, [0, 1, 2, 3])).toEqual([-7, 6, 5, 8]);
    expect(values(call, inputs, 2 + 4, [2])).toEqual([1]);
    expect(values(call, inputs, 2 + 6 + 1, [0, 3])).toEqual([9, 12]);
    expect(values(call, inputs, 2 + 6 + 4, [3])).toEqual([7]);
    const alone = Array.from({ length: 14 }, (_, row) => kernelOf("rope").untouched!(shape, inputs, row));
    expect(alone.flatMap((left, row) => (left ? [] : [row]))).toEqual([0, 1, 3, 6, 9, 12]);
  });

  test("norms queries and keys, not values, each with its own weights, before it turns them", () => {
    const normed: Call = { kernel: "norm_rope", shape: { ...shape, batch: 1, nanoEpsilon: 1 } };
    const given = [matrix([2, 2, 2, 2, 4, 4, 4, 4, 6, 6, 6, 6]), () => 0, angles, matrix([1])];
    const norms = matrix([1, 2, 3, 4], [10, 20, 30, 40]);
    const rounded = (row: number) =>
      values(normed, [...given, norms], row, [0, 1, 2, 3]).map((value) => Number(value.toFixed(6)));
    expect(rounded(0)).toEqual([-3, 2, 1, 4]);
    expect(rounded(1 + 1)).toEqual([-30, 20, 10, 40]);
    expect(rounded(1 + 3 + 1)).toEqual([6, 6, 6, 6]);
  });
});

describe("a KV cache in q8_0", () => {
  const shape = { batch: 1, queries: 1, heads: 1, kvHeads: 1, headDim: 64, capacity: 3 };
  // No turn; a query of zeros, a key whose second block is ten times the first, a value with one number that is not 0.
  const qkv: Matrix = (_, column) => {
    if (column < 64) return 0;
    if (column < 128) return (column < 96 ? 1 : 10) * (column % 32 === 5 ? -1 : (column % 32) / 64);
    return column === 130 ? 0.125 : 0;
  };
  const inputs = [qkv, () => 0, (_: number, column: number) => (column < 32 ? 1 : 0), matrix([1])];
  const call: Call = { kernel: "rope_q8_0", shape };
  // A row of q, three of keys, three of values, and as many with their scales.
  const [key, value] = [1 + 1, 1 + 3 + 1];

  test("has the largest number of each block of 32 as its scale, and all others in 127 steps of it", () => {
    expect(values(call, inputs, key, [5, 16, 37, 48])).toEqual([-127, 127 / 4, -127, 127 / 4]);
    expect(values(call, inputs, value, [2, 3, 60])).toEqual([127, 0, 0]);
    expect(values(call, inputs, key + 6, [0, 1])).toEqual([1, 10]);
    expect(values(call, inputs, value + 6, [0, 1])).toEqual([0.125, 0]);
  });

  test("may be half a step off, and no more than rounding beside it", () => {
    const { reference, tolerance } = kernelOf("rope_q8_0");
    const bound = (row: number, column: number) =>
      reference(shape, inputs, row, [column], "f32")[0]!.magnitude * tolerance(shape, "f32");
    expect(bound(key, 16)).toBeGreaterThan(0.5);
    expect(bound(key, 16)).toBeLessThan(0.501);
    // A scale is an f16, which may be rounded to either side.
    expect(bound(key + 6, 1)).toBeLessThan(10 * 2 ** -10.9);
  });

  test("leaves other tokens' numbers and scales alone", () => {
    const alone = Array.from({ length: 13 }, (_, row) =>
      kernelOf("rope_q8_0").untouched!(shape, inputs, row),
    );
    expect(alone.flatMap((left, row) => (left ? [] : [row]))).toEqual([0, key, value, key + 6, value + 6]);
  });

  test("is read as whole numbers times their scales, values behind all keys", () => {
    const attended: Call = {
      kernel: "attention_q8_0",
      shape: { batch: 1, queries: 1, keys: 2, heads: 1, kvHeads: 1, headDim: 64, window: 2 },
    };
    // The query sees the first block of each key only; e² to 1 between them.
    const query: Matrix = (_, column) => (column === 0 ? 16 : 0);
    const kv: Matrix = (row, column) => [127, 0, 100 + column, -127][row]!;
    const scales = matrix([1, 5], [1, 5], [2, 4], [0.5, 1]);
    const share = 1 / (1 + Math.exp(-2));
    const [first, last] = values(attended, [query, kv, scales], 0, [0, 63]);
    expect(first).toBeCloseTo((share * 100 * 2) / 127 - (1 - share) * 0.5, 12);
    expect(last).toBeCloseTo((share * 163 * 4) / 127 - (1 - share), 12);
  });

  test("has heads that are whole blocks", () => {
    for (const name of ["rope_q8_0", "norm_rope_q8_0", "attention_q8_0"] as const) {
      const { shape: own } = callOf(name);
      const says = kernelOf(name).impossible?.({ ...own, headDim: 48 });
      expect(says, name).toMatch(/headDim is a multiple of 32/);
    }
  });
});

test("scaled_embed multiplies by the root of its columns, gelu_mul gates by GELU", () => {
  const call: Call = { kernel: "scaled_embed", shape: { tokens: 1, vocab: 1, hidden: 4, piece: 1 } };
  expect(values(call, [matrix([0]), matrix([1, 2, 3, 4])], 0, [0, 3])).toEqual([2, 8]);
  const gated = matrix([0, 1, -1, 30, 5, 1, 1, 2]);
  const gelu: Call = { kernel: "gelu_mul", shape: { rows: 1, columns: 4 } };
  // By the tanh it is 0.841192 at 1, where the Gaussian's own distribution gives 0.841345.
  const rounded = values(gelu, [gated], 0, [0, 1, 2, 3]).map((value) => Number(value.toFixed(6)));
  expect(rounded).toEqual([0, 0.841192, -0.158808, 60]);
});

test("silu_mul gates the second half of a row by the first, add adds", () => {
  const gated = matrix([0, 1, 2, -1, 5, 6, 7, 8]);
  const call: Call = { kernel: "silu_mul", shape: { rows: 1, columns: 4 } };
  expect(values(call, [gated], 0, [0, 3])[0]).toBe(0);
  expect(values(call, [gated], 0, [3])[0]).toBeCloseTo((-1 / (1 + Math.E)) * 8, 12);
  expect(values(callOf("add"), [() => 2, () => 3], 0, [0])).toEqual([5]);
});

test("argmax finds the first of the largest, block by block", () => {
  const call: Call = { kernel: "argmax", shape: { rows: 2, columns: 5, block: 2 } };
  // Blocks of two columns, each with both rows.
  const logits = matrix([1, 2], [5, 1], [7, 7], [1, 1], [3, 9], [5, 9]);
  expect(values(call, [logits], 0, [0, 1])).toEqual([2, 0]);
});

test("sample draws each token as often as the softmax at its temperature says", () => {
  const logits = matrix([0, 1, 2]);
  const weights = [0, 1, 2].map((logit) => Math.exp(logit / 0.5));
  const total = weights.reduce((a, b) => a + b);
  const counts = [0, 0, 0];
  const draws = 20_000;
  const shape = { rows: 1, columns: 3, block: 3, milliTemperature: 500, seed: 11 };
  for (let position = 0; position < draws; position++) {
    const [token] = values({ kernel: "sample", shape }, [logits, matrix([position])], 0, [0]);
    counts[token!]!++;
  }
  // Three and a half standard deviations of a binomial count.
  weights.forEach((weight, token) => {
    const share = weight / total;
    expect(Math.abs(counts[token]! / draws - share)).toBeLessThan(
      3.5 * Math.sqrt((share * (1 - share)) / draws),
    );
  });
});
