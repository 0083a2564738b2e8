// Is a slowed device noticed, and a steady one left alone?

import { expect, test } from "vitest";
import { isThrottled } from "../../src/analysis/throttling";
import type { Measurement } from "../../src/result";
import { measureCell, mixed, openBench } from "../simulation/bench";
import { simulate } from "../simulation/gpu";
import { chance, type Hardware } from "../simulation/hardware";
import { resultOf } from "./result_fixture";

const CELLS = 4;

interface Seen {
  readonly flagged: boolean;
  /** How slow the device truly was when the cell was done. */
  readonly slowness: number;
  readonly cell: Measurement;
}

/** Cells in a row on one device, with what the reference kernel says of each in the end. */
async function run(given: Hardware, slowness: (sinceReady: number) => number = () => 1): Promise<Seen[]> {
  // Before the first reading of the reference kernel there is nothing that a device could be slower than.
  let ready = Number.POSITIVE_INFINITY;
  const hardware = { ...given, slowness: (time: number) => slowness(Math.max(0, time - ready)) };
  const simulation = simulate(hardware);
  const measured: { cell: Measurement; slowness: number }[] = [];
  const reference = await simulation.drive(
    (async () => {
      const bench = await openBench(simulation, true);
      for (let i = 0; i < CELLS; i++) {
        const cell = await measureCell(bench);
        ready = Math.min(ready, simulation.clock.exact);
        measured.push({ cell, slowness: hardware.slowness(simulation.clock.exact) });
      }
      return bench.reference?.record ?? null;
    })(),
  );
  const result = { ...resultOf(), reference };
  return measured.map(({ cell, slowness }) => ({ cell, slowness, flagged: isThrottled(result, cell) }));
}

const seeds = (first: number) => Array.from({ length: 150 }, (_, i) => first + i);

test("steady devices are left alone: at most 2 % false alarms (seeds 3001 to 3150)", async () => {
  const seen: Seen[] = [];
  for (const seed of seeds(3001)) seen.push(...(await run(mixed(seed).hardware)));
  const alarms = seen.filter(({ flagged }) => flagged).length / seen.length;
  console.info(`false alarms in ${seen.length} steady cells: ${(100 * alarms).toFixed(2)} %`);
  expect(alarms).toBeLessThanOrEqual(0.02);
}, 120_000);

test.each(["a step", "a slow decay"])(
  "%s of 10 percent or more is flagged in at least 95 percent of cells (seeds 4001 to 4150)",
  async (kind) => {
    const seen: Seen[] = [];
    for (const seed of seeds(4001)) {
      const { hardware } = mixed(seed);
      const { random } = chance(seed * 104_729);
      const [begin, depth] = [3 * random(), 0.1 + 0.4 * random()];
      const share = (time: number) =>
        kind === "a step" ? Number(time > begin) : Math.min(1, Math.max(0, (time - begin) / 10));
      seen.push(...(await run(hardware, (time) => 1 + depth * share(time))));
    }
    const slow = seen.filter((each) => each.slowness >= 1.1);
    const found = slow.filter(({ flagged }) => flagged).length / slow.length;
    console.info(`${kind}: ${(100 * found).toFixed(1)} % of ${slow.length} throttled cells flagged`);
    expect(slow.length).toBeGreaterThan(100);
    expect(found).toBeGreaterThanOrEqual(0.95);
  },
  120_000,
);

test("a device that is throttled for a while is left to rest and the cell measured again", async () => {
  const { hardware } = mixed(7);
  const simulation = simulate({
    ...hardware,
    timestampQuantum: 1e-9,
    noise: 0.002,
    slowness: (time) => (time > 1.5 && time < 3 ? 1.6 : 1),
  });
  const cells = await simulation.drive(
    openBench(simulation, true).then(async (bench) => [await measureCell(bench), await measureCell(bench)]),
  );
  expect(cells.some(({ repeats }) => repeats > 0)).toBe(true);
});
