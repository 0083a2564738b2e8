import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  drift,
  median,
  modes,
  normalCdf,
  notch,
  outliers,
  quantile,
  robustDeviation,
  slope,
  t95,
  uniform,
} from "../../src/statistics";
import { distributions, drawn, names, normal, type Random, share } from "./distributions";

const ascending = (values: readonly number[]) => [...values].sort((a, b) => a - b);
const times = (minLength: number, maxLength = 40) =>
  fc.array(fc.double({ min: 1e-9, max: 1e3, noNaN: true }), { minLength, maxLength });

describe("uniform numbers", () => {
  test("are the same for the same seed, and others for another", () => {
    const of = (seed: number) => Array.from({ length: 5 }, uniform(seed));
    expect(of(42)).toEqual(of(42));
    expect(of(42)).not.toEqual(of(43));
    expect(of(0)).toEqual(of(2 ** 32));
  });

  test("lie in [0, 1), evenly: twenty bins hold a twentieth each", () => {
    const random = uniform(7);
    const bins = Array.from({ length: 20 }, () => 0);
    for (let i = 0; i < 20_000; i++) {
      const value = random();
      expect(value >= 0 && value < 1).toBe(true);
      bins[Math.floor(20 * value)]!++;
    }
    // Four standard deviations of a count around 1,000.
    for (const count of bins) expect(Math.abs(count - 1000)).toBeLessThan(125);
  });

  test("do not follow from the one before", () => {
    const values = Array.from({ length: 10_000 }, uniform(11));
    const products = values.slice(1).map((value, i) => (value - 0.5) * (values[i]! - 0.5) * 12);
    expect(Math.abs(products.reduce((sum, each) => sum + each, 0) / products.length)).toBeLessThan(0.04);
  });
});

describe("quantiles", () => {
  test.each([
    [[1, 2, 3, 4, 5], 0, 1],
    [[1, 2, 3, 4, 5], 0.25, 2],
    [[1, 2, 3, 4], 0.25, 1.75],
    [[1, 2, 3, 4], 0.9, 3.7],
    [[1, 2, 3, 4], 1, 4],
    [[7], 0.3, 7],
  ])("of %j at %d: %d", (sorted, at, value) => expect(quantile(sorted, at)).toBeCloseTo(value, 12));

  test("of nothing do not exist", () => expect(() => quantile([], 0.5)).toThrow(RangeError));

  test("grow with their share and stay among the samples", () => {
    const unit = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(times(1), unit, unit, (samples, a, b) => {
        const sorted = ascending(samples);
        const [low, high] = [quantile(sorted, Math.min(a, b)), quantile(sorted, Math.max(a, b))];
        const slack = 1e-12 * high;
        expect(low).toBeLessThanOrEqual(high + slack);
        expect(low).toBeGreaterThanOrEqual(sorted[0]! - slack);
        expect(high).toBeLessThanOrEqual(sorted.at(-1)! + slack);
      }),
    );
  });
});

describe("the median", () => {
  test.each([
    [[3, 1, 2], 2],
    [[4, 1, 3, 2], 2.5],
    [[5], 5],
  ])("of %j is %d", (samples, value) => expect(median(samples)).toBe(value));

  test("has no more than half of the samples on either side, and leaves them as they are", () => {
    fc.assert(
      fc.property(times(1), (samples) => {
        const before = [...samples];
        const middle = median(samples);
        expect(samples).toEqual(before);
        expect(samples.filter((value) => value < middle).length).toBeLessThanOrEqual(samples.length / 2);
        expect(samples.filter((value) => value > middle).length).toBeLessThanOrEqual(samples.length / 2);
      }),
    );
  });

  test("of nothing does not exist", () => expect(() => median([])).toThrow(RangeError));
});

describe("the robust deviation", () => {
  test("by hand: deviations 4, 1, 0, 2, 95 have the median 2", () => {
    expect(robustDeviation([1, 4, 5, 7, 100])).toBeCloseTo(2 * 1.4826, 12);
  });

  test("is the standard deviation of normal samples, and outliers do not move it", () => {
    const samples = drawn(4001, uniform(3), (random) => 10 + 2 * normal(random));
    expect(robustDeviation(samples) / 2).toBeCloseTo(1, 1);
    expect(robustDeviation(samples.map((value, i) => (i % 10 === 0 ? 1e6 : value))) / 2).toBeLessThan(1.25);
  });
});

describe("tables of the normal distribution and of Student's t", () => {
  // Abramowitz & Stegun, tables 26.1 and 26.10.
  test.each([
    [-4, 3.16712e-5],
    [-3, 0.0013499],
    [-1.96, 0.0249979],
    [-1, 0.15865525],
    [-0.5, 0.30853754],
    [0, 0.5],
    [1, 0.84134475],
    [2.5758293, 0.995],
  ])("P(Z <= %d) is %d", (z, probability) => expect(Math.abs(normalCdf(z) - probability)).toBeLessThan(1e-7));

  test.each([
    [5, 2.5706],
    [6, 2.4469],
    [9, 2.2622],
    [11, 2.201],
    [19, 2.093],
    [39, 2.0227],
    [100, 1.984],
  ])("the point that t with %d degrees of freedom exceeds in one of forty cases is %d", (freedom, point) =>
    expect(Math.abs(t95(freedom) / point - 1)).toBeLessThan(0.005),
  );
});

