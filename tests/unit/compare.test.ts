// Two results side by side: what differs, what became of each cell, and the whole.

import { describe, expect, test } from "vitest";
import { type Comparison, compareResults } from "../../src/analysis/compare";
import type { Measurement, Outcome, Result } from "../../src/result";
import { uniform } from "../../src/statistics";
import { normal } from "./distributions";
import { copyOf, exactSeconds, type Fixture, referenceOf, resultOf, timingOf } from "./result_fixture";

const WORDS = "dtype=f32 pp=512 tg=128";
const CELLS = 11;
const MATMUL = "matmul 512x3072x2048";

/** A run whose noise has a seed, on a device that takes `slower` times as long. */
function run(seed: number, slower = 1, noise = 0.005, words = WORDS): Result {
  const random = uniform(seed);
  const samples: Fixture["samples"] = (call, dtype) =>
    Array.from({ length: 16 }, () => slower * exactSeconds(call, dtype) * (1 + noise * normal(random)));
  return resultOf({ words, samples });
}

/** A run in which one call's cell is different. */
function changed(result: Result, change: (cell: Measurement) => Outcome, kernel = "matmul"): Result {
  let done = false;
  const outcomes = result.outcomes.map((outcome): Outcome => {
    if (done || outcome.call.kernel !== kernel || outcome.status !== "measured") return outcome;
    done = true;
    return change(outcome);
  });
  return { ...result, outcomes };
}

const verdictsOf = ({ cells }: Comparison) => cells.map(({ ratio }) => ratio.verdict);
const cellOf = ({ cells }: Comparison, name: string) => cells.find((cell) => cell.name === name)!;

describe("two runs of the same", () => {
  const comparison = compareResults(run(1), run(2));

  test("have the calls of the plan as cells, and not the probes", () => {
    expect(comparison.cells).toHaveLength(CELLS);
    expect(new Set(comparison.cells.map(({ name }) => name.split(" ")[0]))).toEqual(
      new Set(["matmul", "attention", "matvec"]),
    );
    expect([comparison.onlyA, comparison.onlyB, comparison.differences]).toEqual([[], [], []]);
  });

  test("are the same, cell by cell and as a whole", () => {
    expect(verdictsOf(comparison)).toEqual(Array.from({ length: CELLS }, () => "same"));
    expect(comparison.overall?.cells).toBe(CELLS);
    expect(comparison.overall?.ratio.verdict).toBe("same");
    for (const { doubt, remarks } of comparison.cells) expect([doubt, remarks]).toEqual([undefined, []]);
  });

  test("a result against itself has ratios of exactly one", () => {
    const { cells, overall } = compareResults(run(1), run(1));
    expect(new Set(cells.map(({ ratio }) => ratio.value))).toEqual(new Set([1]));
    expect(overall?.ratio.value).toBe(1);
  });
});

describe("a slower run", () => {
  const there = compareResults(run(1), run(2, 1.07));
  const back = compareResults(run(2, 1.07), run(1));

  test("is found slower in every cell and as a whole, by how much it is", () => {
    expect(verdictsOf(there)).toEqual(Array.from({ length: CELLS }, () => "slower"));
    expect(there.overall?.ratio.verdict).toBe("slower");
    expect(there.overall?.ratio.value).toBeCloseTo(1.07, 2);
    expect(there.overall?.ratio.low).toBeLessThan(1.07);
    expect(there.overall?.ratio.high).toBeGreaterThan(1.07);
  });

  test("is the mirror of the faster one", () => {
    expect(verdictsOf(back)).toEqual(Array.from({ length: CELLS }, () => "faster"));
    expect(back.overall!.ratio.value * there.overall!.ratio.value).toBeCloseTo(1, 12);
    expect(back.overall!.ratio.low * there.overall!.ratio.high).toBeCloseTo(1, 12);
    back.cells.forEach((cell, i) => {
      expect(cell.a).toEqual(there.cells[i]!.b);
      expect(cell.ratio.low * there.cells[i]!.ratio.high).toBeCloseTo(1, 12);
    });
  });

  test("as a whole is known better than each of its cells", () => {
    const width = ({ low, high }: { low: number; high: number }) => Math.log(high / low);
    const steady = (result: Result) => ({ ...result, reference: referenceOf(28, 0) });
    const { cells, overall } = compareResults(steady(run(1)), steady(run(2)));
    const narrowest = Math.min(...cells.map(({ ratio }) => width(ratio)));
    expect(width(overall!.ratio)).toBeLessThan(narrowest);
  });
});

test("the whole is the geometric mean of the cells", () => {
  const b = changed(run(1, 1, 0), (cell) => ({ ...cell, pieces: 2 }));
  const { cells, overall } = compareResults(run(1, 1, 0), b);
  expect(cells.filter(({ ratio }) => ratio.verdict === "slower")).toHaveLength(1);
  expect(overall?.ratio.value).toBeCloseTo(2 ** (1 / CELLS), 9);
});

