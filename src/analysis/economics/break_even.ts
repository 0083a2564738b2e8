// When own hardware has paid for itself against an API that charges by the token.

import type { Estimate } from "../estimate";
import { assertEstimate, assertNotNegative, assertPositive, monotone } from "../interval";
import { type Assumptions, inBaseUnits } from "./assumptions";

/** What an API charges. $ per token. */
export interface TokenPrices {
  readonly input: number;
  readonly output: number;
}

/** Own hardware on one kind of request. */
export interface OwnHardware {
  /** $ paid once, the host's share included. */
  readonly dollars: number;
  /** At the meter, while it works. */
  readonly watts: number;
  /** Of its time that one request takes: with batching, its share of it. */
  readonly secondsPerRequest: Estimate;
}

/** `cannot-tell`: it pays at one end of the interval and loses at the other. */
export type BreakEven =
  | {
      readonly verdict: "pays-off";
      readonly requests: Estimate;
      /** At the assumed utilisation. */
      readonly seconds: Estimate;
      readonly withinLifetime: "yes" | "no" | "cannot-tell";
      /** $ that each request saves. */
      readonly saved: Estimate;
    }
  | { readonly verdict: "never"; readonly saved: Estimate }
  | { readonly verdict: "cannot-tell"; readonly saved: Estimate };

/**
 * Requests until hardware has paid for itself: dollars / (API's price - own electricity), and the time that takes:
 * requests · secondsPerRequest / utilisation. An API that charges less than the electricity is never overtaken.
 * Throws a RangeError on a figure that cannot be.
 */
export function breakEven(
  tokens: { readonly input: number; readonly output: number },
  api: TokenPrices,
  own: OwnHardware,
  { values }: Assumptions,
): BreakEven {
  assertNotNegative("input tokens", tokens.input);
  assertNotNegative("output tokens", tokens.output);
  assertNotNegative("API price of input", api.input);
  assertNotNegative("API price of output", api.output);
  assertPositive("price of the hardware", own.dollars);
  assertPositive("power", own.watts);
  assertEstimate("seconds per request", own.secondsPerRequest);
  const dollarsPerJoule = inBaseUnits(values.electricity);
  const charged = tokens.input * api.input + tokens.output * api.output;
  const savedAt = (seconds: number) => charged - seconds * own.watts * dollarsPerJoule;
  const saved = monotone((_, down) => savedAt(down(own.secondsPerRequest)));
  if (saved.high <= 0) return { verdict: "never", saved };
  if (saved.low <= 0) return { verdict: "cannot-tell", saved };
  const requests = monotone((up) => own.dollars / savedAt(up(own.secondsPerRequest)));
  const seconds = monotone((up) => {
    const perRequest = up(own.secondsPerRequest);
    return ((own.dollars / savedAt(perRequest)) * perRequest) / inBaseUnits(values.utilisation);
  });
  const lifetime = inBaseUnits(values.lifetime);
  const withinLifetime = seconds.high <= lifetime ? "yes" : seconds.low > lifetime ? "no" : "cannot-tell";
  return { verdict: "pays-off", requests, seconds, withinLifetime, saved };
}
