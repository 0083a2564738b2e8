// Seeded samples of known distributions, to ask statistics how often they are right.

import { uniform } from "../../src/statistics";

export type Random = () => number;

/** One number of the standard normal distribution (Box & Muller). */
export const normal = (random: Random) =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

/** Distributions whose median is 1. */
export const distributions = {
  normal: (random: Random) => 1 + 0.05 * normal(random),
  skewed: (random: Random) => Math.exp(0.5 * normal(random)),
  /** Student's t of two degrees of freedom: no variance. */
  "heavy-tailed": (random: Random) => 1 + (0.01 * normal(random)) / Math.sqrt(-Math.log(1 - random())),
};
export const names = ["normal", "skewed", "heavy-tailed"] as const;

/** Samples of a distribution. */
export const drawn = (count: number, random: Random, one: (random: Random) => number) =>
  Array.from({ length: count }, () => one(random));

/** How often `holds` of `sets` seeded sets of samples. */
export function share(
  sets: number,
  seed: number,
  draw: (random: Random) => number[],
  holds: (samples: number[]) => boolean,
) {
  const random = uniform(seed);
  let held = 0;
  for (let set = 0; set < sets; set++) held += Number(holds(draw(random)));
  return held / sets;
}