describe("a cell that cannot be trusted is not judged, and the reason is given", () => {
  const slowed = (result: Result): Result => {
    const readings = referenceOf(28).readings.map(({ at, samples }, i) => ({
      at,
      samples: samples.map((sample) => (i === 6 ? 1.3 * sample : sample)),
    }));
    return { ...result, reference: { ...referenceOf(28), readings } };
  };
  const hidden = (result: Result) => changed(result, (cell) => ({ ...cell, hidden: true }));
  const drifting = (result: Result) =>
    changed(result, (cell) => ({
      ...cell,
      timing: timingOf(Array.from({ length: 20 }, (_, i) => exactSeconds(cell.call, "f32") * (1 + 0.01 * i))),
    }));
  const single = (result: Result) =>
    changed(result, (cell) => ({ ...cell, timing: timingOf([exactSeconds(cell.call, "f32")]) }));
  const byWall = (result: Result) => changed(result, (cell) => ({ ...cell, clock: "wall" }));

  test.each<[what: string, a: Result, b: Result, doubt: string]>([
    ["slowed down in B", run(1), slowed(run(2, 1.2)), "the device of B was slowed down meanwhile"],
    ["slowed down in A", slowed(run(1)), run(2, 1.2), "the device of A was slowed down meanwhile"],
    ["hidden in B", run(1), hidden(run(2, 1.2)), "the page of B was hidden meanwhile"],
    ["hidden in A", hidden(run(1)), run(2, 1.2), "the page of A was hidden meanwhile"],
    ["drifting in B", run(1), drifting(run(2, 1.2)), "the speed of B changed meanwhile"],
    ["a single sample in A", single(run(1)), run(2, 1.2), "A is a single sample"],
    ["timed by other clocks", run(1), byWall(run(2, 1.2)), "timed by timestamp-query in A and by wall in B"],
  ])("%s", (_, a, b, doubt) => {
    const comparison = compareResults(a, b);
    expect(cellOf(comparison, MATMUL)).toMatchObject({ doubt, ratio: { verdict: "cannot tell" } });
    const others = comparison.cells.filter(({ name }) => name !== MATMUL);
    expect(new Set(others.map(({ ratio }) => ratio.verdict))).toEqual(new Set(["slower"]));
    expect(comparison.overall).toMatchObject({ cells: CELLS - 1, ratio: { verdict: "slower" } });
  });

  test("where every cell is doubtful there is no whole", () => {
    const b = run(2);
    const outcomes = b.outcomes.map((each) => ({
      ...each,
      ...(each.status === "measured" && { hidden: true }),
    }));
    expect(compareResults(run(1), { ...b, outcomes }).overall).toBeUndefined();
  });
});

describe("noise", () => {
  test("is no verdict", () => {
    const { cells } = compareResults(run(1, 1, 0.1), run(2, 1.03, 0.1));
    expect(cells.filter(({ ratio }) => ratio.verdict === "cannot tell").length).toBeGreaterThan(CELLS / 2);
  });

  test("of a device whose own speed wandered widens every interval, and averaging does not help", () => {
    const wandering = (result: Result, seed: number): Result => {
      const random = uniform(seed);
      const readings = referenceOf(28).readings.map(({ at, samples }) => {
        const speed = 1 + 0.015 * normal(random);
        return { at, samples: samples.map((sample) => sample * speed) };
      });
      return { ...result, reference: { ...referenceOf(28), readings } };
    };
    const found = compareResults(wandering(run(1), 5), wandering(run(2, 1.03), 6));
    expect(found.wandering).toBeGreaterThan(0.01);
    // Of one side alone, of the other alone, and of both.
    const [steady, one, other] = [run(1), wandering(run(1), 5), wandering(run(2, 1.03), 6)];
    const [ofA, ofB] = [compareResults(one, steady).wandering, compareResults(steady, other).wandering];
    expect(Math.min(ofA, ofB)).toBeGreaterThan(0.008);
    expect(found.wandering).toBeCloseTo(Math.hypot(ofA, ofB), 3);
    expect(found.overall?.ratio.verdict).toBe("cannot tell");
    expect(compareResults(run(1), run(2, 1.03)).overall?.ratio.verdict).toBe("slower");
  });
});

describe("what may explain a difference is remarked and does not stop a verdict", () => {
  const timed = (cell: Measurement, shares: readonly number[]) =>
    timingOf(shares.map((share) => share * exactSeconds(cell.call, "f32")));

  test.each<[what: string, change: (cell: Measurement) => Measurement, remark: string]>([
    [
      "another tuning",
      (cell) => ({ ...cell, tuning: "8x8 of 4x4 direct" }),
      "tuned as 16x16 of 4x4 staged 4 in A and as 8x8 of 4x4 direct in B",
    ],
    ["other parts", (cell) => ({ ...cell, pieces: 7.98406 }), "measured whole in A and 1 of 7.98 parts in B"],
    [
      "two speeds",
      (cell) => ({
        ...cell,
        timing: timed(
          cell,
          Array.from({ length: 20 }, (_, i) => (i % 2 ? 2.2 : 2) + 0.002 * (i % 5)),
        ),
      }),
      "B ran at two speeds",
    ],
    [
      "interruptions",
      (cell) => ({
        ...cell,
        timing: timed(
          cell,
          Array.from({ length: 20 }, (_, i) => (i % 6 === 5 ? 9 : 2 + 0.002 * (i % 5))),
        ),
      }),
      "B was interrupted often",
    ],
  ])("%s", (_, change, remark) => {
    const cell = cellOf(compareResults(run(1), changed(run(2, 2), change)), MATMUL);
    expect(cell.remarks).toEqual([remark]);
    expect(cell.doubt).toBeUndefined();
    expect(cell.ratio.verdict).toBe("slower");
  });
});