describe("the slope", () => {
  test("of points on a line is the line's", () => {
    const number = fc.double({ min: -1e3, max: 1e3, noNaN: true });
    fc.assert(
      fc.property(number, number, fc.integer({ min: 1, max: 1000 }), (a, b, n) => {
        const points = [n, 2 * n, 3 * n].map((x) => ({ x, y: a + b * x }));
        expect(Math.abs(slope(points) - b)).toBeLessThan(1e-9 * (1 + Math.abs(a) + Math.abs(b)));
      }),
    );
  });

  test("is the least squares' one, by hand", () => {
    // Sums of products 1.5 · 2 around the means of 2 and 7/3.
    expect(
      slope([
        { x: 1, y: 1 },
        { x: 2, y: 2 },
        { x: 3, y: 4 },
      ]),
    ).toBeCloseTo(1.5, 12);
  });
});

test("the notch is 1.57 interquartile ranges over the root of the count", () => {
  expect(notch([5, 1, 4, 2, 3])).toBeCloseTo((1.57 * 2) / Math.sqrt(5), 12);
  expect(notch([3, 3, 3])).toBe(0);
});

describe("outliers", () => {
  const upTo = (last: number) => Array.from({ length: 9 }, (_, i) => last - 8 + i);

  // Quartiles 3.25 and 7.75 in both cases: the fences are at -3.5 and 14.5, and at -10.25 and 21.25.
  test.each([
    [upTo(9), 14.4, { mild: 0, severe: 0 }],
    [upTo(9), 14.6, { mild: 1, severe: 0 }],
    [upTo(9), 21.2, { mild: 1, severe: 0 }],
    [upTo(9), 21.3, { mild: 0, severe: 1 }],
    [upTo(10), -3.4, { mild: 0, severe: 0 }],
    [upTo(10), -3.6, { mild: 1, severe: 0 }],
    [upTo(10), -10.3, { mild: 0, severe: 1 }],
  ])("by hand: %j and %d", (usual, other, found) =>
    expect(outliers([...usual.slice(0, 4), other, ...usual.slice(4)])).toEqual(found),
  );

  test("are never more than half of the samples, and do not depend on their unit", () => {
    fc.assert(
      fc.property(times(4), fc.integer({ min: -20, max: 20 }), (samples, power) => {
        const found = outliers(samples);
        expect(found.mild + found.severe).toBeLessThanOrEqual(samples.length / 2);
        expect(outliers(samples.map((value) => value * 2 ** power))).toEqual(found);
      }),
    );
  });
});

describe("drift", () => {
  const steady = (random: Random) => drawn(20, random, distributions.normal);

  test("is the later half's median over the earlier's", () => {
    const samples = Array.from({ length: 20 }, (_, i) => (i < 10 ? 1 : 1.2) + i * 1e-4);
    expect(drift(samples)).toBeCloseTo(0.2, 2);
    expect(drift(samples.toReversed())).toBeCloseTo(-1 / 6, 2);
  });

  test("is not seen in steady samples but for 1 % of sets", () => {
    for (const [i, name] of names.entries()) {
      const seen = share(
        2000,
        500 + i,
        (random) => drawn(20, random, distributions[name]),
        (samples) => drift(samples) !== undefined,
      );
      expect(seen, name).toBeLessThanOrEqual(0.015);
    }
  });

  test("of a fifth is found in nine of ten sets under noise of 5 %", () => {
    const found = share(
      500,
      9,
      (random) => steady(random).map((value, i) => (i < 10 ? value : 1.2 * value)),
      (samples) => (drift(samples) ?? 0) > 0,
    );
    expect(found).toBeGreaterThanOrEqual(0.9);
  });

  test("needs ten samples, and a difference", () => {
    expect(drift([1, 1, 1, 1, 2, 2, 2, 2, 2])).toBeUndefined();
    expect(drift(Array.from({ length: 20 }, () => 1))).toBeUndefined();
  });
});

describe("modes", () => {
  const clear = [1, 1.01, 1.02, 0.99, 1, 1.3, 1.29, 1.31, 1.3, 1.32];

  test("are the means of two groups and the share of the slower", () => {
    const found = modes(clear.toSorted(() => -1));
    expect(found?.fast).toBeCloseTo(1.004, 9);
    expect(found?.slow).toBeCloseTo(1.304, 9);
    expect(found?.slowShare).toBe(0.5);
  });

  test.each([
    ["one group", Array.from({ length: 20 }, (_, i) => 1 + 0.001 * i)],
    [
      "a group of less than a fifth",
      [...Array.from({ length: 27 }, (_, i) => 1 + 1e-3 * i), 1.5, 1.51, 1.52],
    ],
    ["groups closer than 3 %", clear.map((value) => 1 + (value - 1) / 12)],
    ["fewer than ten samples", clear.slice(1)],
    ["samples that are all the same", Array.from({ length: 20 }, () => 1)],
  ])("are not seen in %s", (_, samples) => expect(modes(samples)).toBeUndefined());

  test.each([
    [10, 0.02],
    [20, 0.005],
    [40, 0.002],
  ])("are seen in hardly any of 2,000 sets of %d normal samples", (count, most) => {
    const seen = share(
      2000,
      count,
      (random) => drawn(count, random, distributions.normal),
      (samples) => modes(samples) !== undefined,
    );
    expect(seen).toBeLessThanOrEqual(most);
  });

  test.each([
    [10, 0.8],
    [20, 0.98],
    [40, 0.98],
  ])("ten widths apart are found among %d samples", (count, least) => {
    const found = share(
      500,
      count,
      (random) => drawn(count, random, () => (random() < 0.5 ? 1 : 1.1) * (1 + 0.01 * normal(random))),
      (samples) => modes(samples) !== undefined,
    );
    expect(found).toBeGreaterThanOrEqual(least);
  });
});
