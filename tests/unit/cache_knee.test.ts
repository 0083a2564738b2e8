// Where a cache ends, and which cells it may have helped.

import { describe, expect, test } from "vitest";
import { cacheKnee, mayBeCached, safeRotation } from "../../src/analysis/cache_knee";
import type { CachePoint, Result } from "../../src/result";
import { measured, resultOf } from "./result_fixture";

const MIB = 2 ** 20;

/** Rates in GB/s of working sets of 1 MiB and twice as much each time. */
const curveOf = (...rates: number[]): CachePoint[] =>
  rates.map((rate, i) => ({ bytes: MIB * 2 ** i, seconds: (MIB * 2 ** i) / (rate * 1e9) }));

describe("the knee", () => {
  test.each([
    ["of a sharp edge", [900, 900, 900, 300, 300, 300], 4],
    ["of an edge over two sizes", [900, 900, 600, 380, 300, 300], 8],
    ["of a small cache that few threads read slowly", [200, 500, 900, 900, 300, 300], 8],
    ["of two caches is the larger one's", [2000, 2000, 900, 900, 300, 300], 8],
    ["right before the largest set", [900, 900, 900, 300], 4],
    ["of a flat curve is none", [300, 310, 290, 300, 300], 0],
    ["of what is only slower in small sets is none", [100, 200, 300, 300], 0],
    ["of a cache that gives less than a fifth is none", [350, 350, 300, 300], 0],
  ])("%s", (_, rates, mebibytes) => expect(cacheKnee(curveOf(...rates))).toBe(mebibytes * MIB));

  test("is not known from fewer than three sets", () => {
    expect(cacheKnee([])).toBeUndefined();
    expect(cacheKnee(curveOf(900, 300))).toBeUndefined();
  });
});

describe("a cache may have helped", () => {
  const cell = (rotation: number) => ({
    ...measured({ kernel: "matvec", shape: { M: 1, N: 64, K: 64 } }, "f32", [1e-4]),
    rotation,
  });
  const withCurve = (cacheCurve: CachePoint[]): Result => ({
    ...resultOf({ words: "dtype=f32" }),
    cacheCurve,
  });

  test("below four times the knee", () => {
    const result = withCurve(curveOf(900, 900, 900, 900, 300, 300, 300));
    expect(safeRotation(result)).toBe(32 * MIB);
    expect(mayBeCached(result, cell(31 * MIB))).toBe(true);
    expect(mayBeCached(result, cell(32 * MIB))).toBe(false);
  });

  test("below 128 MiB where nobody measured", () => {
    const result = withCurve([]);
    expect(mayBeCached(result, cell(127 * MIB))).toBe(true);
    expect(mayBeCached(result, cell(128 * MIB))).toBe(false);
  });

  test("below 128 MiB where the curve ends so early that all of it may lie in a cache", () => {
    const flat = (count: number) => withCurve(curveOf(...Array.from({ length: count }, () => 300)));
    expect(safeRotation(flat(6))).toBe(128 * MIB);
    expect(safeRotation(flat(7))).toBe(0);
    expect(mayBeCached(flat(7), cell(2 * MIB))).toBe(false);
  });

  test("not where nothing is streamed", () => {
    expect(mayBeCached(withCurve([]), cell(0))).toBe(false);
  });
});
