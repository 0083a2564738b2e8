// Numbers of files in the types of a run: against GGML's own arithmetic as the tests write it down, and exactly where
// nothing has to be rounded.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type DType, decoder, type Element, quantsOf } from "../../src/kernels/elements";
import { f16Rounded, f16Value } from "../../src/kernels/f16";
import { encodeRows, relaidRows } from "../../src/weight_files/quantise";
import { decodeStored } from "../../src/weight_files/stored_numbers";
import { encodedMatrix } from "../../src/weight_files/weight_stream";
import { halfBits, stored } from "../weight_writers";
import { watched } from "./weight_bytes";

const float = fc.float({ noNaN: true, noDefaultInfinity: true, min: -70000, max: 70000 });

test("f16 is the nearest there is, ties to even, as trying both neighbours finds it", () => {
  fc.assert(
    fc.property(
      fc.oneof(float, fc.float({ min: Math.fround(-1e-4), max: Math.fround(1e-4), noNaN: true })),
      (value) => {
        expect(f16Rounded(value)).toBe(halfBits(value));
      },
    ),
    { numRuns: 2000 },
  );
  // Half way between two, which random numbers never are.
  for (let bits = 0; bits < 0x7bff; bits += 37) {
    const between = (f16Value(bits) + f16Value(bits + 1)) / 2;
    expect(f16Rounded(between)).toBe(bits + (bits & 1));
    expect(f16Rounded(-between)).toBe(0x8000 + bits + (bits & 1));
  }
  // Every f16 is itself.
  for (let bits = 0; bits < 0x7c00; bits++) expect(f16Rounded(f16Value(bits))).toBe(bits);
  expect(f16Rounded(Number.NaN)).toBe(0x7e00);
  expect([65519, 65520, 1e30, Number.POSITIVE_INFINITY].map(f16Rounded)).toEqual([
    0x7bff, 0x7c00, 0x7c00, 0x7c00,
  ]);
});

/** Zero is zero. */
const unsigned = (value: number) => value + 0;

const blocks = fc.array(fc.float({ min: -8, max: 8, noNaN: true }), { minLength: 64, maxLength: 64 });

test.each(["F32", "F16", "BF16", "Q8_0", "Q4_0"] as const)("%s is read as it was written", (type) => {
  fc.assert(
    fc.property(blocks, (given) => {
      const { bytes, numbers } = stored(type, given);
      expect([...decodeStored(type, bytes, 64)].map(unsigned)).toEqual(
        [...numbers].map(Math.fround).map(unsigned),
      );
    }),
  );
});

test("Q6_K: every number is where GGML puts it", () => {
  const bytes = new Uint8Array(210);
  const view = new DataView(bytes.buffer);
  view.setUint16(208, halfBits(0.5), true);
  for (let group = 0; group < 16; group++) view.setInt8(192 + group, group - 8);
  // Number j is j mod 64: of each half of 128, quarter q has its lower bits in byte 32·(q mod 2) + l of 64, in the lower
  // half of the byte for q < 2, and its upper two bits in byte l of 32 at bit 2q.
  for (let j = 0; j < 256; j++) {
    const [half, quarter, l] = [j >> 7, (j >> 5) & 3, j & 31];
    const value = (7 * j) & 63;
    bytes[64 * half + 32 * (quarter & 1) + l]! |= (value & 15) << (quarter < 2 ? 0 : 4);
    bytes[128 + 32 * half + l]! |= (value >> 4) << (2 * quarter);
  }
  const expected = Array.from(
    { length: 256 },
    (_, j) => 0.5 * (Math.floor(j / 16) - 8) * (((7 * j) & 63) - 32),
  );
  expect([...decodeStored("Q6_K", bytes, 256)].map((each) => each + 0)).toEqual(
    expected.map((each) => each + 0),
  );
});

/** What a buffer of a run holds, as kernels read it. */
function readBack(
  dtype: DType,
  rows: number,
  columns: number,
  { data, scales }: ReturnType<typeof encodeRows>,
): number[] {
  const quants = quantsOf[dtype];
  const element: Element = quants ?? (dtype === "f16" ? "f16" : "f32");
  const at = decoder(element, data.buffer);
  const scaleAt = scales && decoder("f16", scales.buffer);
  const stride = Math.ceil(columns / 32 / 4) * 4;
  return Array.from({ length: rows * columns }, (_, i) => {
    const [row, column] = [Math.floor(i / columns), i % columns];
    // No minus zero: what is multiplied by a negative scale may be one.
    return at(i) * (scaleAt?.(row * stride + Math.floor(column / 32)) ?? 1) + 0;
  });
}

const matrix = fc.array(fc.float({ min: -8, max: 8, noNaN: true }), { minLength: 192, maxLength: 192 });

