import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { median, medianInterval, uniform } from "../../src/statistics";
import { distributions, drawn, names, share } from "./distributions";

const times = (minLength: number, maxLength = 40) =>
  fc.array(fc.double({ min: 1e-9, max: 1e3, noNaN: true }), { minLength, maxLength });

describe("the interval of the median", () => {
  const SETS = 500;

  // The ends are samples or lie between two: of ten they can hold 89 % or 98 % and little between, so that the
  // expansion for few samples ends up above 95 % there.
  test.each([
    [10, 0.985],
    [12, 0.985],
    [20, 0.97],
    [40, 0.97],
  ])(
    "of %d samples holds the true one in 93 percent of seeded sets at least, and not in all",
    (count, most) => {
      const held = names.map((name, i) =>
        share(
          SETS,
          1000 * count + i,
          (random) => drawn(count, random, distributions[name]),
          (samples) => {
            const { low, high } = medianInterval(samples);
            return low <= 1 && 1 <= high;
          },
        ),
      );
      expect(Math.min(...held)).toBeGreaterThanOrEqual(0.93);
      expect(held.reduce((sum, each) => sum + each, 0) / held.length).toBeLessThanOrEqual(most);
    },
    60_000,
  );

  test("lies around the samples' own median, and from six on among the samples", () => {
    fc.assert(
      fc.property(times(1, 30), (samples) => {
        const { low, high } = medianInterval(samples);
        const slack = 1e-12 * high;
        expect(low).toBeGreaterThan(0);
        expect(low).toBeLessThanOrEqual(median(samples) + slack);
        expect(high).toBeGreaterThanOrEqual(median(samples) - slack);
        if (samples.length < 6) return;
        expect(low).toBeGreaterThanOrEqual(Math.min(...samples) - slack);
        expect(high).toBeLessThanOrEqual(Math.max(...samples) + slack);
      }),
    );
  });

  test("scales with the samples and does not ask for their order", () => {
    fc.assert(
      fc.property(times(1, 20), fc.integer({ min: -20, max: 20 }), (samples, power) => {
        const { low, high } = medianInterval(samples);
        const scaled = medianInterval(samples.map((value) => value * 2 ** power).reverse());
        // Powers of two change no digit; sums in another order change the last one.
        expect(Math.abs(scaled.low / (low * 2 ** power) - 1)).toBeLessThan(1e-9);
        expect(Math.abs(scaled.high / (high * 2 ** power) - 1)).toBeLessThan(1e-9);
      }),
    );
  });

  test("of two to five samples is Student's: 4.303 / √3 around three of unit variance", () => {
    const { low, high } = medianInterval([11, 9, 10]);
    expect([low, high]).toEqual([expect.closeTo(10 - 4.303 / Math.sqrt(3), 9), expect.closeTo(12.4843, 4)]);
    expect(medianInterval([2])).toEqual({ low: 2, high: 2 });
    expect(() => medianInterval([])).toThrow(RangeError);
  });

  test.each([2, 3, 4, 5])(
    "of %d normal samples holds the true median in 93 to 99 percent of sets",
    (count) => {
      const held = share(
        1000,
        count,
        (random) => drawn(count, random, distributions.normal),
        (samples) => {
          const { low, high } = medianInterval(samples);
          return low <= 1 && 1 <= high;
        },
      );
      expect(held).toBeGreaterThanOrEqual(0.93);
      expect(held).toBeLessThanOrEqual(0.99);
    },
  );

  test("is half as wide with four times the samples", () => {
    const width = (count: number) => {
      const random = uniform(count);
      const widths = Array.from({ length: 60 }, () => {
        const { low, high } = medianInterval(drawn(count, random, distributions.normal));
        return high - low;
      });
      return median(widths);
    };
    expect(width(100) / width(25)).toBeGreaterThan(0.4);
    expect(width(100) / width(25)).toBeLessThan(0.6);
  });
});
