import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  medianRanks,
  orderStatistics,
  rateOf,
  secondsPerCall,
  secondsPerDispatch,
  shareOf,
  slopes,
} from "../../src/analysis/statistics";
import { randomAt } from "../../src/kernels/random";
import type { Span } from "../../src/result";
import { measured } from "./result_fixture";

/** P(the median lies between two ranks), exactly, for samples of any continuous distribution. */
function coverage(count: number, low: number, high: number): number {
  let choose = 1n;
  let inside = 0n;
  for (let below = 0n; below <= BigInt(count); below++) {
    if (below > BigInt(low) && below <= BigInt(high)) inside += choose;
    choose = (choose * (BigInt(count) - below)) / (below + 1n);
  }
  return Number((inside * 10n ** 12n) >> BigInt(count)) / 1e12;
}

describe("the ranks of the median's interval", () => {
  test.each([
    [1, 0, 0],
    [2, 0, 1],
    [5, 0, 4],
    [6, 0, 5],
    [10, 1, 8],
    [20, 5, 14],
    [25, 7, 17],
  ])("of %d samples are %d and %d", (count, low, high) => expect(medianRanks(count)).toEqual([low, high]));

  test.each([6, 7, 10, 25, 40, 99, 200, 1000])(
    "hold it with 95 %% and no narrower pair does: %d samples",
    (count) => {
      const [low, high] = medianRanks(count);
      expect(coverage(count, low, high)).toBeGreaterThanOrEqual(0.95);
      expect(coverage(count, low + 1, high - 1)).toBeLessThan(0.95);
    },
  );

  test.each([6, 10, 25])("cover the true median in 2,000 sample sets: %d samples", (count) => {
    // Skewed, as times are; the median of u is 0 and exp is monotonic.
    const sets = Array.from({ length: 2000 }, (_, set) =>
      Array.from({ length: count }, (_, i) => Math.exp(4 * randomAt(count, set * count + i))),
    );
    const covered = sets.map(orderStatistics).filter(({ low, high }) => low <= 1 && 1 <= high);
    expect(covered.length / sets.length).toBeGreaterThanOrEqual(0.94);
  });
});

describe("order statistics", () => {
  test("of ten samples by hand", () => {
    const statistics = orderStatistics([5, 3, 9, 1, 7, 10, 2, 8, 6, 4]);
    expect(statistics).toMatchObject({ count: 10, median: 5.5 });
    // Kept in ten-thousandths of the median.
    expect(statistics.low).toBeCloseTo(2, 3);
    expect(statistics.lowerQuartile).toBeCloseTo(3.25, 3);
    expect(statistics.upperQuartile).toBeCloseTo(7.75, 3);
    expect(statistics.high).toBeCloseTo(9, 3);
  });

  test("are in order, and their median halves the samples", () => {
    const samples = fc.array(fc.double({ min: 1e-9, max: 1e3, noNaN: true }), {
      minLength: 1,
      maxLength: 60,
    });
    fc.assert(
      fc.property(samples, (times) => {
        const { count, low, lowerQuartile, median, upperQuartile, high } = orderStatistics(times);
        expect(count).toBe(times.length);
        for (const order of [
          [low, median, high],
          [lowerQuartile, median, upperQuartile],
        ])
          expect(order).toEqual(order.toSorted((a, b) => a - b));
        // Rounded, a sample may come to lie just beyond its own median.
        const shorter = times.filter((time) => time < median * (1 - 1e-4)).length;
        const longer = times.filter((time) => time > median * (1 + 1e-4)).length;
        expect(Math.max(shorter, longer)).toBeLessThanOrEqual(count / 2);
      }),
    );
  });

  test("are rounded to a few digits, so that a link shows what its result showed", () => {
    const times = [Math.PI * 1e-4, Math.E * 1e-4, Math.SQRT2 * 1e-4];
    const { count: _, ...kept } = orderStatistics(times);
    for (const value of Object.values(kept)) expect(Number(value.toPrecision(6))).toBe(value);
    expect(Math.abs(kept.median / times[1]! - 1)).toBeLessThanOrEqual(5e-5);
  });

  test("of nothing do not exist", () => expect(() => orderStatistics([])).toThrow(RangeError));
});

describe("slopes", () => {
  const spansOf = (fixed: number, perDispatch: number, n: number): Span[] =>
    [n, 2 * n, 3 * n].map((dispatches) => ({
      dispatches,
      wall: 2 * fixed + 1.5 * perDispatch * dispatches,
      gpu: fixed + perDispatch * dispatches,
    }));

  test("are the time per dispatch, whatever a submit costs", () => {
    const time = fc.double({ min: 1e-7, max: 1, noNaN: true });
    fc.assert(
      fc.property(time, time, fc.integer({ min: 1, max: 10_000 }), (fixed, each, n) => {
        const spans = spansOf(fixed, each, n);
        // The fixed cost may be a million times the slope: that many digits cancel.
        const digits = 1e-13 * (1 + fixed / (n * each));
        expect(Math.abs(slopes(spans, "timestamp-query")[0]! / each - 1)).toBeLessThan(digits);
        expect(Math.abs(slopes(spans, "wall")[0]! / (1.5 * each) - 1)).toBeLessThan(digits);
      }),
    );
  });

  test("are one per round, in time order; spans of a round that was cut off are left out", () => {
    const spans = [...spansOf(0, 2, 4), ...spansOf(1, 3, 8), ...spansOf(0, 5, 2).slice(0, 2)];
    expect(slopes(spans, "timestamp-query")).toEqual([2, 3]);
  });

  test("use the wall clock where there are no timestamps", () => {
    const spans = spansOf(0, 2, 4).map((span) => ({ ...span, gpu: null }));
    expect(slopes(spans, "timestamp-query")).toEqual([3]);
  });

  test("are never zero or negative, however noisy the clock", () => {
    const spans = spansOf(1, 0, 4).map((span, i) => ({ ...span, gpu: 3 - i }));
    expect(slopes(spans, "timestamp-query")[0]).toBeGreaterThan(0);
  });
});

describe("a measured cell", () => {
  const call = { kernel: "matmul", shape: { M: 4, N: 64, K: 64 } } as const;
  const cell = measured(call, "f32", [4e-3, 1e-3, 2e-3, 3e-3, 5e-3]);

  test("gives the same figures from its spans and from their order statistics", () => {
    const statistics = secondsPerDispatch(cell);
    expect(statistics).toMatchObject({ count: 5, median: 3e-3 });
    expect(statistics.low).toBeCloseTo(1e-3, 6);
    expect(statistics.high).toBeCloseTo(5e-3, 6);
    expect(secondsPerDispatch({ ...cell, timing: { kind: "order-statistics", ...statistics } })).toEqual(
      statistics,
    );
  });

  test("takes the time of all its pieces", () => {
    const { value, low, high } = secondsPerCall({ ...cell, pieces: 2.5 });
    expect(value).toBeCloseTo(7.5e-3, 12);
    expect(low).toBeCloseTo(2.5e-3, 6);
    expect(high).toBeCloseTo(12.5e-3, 6);
  });
});

test("a rate's low end comes from the time's high end", () => {
  expect(rateOf(100, { value: 4, low: 2, high: 5 })).toEqual({ value: 25, low: 20, high: 50 });
});

test("a share keeps the ends", () => {
  expect(shareOf({ value: 4, low: 2, high: 5 }, 8)).toEqual({ value: 0.5, low: 0.25, high: 0.625 });
});