describe("stored for a run", () => {
  test.each([
    ["q8_0", "Q8_0"],
    ["q4_0", "Q4_0"],
  ] as const)("%s is quantised as GGML does it", (dtype, type) => {
    fc.assert(
      fc.property(matrix, (given) => {
        const numbers = Float32Array.from(given);
        const actual = readBack(dtype, 3, 64, encodeRows(numbers, 64, dtype));
        const expected = stored(type, given).numbers;
        const step = dtype === "q8_0" ? 127 : 8;
        for (let first = 0; first < 192; first += 32) {
          const largest = Math.max(...given.slice(first, first + 32).map(Math.abs));
          for (let i = first; i < first + 32; i++) {
            // Half a step, q4_0's highest aside, which is cut at 7; the scale is rounded to f16, which has no small steps
            // below 2^-14.
            const bound =
              (largest / step) * (dtype === "q8_0" ? 0.5 : 1) + largest * 2 ** -10 + step * 2 ** -24;
            expect(Math.abs(actual[i]! - given[i]!)).toBeLessThanOrEqual(bound);
            // Divided in another order a tie may go the other way.
            expect(Math.abs(actual[i]! - expected[i]!)).toBeLessThanOrEqual(
              (largest / step) * 1.01 + step * 2 ** -24,
            );
          }
        }
        const same = actual.filter((value, i) => value === expected[i]).length;
        expect(same).toBeGreaterThanOrEqual(190);
      }),
    );
  });

  test.each([
    ["q8_0", "Q8_0"],
    ["q4_0", "Q4_0"],
  ] as const)("blocks of a file go into %s as they are", (dtype, type) => {
    fc.assert(
      fc.property(matrix, (given) => {
        const { bytes, numbers } = stored(type, given);
        expect(readBack(dtype, 3, 64, relaidRows(bytes, 3, 64, type))).toEqual([...numbers].map(unsigned));
      }),
    );
  });

  test("f32 is as it was, f16 the nearest", () => {
    fc.assert(
      fc.property(matrix, (given) => {
        const numbers = Float32Array.from(given);
        expect(readBack("f32", 3, 64, encodeRows(numbers, 64, "f32"))).toEqual([...numbers].map(unsigned));
        const halves = readBack("f16", 3, 64, encodeRows(numbers, 64, "f16"));
        expect(halves).toEqual([...numbers].map((each) => f16Value(halfBits(each)) + 0));
      }),
    );
  });
});

describe("in pieces", () => {
  const part = (type: string, numbers: readonly number[], rows: number, interleaved = 0) => {
    const { bytes } = stored(type, numbers);
    const columns = numbers.length / rows;
    const tensor = {
      name: "t",
      type,
      shape: [rows, columns],
      file: watched(bytes),
      offset: 0,
      bytes: bytes.length,
    };
    return { tensor, firstRow: 0, rows, columns, interleaved, added: 0 };
  };

  test("a large matrix is never read as a whole, and comes out whole", async () => {
    const rows = 300;
    const numbers = Array.from({ length: rows * 8192 }, (_, i) => (i % 4093) / 8);
    const given = part("F32", numbers, rows);
    const out = new Float32Array(numbers.length);
    for await (const { row, data } of encodedMatrix([given], "f32"))
      out.set(new Float32Array(data.buffer), row * 8192);
    expect(out).toEqual(Float32Array.from(numbers));
    expect(given.tensor.file.most()).toBeLessThanOrEqual(4 * 2 ** 20);
  });

  test("parts follow each other, and interleaved rows are put in order head by head", async () => {
    // Two heads of four rows: 0 and 2 are turned together, 1 and 3; side by side they are stored as 0, 2, 1, 3.
    const head = (first: number) => [0, 2, 1, 3].flatMap((row) => Array(4).fill(first + row));
    const heads = part("F32", [...head(0), ...head(10)], 8, 4);
    const plain = part(
      "F32",
      Array.from({ length: 8 }, (_, i) => 20 + Math.floor(i / 4)),
      2,
    );
    const out: number[] = [];
    for await (const { row, data } of encodedMatrix([heads, plain], "f32")) {
      expect(row * 4).toBe(out.length);
      out.push(...new Float32Array(data.buffer));
    }
    expect(out.filter((_, i) => i % 4 === 0)).toEqual([0, 1, 2, 3, 10, 11, 12, 13, 20, 21]);
  });

  test("numbers that f16 does not hold are refused, and what is no number", async () => {
    const drain = async (numbers: readonly number[], dtype: DType) => {
      for await (const _ of encodedMatrix([part("F32", numbers, 1)], dtype));
    };
    await expect(drain([1, 70000, 0, 0], "f16")).rejects.toThrow(
      "t has 70000, which f16 does not hold: take dtype=f32",
    );
    await expect(drain([1, Number.NaN, 0, 0], "f32")).rejects.toThrow("t has NaN");
    await drain([1, 70000, 0, 0], "f32");
  });
});