describe("cells of one side only", () => {
  test("are named with what became of them on the other", () => {
    const b = changed(
      changed(
        run(2, 1, 0.005, "dtype=f32 pp=512 tg=0"),
        ({ call, dtype }) => ({ status: "failed", call, dtype, error: "element (3, 5) is wrong" }),
        "attention",
      ),
      ({ call, dtype }) => ({ status: "skipped", call, dtype, reason: "no memory" }),
    );
    const { cells, onlyA, onlyB } = compareResults(run(1), b);
    expect(onlyB).toEqual([]);
    expect(cells).toHaveLength(4);
    expect(onlyA).toHaveLength(CELLS - 4);
    expect(onlyA.slice(0, 2)).toEqual([
      { name: `${MATMUL} f32`, elsewhere: "skipped: no memory", failed: false },
      {
        name: "attention 1x512x512x32x8x64x512 f32",
        elsewhere: "failed: element (3, 5) is wrong",
        failed: true,
      },
    ]);
    expect(new Set(onlyA.slice(2).map(({ elsewhere }) => elsewhere))).toEqual(new Set(["not measured"]));
    expect(compareResults(b, run(1)).onlyB).toEqual(onlyA);
  });

  test("two results without a common cell have no whole", () => {
    const { cells, onlyA, onlyB, overall } = compareResults(
      run(1, 1, 0.005, "dtype=f32 pp=0 tg=128"),
      run(2, 1, 0.005, "dtype=f16 pp=0 tg=128"),
    );
    expect([cells, overall]).toEqual([[], undefined]);
    expect([onlyA.length, onlyB.length]).toEqual([6, 6]);
  });
});

describe("what differs beside the times", () => {
  const of = (change: (result: ReturnType<typeof copyOf>) => void) => {
    const b = copyOf(run(1));
    change(b);
    return compareResults(run(1), b).differences;
  };

  test.each<[what: string, change: (result: ReturnType<typeof copyOf>) => void, a: string, b: string]>([
    [
      "device",
      (b) => (b.device.description = "Other GPU"),
      "nvidia ada Made-Up GPU 1000",
      "nvidia ada Other GPU",
    ],
    ["adapter", (b) => (b.device.software = "it is"), "discrete GPU", "a CPU"],
    [
      "features",
      (b) => (b.device.features = ["subgroups"]),
      "shader-f16, subgroups, timestamp-query",
      "subgroups",
    ],
    ["kind of host", (b) => (b.host.kind = "node"), "browser", "node"],
    ["logical cores", (b) => (b.host.logicalCores = 4), "16", "4"],
    ["cross-origin isolated", (b) => (b.host.crossOriginIsolated = false), "yes", "no"],
    ["GPU timestamps", (b) => (b.instruments.timestampQuantum = null), "yes", "no"],
    ["Tokenroof", (b) => (b.tool.commit = "abcdef0"), "0.1.0 (3f81053)", "0.1.0 (abcdef0)"],
    ["preset", (b) => (b.plan.preset = "quick"), "standard", "quick"],
    ["load before sustained times", (b) => (b.plan.sustain = 10), "0 s", "10 s"],
    ["memory for weights", (b) => (b.plan.memory = 2 ** 29), "1024 MiB", "512 MiB"],
    [
      "weights in memory",
      (b) => (b.residency[0].layers = 4),
      "llama-3.2-1b f32: 1024 MiB, 16 of 16 layers",
      "llama-3.2-1b f32: 1024 MiB, 4 of 16 layers",
    ],
    ["completion", (b) => (b.completion = { status: "partial", reason: "cancelled" }), "complete", "partial"],
  ])("is told: %s", (what, change, a, b) => expect(of(change)).toEqual([{ what, a, b }]));

  test("is told of the browser by its whole name", () => {
    const [difference] = of((b) => (b.host.agent = "Mozilla/5.0 Firefox/153.0"));
    expect(difference).toMatchObject({ what: "host", b: "Mozilla/5.0 Firefox/153.0" });
  });

  test("is not the order of features, nor the time of day, nor the seed", () => {
    expect(
      of((b) => {
        b.device.features.reverse();
        b.createdAt = "2027-01-01T00:00:00.000Z";
        b.seed = 7;
      }),
    ).toEqual([]);
  });
});
