// Dollars per token and tokens per dollar. Reading and writing are priced apart: they run at different speeds.

import type { Estimate } from "../estimate";
import { assertEstimate, assertNotNegative, assertPositive, monotone } from "../interval";

/** $ per token of hardware that makes so many tokens per second. Throws a RangeError on a figure that cannot be. */
export function dollarsPerToken(dollarsPerSecond: number, tokensPerSecond: Estimate): Estimate {
  assertPositive("dollars per second", dollarsPerSecond);
  assertEstimate("tokens per second", tokensPerSecond);
  return monotone((_, down) => dollarsPerSecond / down(tokensPerSecond));
}

/** The reciprocal of `dollarsPerToken`, its ends swapped. */
export function tokensPerDollar(dollarsPerSecond: number, tokensPerSecond: Estimate): Estimate {
  assertPositive("dollars per second", dollarsPerSecond);
  assertEstimate("tokens per second", tokensPerSecond);
  return monotone((up) => up(tokensPerSecond) / dollarsPerSecond);
}

/** $ of one request: tokens read anew and tokens written, each at its own cost. */
export function dollarsPerRequest(
  tokens: { readonly input: number; readonly output: number },
  dollarsPerToken: { readonly input: Estimate; readonly output: Estimate },
): Estimate {
  assertNotNegative("input tokens", tokens.input);
  assertNotNegative("output tokens", tokens.output);
  return monotone(
    (up) => tokens.input * up(dollarsPerToken.input) + tokens.output * up(dollarsPerToken.output),
  );
}
