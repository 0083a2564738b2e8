// Are verdicts right? Pairs of cells on simulated GPUs: the same, or one of them slower by a known share.

import { expect, test } from "vitest";
import { ratioOf, type Verdict } from "../../src/analysis/compare";
import { secondsPerDispatch } from "../../src/analysis/estimate";
import { costs, measureCell, mixed, openBench } from "../simulation/bench";
import { simulate } from "../simulation/gpu";
import { type Hardware, quiet } from "../simulation/hardware";

const measured = (hardware: Hardware) => {
  const simulation = simulate(hardware);
  return simulation.drive(openBench(simulation).then((bench) => measureCell(bench)));
};

/** How often each verdict is given on B against A, B being slower by `share`. */
async function verdicts(
  seeds: readonly number[],
  hardwareOf: (seed: number) => { hardware: Hardware; truth: number },
  share: number,
): Promise<Record<Verdict, number>> {
  const counts: Record<Verdict, number> = { faster: 0, slower: 0, same: 0, "cannot tell": 0 };
  for (const seed of seeds) {
    const { hardware, truth } = hardwareOf(seed);
    const a = await measured(hardware);
    // Another seed for the noise, the same device.
    const b = await measured({ ...hardware, seed: seed + 1e6, cost: costs(truth * (1 + share)) });
    counts[ratioOf(secondsPerDispatch(a), secondsPerDispatch(b)).verdict] += 1 / seeds.length;
  }
  return counts;
}

const seeds = (first: number, count: number) => Array.from({ length: count }, (_, i) => first + i);
const noisy = (noise: number) => (seed: number) => ({
  truth: 150e-6,
  hardware: { ...quiet, seed, cost: costs(150e-6), noise, heavyShare: 0.05 },
});
const shown = (what: string, counts: Record<Verdict, number>) =>
  console.info(
    `${what}: ${Object.entries(counts)
      .map(([verdict, share]) => `${verdict} ${(100 * share).toFixed(1)} %`)
      .join(", ")}`,
  );

test("A/A on mixed instruments: at most 2 % wrong (seeds 5001 to 5400)", async () => {
  const counts = await verdicts(seeds(5001, 400), mixed, 0);
  shown("A/A", counts);
  expect(counts.faster + counts.slower).toBeLessThanOrEqual(0.02);
  expect(counts.same).toBeGreaterThan(0.3);
}, 120_000);

test("a slow-down of 5 % at 1 % noise is found in at least 95 % (seeds 6001 to 6300)", async () => {
  const counts = await verdicts(seeds(6001, 300), noisy(0.01), 0.05);
  shown("5 % slower at 1 % noise", counts);
  expect(counts.slower).toBeGreaterThanOrEqual(0.95);
  expect(counts.faster).toBe(0);
}, 120_000);

test("at 10 % noise the answer is mostly that it cannot be told, and at most 2 % wrong (seeds 7001 to 7300)", async () => {
  for (const share of [0, 0.05]) {
    const counts = await verdicts(seeds(7001, 300), noisy(0.1), share);
    shown(`${100 * share} % slower at 10 % noise`, counts);
    expect(counts["cannot tell"]).toBeGreaterThan(0.5);
    const wrong = counts.faster + (share === 0 ? counts.slower : counts.same);
    expect(wrong).toBeLessThanOrEqual(0.02);
  }
}, 120_000);
