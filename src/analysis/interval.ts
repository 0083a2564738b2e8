// Intervals through formulae: exact where the formula is monotone in each estimate, which all of economics is.

import type { Estimate } from "./estimate";

/** A figure without doubt. */
export const exactly = (value: number): Estimate => ({ value, low: value, high: value });

/**
 * A formula of estimates with its exact interval. The formula reads through `up` each estimate that it rises with and
 * through `down` each that it falls with; what it reads through the wrong one, or through both, has no meaning.
 */
export function monotone(
  formula: (up: (estimate: Estimate) => number, down: (estimate: Estimate) => number) => number,
): Estimate {
  const value = (estimate: Estimate) => estimate.value;
  const low = (estimate: Estimate) => estimate.low;
  const high = (estimate: Estimate) => estimate.high;
  return { value: formula(value, value), low: formula(low, high), high: formula(high, low) };
}

/** Throws a RangeError that names the figure unless it is a finite number above zero. */
export function assertPositive(name: string, value: number): void {
  if (!Number.isFinite(value) || value <= 0)
    throw new RangeError(`${name} is ${value}: it has to be a number above zero`);
}

/** Throws a RangeError that names the figure unless it is a finite number, zero or more. */
export function assertNotNegative(name: string, value: number): void {
  if (!Number.isFinite(value) || value < 0)
    throw new RangeError(`${name} is ${value}: it has to be zero or more`);
}

/** Throws a RangeError unless 0 < low <= value <= high, all of them finite. */
export function assertEstimate(name: string, { value, low, high }: Estimate): void {
  assertPositive(name, low);
  assertPositive(name, high);
  if (!(low <= value && value <= high))
    throw new RangeError(`${name} is ${value} within ${low} … ${high}: it has to lie in its own interval`);
}
