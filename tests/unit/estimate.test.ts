import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  fromOffsets,
  offsetsOf,
  orderStatistics,
  rateOf,
  secondsPerCall,
  secondsPerDispatch,
  shareOf,
  statisticsOf,
} from "../../src/analysis/estimate";
import { medianInterval, uniform } from "../../src/statistics";
import { measured, timingOf } from "./result_fixture";

const times = fc.array(fc.double({ min: 1e-9, max: 1e3, noNaN: true }), { minLength: 1, maxLength: 60 });

describe("order statistics", () => {
  test("of ten samples by hand, with the interval of the median", () => {
    const samples = [5, 3, 9, 1, 7, 10, 2, 8, 6, 4];
    const statistics = orderStatistics(samples);
    expect(statistics).toMatchObject({ count: 10, median: 5.5 });
    const { low, high } = medianInterval(samples);
    expect([low > 1, high < 10]).toEqual([true, true]);
    // Distances from the median are kept to two digits.
    const kept = (value: number) => 5.5 * (1 + Number((value / 5.5 - 1).toPrecision(2)));
    expect(statistics.lowerQuartile).toBeCloseTo(kept(3.25), 4);
    expect(statistics.upperQuartile).toBeCloseTo(kept(7.75), 4);
    expect(statistics.low).toBeCloseTo(kept(low), 4);
    expect(statistics.high).toBeCloseTo(kept(high), 4);
  });

  test("are in order, and their median halves the samples", () => {
    fc.assert(
      fc.property(times, (samples) => {
        const { count, low, lowerQuartile, median, upperQuartile, high } = orderStatistics(samples);
        expect(count).toBe(samples.length);
        for (const order of [
          [low, median, high],
          [lowerQuartile, median, upperQuartile],
        ])
          expect(order).toEqual(order.toSorted((a, b) => a - b));
        expect(low).toBeGreaterThan(0);
        // Rounded, a sample may come to lie just beyond its own median.
        const shorter = samples.filter((time) => time < median * (1 - 1e-4)).length;
        const longer = samples.filter((time) => time > median * (1 + 1e-4)).length;
        expect(Math.max(shorter, longer)).toBeLessThanOrEqual(count / 2);
      }),
    );
  });

  test("are rounded to a few digits, so that a link shows what its result showed", () => {
    const samples = [Math.PI * 1e-4, Math.E * 1e-4, Math.SQRT2 * 1e-4];
    const { count: _, ...kept } = orderStatistics(samples);
    for (const value of Object.values(kept)) expect(Number(value.toPrecision(6))).toBe(value);
    expect(Math.abs(kept.median / samples[1]! - 1)).toBeLessThanOrEqual(5e-5);
  });

  test("come back from the offsets that a link carries", () => {
    fc.assert(
      fc.property(times, (samples) => {
        const statistics = orderStatistics(samples);
        expect(fromOffsets(statistics.count, statistics.median, offsetsOf(statistics))).toEqual(statistics);
      }),
    );
  });

  test("of nothing do not exist", () => expect(() => orderStatistics([])).toThrow(RangeError));
});

describe("a measured cell", () => {
  const call = { kernel: "matmul", shape: { M: 4, N: 64, K: 64 } } as const;
  const random = uniform(5);
  const samples = Array.from({ length: 15 }, () => 1e-3 * (1 + 0.1 * random()));
  const cell = measured(call, "f32", samples);

  test("gives the same figures from its spans and from their order statistics", () => {
    const statistics = secondsPerDispatch(cell);
    expect(statistics.count).toBe(15);
    expect(statistics.median).toBeCloseTo(orderStatistics(samples).median, 7);
    const timing = { kind: "order-statistics" as const, ...statistics, odd: [] };
    expect(secondsPerDispatch({ ...cell, timing })).toEqual(statistics);
  });

  test("is read by the clock that it names", () => {
    const timing = timingOf([2e-3, 2e-3, 2e-3]);
    const late = { ...timing, spans: timing.spans.map((span) => ({ ...span, wall: 3 * span.wall })) };
    expect(statisticsOf({ ...late }, "timestamp-query").median).toBe(2e-3);
    expect(statisticsOf({ ...late }, "wall").median).toBe(6e-3);
  });

  test("takes the time of all its pieces", () => {
    const whole = secondsPerCall(cell);
    const { value, low, high } = secondsPerCall({ ...cell, pieces: 2.5 });
    expect(value).toBeCloseTo(2.5 * whole.value, 12);
    expect(low).toBeCloseTo(2.5 * whole.low, 12);
    expect(high).toBeCloseTo(2.5 * whole.high, 12);
  });
});

test("a rate's low end comes from the time's high end", () => {
  expect(rateOf(100, { value: 4, low: 2, high: 5 })).toEqual({ value: 25, low: 20, high: 50 });
});

test("a share keeps the ends", () => {
  expect(shareOf({ value: 4, low: 2, high: 5 }, 8)).toEqual({ value: 0.5, low: 0.25, high: 0.625 });
});
