// Joules per token, at the chip or at the meter: whoever passes the watts says which.

import type { Estimate } from "../estimate";
import { assertEstimate, assertPositive, monotone } from "../interval";
import { type Assumptions, inBaseUnits } from "./assumptions";

/** J per token of hardware that draws so many watts. Throws a RangeError on a figure that cannot be. */
export function joulesPerToken(watts: number, tokensPerSecond: Estimate): Estimate {
  assertPositive("power", watts);
  assertEstimate("tokens per second", tokensPerSecond);
  return monotone((_, down) => watts / down(tokensPerSecond));
}

/** tokens/s/W, which is tokens per joule: the reciprocal of `joulesPerToken`. */
export function tokensPerSecondPerWatt(watts: number, tokensPerSecond: Estimate): Estimate {
  assertPositive("power", watts);
  assertEstimate("tokens per second", tokensPerSecond);
  return monotone((up) => up(tokensPerSecond) / watts);
}

/** $ per token that the electricity alone costs, from J per token at the meter. */
export const energyDollarsPerToken = (joulesPerToken: Estimate, { values }: Assumptions): Estimate =>
  monotone((up) => up(joulesPerToken) * inBaseUnits(values.electricity));
