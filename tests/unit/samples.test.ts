// From spans of dispatches to samples: seconds per dispatch.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { roundsOf, type Span, type Spans, samplesOf } from "../../src/timing";

describe("samples", () => {
  const round = (fixed: number, perDispatch: number, n: number): Span[] =>
    [n, 2 * n, 3 * n].map((dispatches) => ({
      dispatches,
      wall: 2 * fixed + 1.5 * perDispatch * dispatches,
      gpu: fixed + perDispatch * dispatches,
    }));
  const spansOf = (rounds: Span[][], setAside: Spans["setAside"] = null): Spans => ({
    kind: "spans",
    spans: rounds.flat(),
    setAside,
  });

  test("are the time per dispatch, whatever a submit costs and in whatever order the spans ran", () => {
    const time = fc.double({ min: 1e-7, max: 1, noNaN: true });
    fc.assert(
      fc.property(time, time, fc.integer({ min: 1, max: 10_000 }), fc.boolean(), (fixed, each, n, turned) => {
        const spans = spansOf([turned ? round(fixed, each, n).toReversed() : round(fixed, each, n)]);
        // The fixed cost may be a million times the slope: that many digits cancel.
        const digits = 1e-12 * (1 + fixed / (n * each));
        expect(Math.abs(samplesOf(spans, "timestamp-query")[0]! / each - 1)).toBeLessThan(digits);
        expect(Math.abs(samplesOf(spans, "wall")[0]! / (1.5 * each) - 1)).toBeLessThan(digits);
      }),
    );
  });

  test("are one per round, in time order", () => {
    const spans = spansOf([round(0, 2, 4), round(1, 3, 8), round(0, 1, 2)]);
    expect(samplesOf(spans, "timestamp-query")).toEqual([2, 3, 1]);
  });

  test("leave out the rounds that were set aside, by either clock", () => {
    const spans = spansOf([round(0, 2, 4), round(1, 3, 8), round(0, 1, 2)], { rounds: 2, reason: "stamps" });
    expect(samplesOf(spans, "timestamp-query")).toEqual([1]);
    expect(samplesOf(spans, "wall")).toEqual([1.5]);
  });

  test("leave out rounds in which a timestamp failed; the wall clock has them", () => {
    const broken = round(0, 2, 4).map((span, i) => (i === 1 ? { ...span, gpu: null } : span));
    const spans = spansOf([broken, round(0, 3, 4)]);
    expect(samplesOf(spans, "timestamp-query")).toEqual([3]);
    expect(samplesOf(spans, "wall")).toEqual([3, 4.5]);
  });

  test("are never zero or negative, however noisy the clock", () => {
    const backwards = round(1, 0, 4).map((span, i) => ({ ...span, gpu: 3 - i }));
    expect(samplesOf(spansOf([backwards]), "timestamp-query")[0]).toBeGreaterThan(0);
  });

  test("come from rounds of three spans; of what was cut off a round is left that gives none", () => {
    const spans = [...round(0, 2, 4), ...round(0, 3, 8).slice(0, 2)];
    expect(roundsOf(spans).map(({ length }) => length)).toEqual([3, 2]);
    expect(roundsOf([])).toEqual([]);
    expect(samplesOf(spansOf([spans]), "timestamp-query")).toEqual([2]);
  });
});
