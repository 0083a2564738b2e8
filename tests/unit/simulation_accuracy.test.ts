// Is the truth found? Asked of the engine's own code on simulated GPUs whose truth is known.

import { describe, expect, test } from "vitest";
import { secondsPerDispatch, statisticsOf } from "../../src/analysis/estimate";
import { quantile } from "../../src/statistics";
import { CELL, costs, measureCell, mixed, openBench } from "../simulation/bench";
import { simulate } from "../simulation/gpu";
import { type Hardware, quiet } from "../simulation/hardware";

const measured = (hardware: Hardware, preset: "quick" | "standard" = "quick") => {
  const simulation = simulate(hardware);
  return simulation.drive(openBench(simulation).then((bench) => measureCell(bench, preset)));
};

const SEEDS = Array.from({ length: 1200 }, (_, i) => i + 1);

test("over 1,200 mixed instruments (seeds 1 to 1200) the cost is found and the interval holds it", async () => {
  const errors: number[] = [];
  let covered = 0;
  for (const seed of SEEDS) {
    const { hardware, truth } = mixed(seed);
    const { median, low, high } = secondsPerDispatch(await measured(hardware));
    errors.push(Math.abs(median / truth - 1));
    if (low <= truth && truth <= high) covered++;
  }
  errors.sort((a, b) => a - b);
  const [middle, worst, coverage] = [quantile(errors, 0.5), quantile(errors, 0.95), covered / SEEDS.length];
  console.info(
    `1,200 simulated cells: median error ${(100 * middle).toFixed(2)} %, 95th percentile ${(100 * worst).toFixed(2)} %, coverage ${(100 * coverage).toFixed(1)} %`,
  );
  expect(middle).toBeLessThanOrEqual(0.005);
  expect(worst).toBeLessThanOrEqual(0.03);
  expect(coverage).toBeGreaterThanOrEqual(0.93);
  expect(coverage).toBeLessThanOrEqual(0.97);
}, 120_000);

test("the same seed gives the same measurement, to the bit", async () => {
  const [a, b] = [await measured(mixed(5).hardware), await measured(mixed(5).hardware)];
  expect(a).toEqual(b);
});

describe("the instruments are found", () => {
  test.each([
    [1e-9, 50e-6, 5e-6],
    [65_536e-9, 2.3e-3, 100e-6],
    [100e-6, 0.1, 5e-6],
    [null, 2.3e-3, 5e-6],
  ])("a quantum of %s s, a floor of %s s and a clock step of %s s", async (quantum, floor, step) => {
    const simulation = simulate({
      ...quiet,
      cost: costs(1e-3),
      noise: 0.01,
      timestampQuantum: quantum,
      completionFloor: floor,
      polled: floor === 0.1,
      clockStep: step,
    });
    const { instruments } = await simulation.drive(openBench(simulation));
    expect(instruments.clockStep).toBeCloseTo(step, 9);
    expect(instruments.completionFloor / floor).toBeGreaterThan(0.5);
    expect(instruments.completionFloor / floor).toBeLessThan(3);
    expect(instruments.dispatchCost).toBeGreaterThan(1.5e-6);
    expect(instruments.dispatchCost).toBeLessThan(floor === 0.1 && quantum === null ? 20e-6 : 4e-6);
    if (quantum === null) expect(instruments.timestampQuantum).toBeNull();
    else expect((instruments.timestampQuantum ?? 0) / quantum).toBeCloseTo(1, 6);
  });
});

const COST = 200e-6;

describe("what hides the truth", () => {
  test("clocks that rise for half a second are waited for", async () => {
    const cell = await measured({ ...quiet, cost: costs(COST), rampSeconds: 0.5, noise: 0.002 }, "standard");
    expect(cell.warmup?.converged).toBe(true);
    expect(Math.abs(secondsPerDispatch(cell).median / COST - 1)).toBeLessThan(0.01);
  });

  test("a cold first run is a figure of its own", async () => {
    const cell = await measured({ ...quiet, cost: costs(COST), firstRunSeconds: 0.05 });
    expect(cell.firstRun?.gpu).toBeGreaterThan(0.05);
    expect(secondsPerDispatch(cell).median).toBeCloseTo(COST, 7);
  });

  test.each(["negative", "zero", "merged"] as const)(
    "%s timestamps in all passes: the wall clock decides and the rounds before are set aside",
    async (kind) => {
      const cell = await measured({
        ...quiet,
        cost: costs(COST),
        noise: 0.002,
        badStamps: { share: 1, kind },
      });
      expect(cell.clock).toBe("wall");
      if (cell.timing.kind !== "spans") throw new Error("no spans");
      expect(cell.timing.setAside).toMatchObject({ reason: expect.stringContaining("made no sense") });
      expect(Math.abs(statisticsOf(cell.timing, "wall").median / COST - 1)).toBeLessThan(0.02);
    },
  );

  test.each(["negative", "zero"] as const)(
    "%s timestamps now and then cost only their rounds",
    async (kind) => {
      const cell = await measured({
        ...quiet,
        cost: costs(COST),
        noise: 0.002,
        badStamps: { share: 0.03, kind },
      });
      expect(cell.clock).toBe("timestamp-query");
      expect(Math.abs(secondsPerDispatch(cell).median / COST - 1)).toBeLessThan(0.01);
    },
  );

  test("noise that will not shrink ends a cell, which says so", async () => {
    const cell = await measured({ ...quiet, cost: costs(COST), noise: 0.3 }, "standard");
    expect(cell.stopped).toBe("noise");
    const calm = await measured({ ...quiet, cost: costs(COST), noise: 0.001 }, "standard");
    expect(calm.stopped).toBe("precise");
  });
});

test("the GPU waits for the harness in under 5 % of the time of 50 µs dispatches", async () => {
  for (const completionFloor of [50e-6, 2.3e-3]) {
    const simulation = simulate({ ...quiet, cost: costs(50e-6), noise: 0.002, completionFloor });
    const cell = await simulation.drive(openBench(simulation).then((bench) => measureCell(bench)));
    if (cell.timing.kind !== "spans") throw new Error("no spans");
    // The rounds are what ran last, but for the fresh run of the check after them.
    const total = cell.timing.spans.reduce((sum, { dispatches }) => sum + dispatches, 0);
    const passes = simulation.machine.executed.filter(({ kernel }) => kernel === CELL.kernel).slice(0, -1);
    let dispatches = 0;
    const rounds = passes.toReversed().filter((pass) => {
      if (dispatches >= total) return false;
      dispatches += pass.dispatches;
      return true;
    });
    const busy = rounds.reduce((sum, { begin, end }) => sum + end - begin, 0);
    const span = rounds[0]!.end - rounds.at(-1)!.begin;
    console.info(
      `idle at 50 µs a dispatch, floor ${completionFloor} s: ${(100 * (1 - busy / span)).toFixed(2)} %`,
    );
    expect(dispatches).toBe(total);
    expect(1 - busy / span).toBeLessThan(0.05);
  }
});
