import { describe, expect, test } from "vitest";
import { f16Bits, f16Value } from "../../src/kernels/f16";
import { randomAt } from "../../src/kernels/random";

test.each([
  [0x0000, 0],
  [0x0001, 2 ** -24],
  [0x03ff, 1023 * 2 ** -24],
  [0x0400, 2 ** -14],
  [0x3555, 0.333_251_953_125],
  [0x3c00, 1],
  [0x3c01, 1 + 2 ** -10],
  [0xc000, -2],
  [0x7bff, 65_504],
  [0x7c00, Number.POSITIVE_INFINITY],
  [0xfc00, Number.NEGATIVE_INFINITY],
])("0x%s stands for %d", (half, value) => expect(f16Value(half)).toBe(value));

test.each([0x7c01, 0x7e00, 0xffff])("0x%s is not a number", (half) => expect(f16Value(half)).toBeNaN());

describe("bits of a value", () => {
  test("are those it came from, for every normal number and both zeros", () => {
    const halves = Array.from({ length: 2 ** 16 }, (_, half) => half).filter((half) => {
      const exponent = (half >>> 10) & 31;
      return (exponent > 0 && exponent < 31) || (half & 0x7fff) === 0;
    });
    expect(halves).toHaveLength(2 * (30 * 1024 + 1));
    expect(halves.filter((half) => f16Bits(f16Value(half)) !== half)).toEqual([]);
  });

  test("hold every random weight exactly", () => {
    const weights = Array.from({ length: 4096 }, (_, i) => i / 4096 - 0.5);
    expect(weights.filter((weight) => f16Value(f16Bits(weight)) !== weight)).toEqual([]);
    const drawn = Array.from({ length: 10_000 }, (_, i) => randomAt(3, i));
    expect(drawn.filter((weight) => !weights.includes(weight))).toEqual([]);
  });
});
