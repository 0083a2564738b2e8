// Estimates for property tests, and how two of them are compared.

import fc from "fast-check";
import { expect } from "vitest";
import type { Estimate } from "../../src/analysis/estimate";

/** Positive figures with an interval, over many orders of magnitude. */
export const estimates = (min = 1e-6, max = 1e9): fc.Arbitrary<Estimate> =>
  fc
    .tuple(
      fc.double({ min: Math.log(min), max: Math.log(max), noNaN: true }),
      fc.double({ min: 0, max: 0.9, noNaN: true }),
      fc.double({ min: 0, max: 3, noNaN: true }),
    )
    .map(([log, down, up]) => {
      const value = Math.exp(log);
      return { value, low: value * (1 - down), high: value * (1 + up) };
    });

const near = (a: number, b: number) => Math.abs(a - b) <= 1e-9 * Math.max(Math.abs(a), Math.abs(b));

export function expectNear(actual: Estimate, expected: Estimate): void {
  for (const end of ["value", "low", "high"] as const)
    expect(near(actual[end], expected[end]), `${end}: ${actual[end]} for ${expected[end]}`).toBe(true);
}

/** No end of one is above that of the other, but for rounding. */
export function expectNotAbove(lower: Estimate, upper: Estimate): void {
  for (const end of ["value", "low", "high"] as const)
    expect(lower[end]).toBeLessThanOrEqual(upper[end] * (1 + 1e-9));
}

/** What no price, power or speed can be. */
export const absurd = [Number.NaN, -1, 0, Number.POSITIVE_INFINITY];
