import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  dollars,
  dollarsPerHour,
  dollarsPerMillionTokens,
  duration,
  estimated,
  flopRate,
  joulesPerToken,
  kilowattHours,
  kilowattHoursPerMillionTokens,
  memory,
  percent,
  scaled,
  significant,
  tokenRate,
  watts,
  written,
} from "../../src/units";

describe("significant digits", () => {
  test.each([
    [0, "0"],
    [1, "1.00"],
    [9.994, "9.99"],
    [9.996, "10.0"],
    [99.94, "99.9"],
    [99.96, "100"],
    [999.4, "999"],
    [999.6, "1,000"],
    [12_345, "12,300"],
    [1_234_567, "1,230,000"],
    [0.01234, "0.0123"],
    [0.09996, "0.100"],
    [0.000_012_34, "0.0000123"],
    [-8.256, "-8.26"],
  ])("%d is %s", (value, text) => expect(significant(value)).toBe(text));

  test.each(Array.from({ length: 22 }, (_, i) => Number(`1e${i - 9}`)))(
    "a power of ten stays one: %d",
    (value) => {
      expect(Number(significant(value).replaceAll(",", ""))).toBe(value);
    },
  );

  test("are three, without an exponent, and say the number to half a percent", () => {
    const magnitude = fc.tuple(
      fc.double({ min: 1, max: 9.999, noNaN: true }),
      fc.integer({ min: -9, max: 15 }),
    );
    fc.assert(
      fc.property(magnitude, ([mantissa, exponent]) => {
        const value = mantissa * 10 ** exponent;
        const text = significant(value);
        expect(text).toMatch(/^[\d,.]+$/);
        expect(text.replace(/^[0.]+|[,.]/g, "").replace(/0+$/, "").length).toBeLessThanOrEqual(3);
        expect(Math.abs(Number(text.replaceAll(",", "")) / value - 1)).toBeLessThanOrEqual(0.005 + 1e-9);
      }),
    );
  });

  test("of a number too small for twelve places are zeros, not an exponent", () => {
    expect(Number(significant(1e-20))).toBe(0);
    expect(significant(1e-20)).not.toContain("e");
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])("never throw: %d", (value) => {
    expect(significant(value)).not.toBe("");
  });
});

describe("scaled", () => {
  test.each([
    [0, "FLOP/s", "0 FLOP/s"],
    [0.5, "B/s", "0.500 B/s"],
    [999.4, "B/s", "999 B/s"],
    [1000, "B/s", "1.00 kB/s"],
    [8.25e9, "FLOP/s", "8.25 GFLOP/s"],
    [989e12, "FLOP/s", "989 TFLOP/s"],
    [3.35e12, "B/s", "3.35 TB/s"],
    [1.8e15, "FLOP/s", "1.80 PFLOP/s"],
    [5e21, "FLOP/s", "5,000 EFLOP/s"],
    [-2e6, "B/s", "-2.00 MB/s"],
  ])("%d %s is %s", (value, unit, text) => expect(scaled(value, unit)).toBe(text));
});

test("tokens per second are not scaled", () => expect(written(12_345, tokenRate)).toBe("12,300 tokens/s"));

test("an interval is written in the unit of its figure", () => {
  expect(estimated({ value: 1.002e12, low: 9.98e11, high: 1.1e12 }, flopRate)).toBe(
    "1.00 TFLOP/s (0.998 … 1.10)",
  );
});

test.each([
  [512, "0.500 KiB"],
  [2 ** 20 - 1024, "1,020 KiB"],
  [2 ** 20, "1.00 MiB"],
  [2 ** 27, "128 MiB"],
  [2 ** 30, "1.00 GiB"],
  [80 * 2 ** 30, "80.0 GiB"],
])("%d bytes of memory are %s", (bytes, text) => expect(memory(bytes)).toBe(text));

test.each([
  [0, "0 ns"],
  [1e-9, "1.00 ns"],
  [9.99e-7, "999 ns"],
  [1e-6, "1.00 µs"],
  [1.234e-5, "12.3 µs"],
  [1e-3, "1.00 ms"],
  [0.9996, "1,000 ms"],
  [1, "1.00 s"],
  [119, "119 s"],
  [120, "2.00 min"],
])("%d seconds are %s", (seconds, text) => expect(duration(seconds)).toBe(text));

test.each([
  [0, "0 %"],
  [0.001234, "0.123 %"],
  [0.5, "50.0 %"],
  [0.9996, "100 %"],
  [1, "100 %"],
  [12.5, "1,250 %"],
])("a share of %d is %s", (share, text) => expect(percent(share)).toBe(text));

describe("money and energy", () => {
  test.each([
    [1.43 / 3600, dollarsPerHour, "1.43 $/h"],
    [0.59e-6, dollarsPerMillionTokens, "0.590 $/M tokens"],
    [30_000, dollars, "30,000 $"],
    [8.4, joulesPerToken, "8.40 J/token"],
    // 8.4 MJ for a million tokens.
    [8.4, kilowattHoursPerMillionTokens, "2.33 kWh/M tokens"],
    [3.6e6, kilowattHours, "1.00 kWh"],
    [6.72e6, watts, "6.72 MW"],
  ])("%d is written with %o as %s", (value, scale, text) => expect(written(value, scale)).toBe(text));

  test("come back from text to half a percent", () => {
    const scales = [dollarsPerHour, dollarsPerMillionTokens, kilowattHoursPerMillionTokens, kilowattHours];
    const value = fc.double({ min: Math.log(1e-9), max: Math.log(1e12), noNaN: true }).map(Math.exp);
    fc.assert(
      fc.property(value, fc.constantFrom(...scales), (value, scale) => {
        const { factor } = scale(value);
        const [number = ""] = written(value, scale).split(" ");
        fc.pre(value / factor > 1e-6);
        expect((Number(number.replaceAll(",", "")) * factor) / value).toBeCloseTo(1, 2);
      }),
    );
  });
});
