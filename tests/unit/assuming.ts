// Assumptions and powers for tests of economics.

import { type Assumptions, parseAssumptions } from "../../src/analysis/economics/assumptions";
import { type PowerDraw, powerDraw } from "../../src/analysis/economics/hardware";

export const assuming = (text: string): Assumptions => {
  const outcome = parseAssumptions(text);
  if (!outcome.ok) throw new Error(outcome.problem);
  return outcome.assumptions;
};
/** No host, so that the hand's arithmetic is the chip's own. */
export const bare = assuming("host-price=0,host-power=0");
export const rated = (value: number) => ({ value, source: "https://example.org/", quote: `${value} W` });
export function draw(watts: number, assumptions = bare): PowerDraw {
  const power = powerDraw(rated(watts), assumptions);
  if (!power.known) throw new Error(power.missing);
  return power;
}
