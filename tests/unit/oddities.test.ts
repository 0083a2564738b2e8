// What is odd about the samples of a cell, and what is not.

import { describe, expect, test } from "vitest";
import { driftOf, odditiesOf } from "../../src/analysis/oddities";
import type { Measurement } from "../../src/result";
import { uniform } from "../../src/statistics";
import { distributions, normal } from "./distributions";
import { measured, timingOf } from "./result_fixture";

const call = { kernel: "matmul", shape: { M: 64, N: 64, K: 64 } } as const;
const cellOf = (samples: readonly number[]): Measurement => measured(call, "f32", samples);

const random = uniform(2026);
/** So many samples around a millisecond. */
const around = (count: number, noise: number) =>
  Array.from({ length: count }, () => 1e-3 * (1 + noise * normal(random)));

/** The cell with its wall clock's spans changed. */
function walled(cell: Measurement, change: (wall: number, i: number) => number): Measurement {
  if (cell.timing.kind !== "spans") throw new Error("the fixture has spans");
  const spans = cell.timing.spans.map((span, i) => ({ ...span, wall: change(span.wall, i) }));
  return { ...cell, timing: { ...cell.timing, spans } };
}

describe("nothing is odd", () => {
  test.each([
    ["about even samples", around(20, 0.005)],
    ["about samples without noise", Array.from({ length: 12 }, () => 1e-3)],
    ["about three samples", [1e-3, 2e-3, 3e-3]],
    ["about one late sample of twenty", [...around(19, 0.005), 3e-3]],
    ["about a coarse clock's steps", Array.from({ length: 20 }, (_, i) => (i % 5 === 0 ? 1.01e-3 : 1e-3))],
    ["about a drift of 2 %", around(40, 0.002).map((time, i) => time * (1 + 0.0005 * i))],
  ])("%s", (_, samples) => expect(odditiesOf(cellOf(samples))).toEqual([]));

  test("in 97 of 100 cells of ten to forty noisy samples, heavy tails included", () => {
    const odd = Array.from({ length: 600 }, (_, i) => {
      const one = i % 2 === 0 ? distributions.normal : distributions["heavy-tailed"];
      const samples = Array.from({ length: 10 + (i % 31) }, () => 1e-3 * Math.max(0.1, one(random)));
      return odditiesOf(cellOf(samples)).length > 0;
    });
    expect(odd.filter(Boolean).length / odd.length).toBeLessThanOrEqual(0.03);
  });

  test("about a wall clock with a fixed cost", () => {
    expect(odditiesOf(walled(cellOf(around(12, 0.002)), (wall) => wall + 0.05))).toEqual([]);
  });

  test("about a wall clock with noise of its own, in 97 of 100 cells", () => {
    const odd = Array.from({ length: 200 }, () =>
      odditiesOf(walled(cellOf(around(12, 0.002)), (wall) => wall * (1 + 0.08 * normal(random)))),
    );
    expect(odd.filter((found) => found.includes("clocks disagree")).length).toBeLessThanOrEqual(6);
  });
});

describe("a drift", () => {
  test("is told with its size, upwards or downwards", () => {
    const samples = around(20, 0.005).map((time, i) => time * (1 + 0.01 * i));
    expect(odditiesOf(cellOf(samples))).toEqual(["drift"]);
    expect(driftOf(cellOf(samples))).toBeGreaterThan(0.07);
    expect(driftOf(cellOf(samples.toReversed()))).toBeLessThan(-0.05);
    expect(driftOf(cellOf(around(20, 0.005)))).toBeUndefined();
  });

  test("is read by the clock of the cell", () => {
    const cell = walled(cellOf(around(20, 0.002)), (wall, i) => wall * (1 + 0.01 * Math.floor(i / 3)));
    expect(driftOf(cell)).toBeUndefined();
    expect(driftOf({ ...cell, clock: "wall" })).toBeGreaterThan(0.07);
  });
});

test("two speeds are told", () => {
  expect(odditiesOf(cellOf(around(20, 0.003).map((time, i) => time * (i % 2 ? 1.1 : 1))))).toEqual([
    "two speeds",
  ]);
});

describe("many interruptions", () => {
  const interrupted = (every: number, times: number) =>
    cellOf(around(20, 0.002).map((time, i) => (i % every === every - 1 ? times * time : time)));

  test("are told from a tenth of the samples on, and only where they are far", () => {
    expect(odditiesOf(interrupted(6, 2))).toEqual(["outliers"]);
    expect(odditiesOf(interrupted(11, 2))).toEqual([]);
    expect(odditiesOf(interrupted(6, 1.04))).toEqual([]);
  });
});

describe("clocks disagree", () => {
  const cell = cellOf(around(12, 0.002));

  test("where their slopes differ by more than 5 %, either way", () => {
    expect(odditiesOf(walled(cell, (wall) => 1.1 * wall))).toEqual(["clocks disagree"]);
    expect(odditiesOf(walled(cell, (wall) => 0.9 * wall))).toEqual(["clocks disagree"]);
    expect(odditiesOf(walled(cell, (wall) => 1.03 * wall))).toEqual([]);
  });

  test("only where timestamps were used", () => {
    expect(odditiesOf({ ...walled(cell, (wall) => 1.1 * wall), clock: "wall" })).toEqual([]);
  });

  test("not because of rounds that were set aside", () => {
    const timing = timingOf(around(12, 0.002));
    const spans = timing.spans.map((span, i) => (i < 18 ? { ...span, wall: 2 * span.wall } : span));
    expect(odditiesOf({ ...cell, timing: { ...timing, spans } })).toContain("clocks disagree");
    const setAside = { rounds: 6, reason: "stamps" };
    expect(odditiesOf({ ...cell, timing: { ...timing, spans, setAside } })).toEqual([]);
  });
});

test("a link's cell says what its result's said", () => {
  const statistics = { count: 10, low: 1, lowerQuartile: 1, median: 1, upperQuartile: 1, high: 1 };
  const timing = { kind: "order-statistics" as const, ...statistics, odd: ["outliers" as const] };
  expect(odditiesOf({ ...cellOf([1e-3]), timing })).toEqual(["outliers"]);
  expect(driftOf({ ...cellOf([1e-3]), timing })).toBeUndefined();
});
