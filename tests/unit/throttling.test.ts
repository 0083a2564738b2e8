// Was the device slower than usual around a cell? Asked of readings whose truth is known.

import { describe, expect, test } from "vitest";
import { isSlowed, isThrottled, slowdown, wander } from "../../src/analysis/throttling";
import type { Measurement, Result } from "../../src/result";
import { median, uniform } from "../../src/statistics";
import { normal } from "./distributions";
import { exactSeconds, measured, resultOf } from "./result_fixture";

const call = { kernel: "matmul", shape: { M: 64, N: 64, K: 64 } } as const;
const exact = exactSeconds(call, "f32");
const steady = measured(
  call,
  "f32",
  Array.from({ length: 20 }, () => exact),
);

/** A cell between two readings. */
const between = (before: number, after: number): Measurement => ({ ...steady, readings: [before, after] });

interface Device {
  readonly readings: number;
  /** Of each of five samples in a reading, as a standard deviation. */
  readonly noise?: number;
  readonly seed?: number;
  /** How many times slower than usual the device is at a reading. */
  readonly slowness?: (reading: number) => number;
}

function resultWith({ readings, noise = 0, seed = 1, slowness = () => 1 }: Device): Result {
  const random = uniform(seed);
  return {
    ...resultOf({ words: "dtype=f32" }),
    reference: {
      call: { kernel: "fma", shape: { invocations: 64, chains: 4, steps: 256 } },
      readings: Array.from({ length: readings }, (_, i) => {
        const speed = 5e-4 * slowness(i);
        return { at: i, samples: Array.from({ length: 5 }, () => speed * (1 + noise * normal(random))) };
      }),
    },
  };
}

describe("the slowdown around a cell", () => {
  const result = resultWith({ readings: 12, slowness: (i) => (i === 7 ? 1.3 : i === 2 ? 1.1 : 1) });

  test("is that of the slower of its two readings, against the best of the run", () => {
    expect(slowdown(result, between(6, 7))).toBeCloseTo(0.3, 9);
    expect(slowdown(result, between(7, 8))).toBeCloseTo(0.3, 9);
    expect(slowdown(result, between(2, 3))).toBeCloseTo(0.1, 9);
    expect(slowdown(result, between(4, 5))).toBeCloseTo(0, 9);
  });

  test("is not known without readings, nor for readings that are not there", () => {
    expect(slowdown(result, steady)).toBeUndefined();
    expect(slowdown({ ...result, reference: null }, between(6, 7))).toBeUndefined();
    expect(slowdown(result, between(11, 12))).toBeUndefined();
    expect([isSlowed(result, steady), isSlowed(result, between(11, 12))]).toEqual([false, false]);
  });

  test("is measured against the best even where most of the run was slow", () => {
    const mostly = resultWith({ readings: 20, slowness: (i) => (i < 4 ? 1 : 1.4) });
    expect(slowdown(mostly, between(10, 11))).toBeCloseTo(0.4, 9);
  });

  test("does not take a single lucky reading for the usual speed", () => {
    const lucky = resultWith({ readings: 20, slowness: (i) => (i === 5 ? 0.8 : 1) });
    expect(slowdown(lucky, between(10, 11))).toBeCloseTo(0, 9);
  });
});

describe("a cell is called slowed", () => {
  test("from 10 % on, and not at 4 %", () => {
    const of = (slowness: number) =>
      isSlowed(resultWith({ readings: 12, slowness: (i) => (i > 5 ? slowness : 1) }), between(8, 9));
    expect([of(1.04), of(1.1), of(1.5)]).toEqual([false, true, true]);
  });

  test.each([0.005, 0.01, 0.015, 0.02])(
    "when it is by a tenth, under noise of %d, in nine of ten runs",
    (noise) => {
      const found = Array.from({ length: 200 }, (_, seed) =>
        isSlowed(
          resultWith({ readings: 24, noise, seed, slowness: (i) => (i > 11 ? 1.1 : 1) }),
          between(18, 19),
        ),
      );
      expect(found.filter(Boolean).length / found.length).toBeGreaterThanOrEqual(0.9);
    },
  );

  // Dozens of readings: the best of them are best by luck.
  test.each([0.005, 0.01, 0.02, 0.03, 0.05, 0.1])(
    "in hardly any of 1,500 steady cells where samples have noise of %d",
    (noise) => {
      const alarms = Array.from({ length: 50 }, (_, seed) => {
        const result = resultWith({ readings: 60, noise, seed });
        return Array.from({ length: 30 }, (_, i) => isSlowed(result, between(2 * i, 2 * i + 1)));
      }).flat();
      expect(alarms).toHaveLength(1500);
      expect(alarms.filter(Boolean).length / alarms.length).toBeLessThanOrEqual(0.01);
    },
  );
});

describe("a cell is called throttled", () => {
  const result = resultWith({ readings: 12, slowness: (i) => (i > 5 ? 1.2 : 1) });
  const drifting = measured(
    call,
    "f32",
    Array.from({ length: 20 }, (_, i) => exact * (1 + 0.01 * i)),
  );

  test("where the device was slowed down around it", () => {
    expect(isThrottled(result, between(0, 1))).toBe(false);
    expect(isThrottled(result, between(4, 6))).toBe(true);
  });

  test("where its own samples became slower, whatever the readings say", () => {
    expect(isThrottled(result, { ...drifting, readings: [0, 1] })).toBe(true);
    expect(isSlowed(result, { ...drifting, readings: [0, 1] })).toBe(false);
    expect(isThrottled(result, { ...drifting, readings: null })).toBe(true);
  });
});

describe("the wander of a device's speed", () => {
  test.each([0.01, 0.03])("of %d is found to within a third, through a noise of one percent", (truth) => {
    const found = Array.from({ length: 40 }, (_, seed) => {
      const random = uniform(1000 + seed);
      return wander(
        resultWith({ readings: 60, noise: 0.01, seed, slowness: () => 1 + truth * normal(random) }),
      );
    });
    expect(median(found) / truth).toBeGreaterThan(0.67);
    expect(median(found) / truth).toBeLessThan(1.33);
  });

  test("is next to nothing where samples are noisy and the device is not", () => {
    const found = Array.from({ length: 40 }, (_, seed) =>
      wander(resultWith({ readings: 60, noise: 0.02, seed })),
    );
    expect(median(found)).toBeLessThan(0.005);
  });

  test("is not moved by a slow cell or two, and not known from three readings", () => {
    const slowness = (i: number) => (i === 3 || i === 4 ? 2 : 1 + 0.001 * i);
    expect(wander(resultWith({ readings: 30, slowness }))).toBeLessThan(0.02);
    expect(wander(resultWith({ readings: 3, slowness: (i) => 1 + i }))).toBe(0);
    expect(wander({ ...resultOf(), reference: null })).toBe(0);
  });
});
