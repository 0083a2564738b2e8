// Whole models of two results side by side.

import { describe, expect, test } from "vitest";
import { type Comparison, compareResults, ratioOf } from "../../src/analysis/compare";
import { orderStatistics } from "../../src/analysis/estimate";
import { stepStatistics } from "../../src/analysis/forward";
import { exitOf } from "../../src/cli/commands/compare";
import { ExitCode } from "../../src/cli/exit";
import { caseOf, type MeasuredForward } from "../../src/forward_result";
import { comparisonReport } from "../../src/report/comparison_report";
import { markdown } from "../../src/report/markdown";
import type { Result } from "../../src/result";
import { medianInterval, seriesInterval, uniform } from "../../src/statistics";
import { normal, type Random } from "./distributions";
import { everyRun } from "./forward_fixture";
import { referenceOf } from "./result_fixture";

const WORDS = "forward=on dtype=f32 depth=0,4096";

const samples = (random: Random, count: number, seconds: number, noise = 0.005) => ({
  kind: "samples" as const,
  seconds: Array.from({ length: count }, () => seconds * (1 + noise * normal(random))),
});

/** Whole models whose times are so many times the usual ones, on a device that does not wander. */
function run(
  seed: number,
  factors: { ttft?: number; tpot?: number; interactive?: number } = {},
  changes: (run: MeasuredForward) => Partial<MeasuredForward> = () => ({}),
): Result {
  const random = uniform(seed);
  const result = everyRun(WORDS);
  return {
    ...result,
    reference: referenceOf(28, 0),
    forwards: result.forwards.map((each) => {
      if (each.status !== "measured") return each;
      const timed: MeasuredForward = {
        ...each,
        prefill: { ...each.prefill, times: samples(random, 12, 0.5 * (factors.ttft ?? 1)) },
        decode: { ...each.decode, times: samples(random, 64, 0.01 * (factors.tpot ?? 1)) },
        interactive: samples(random, 32, 0.012 * (factors.interactive ?? 1)),
      };
      return { ...timed, ...changes(timed) };
    }),
  };
}

const told = ({ forwards }: Comparison) =>
  forwards.map(({ name, figure, ratio }) => [name.replace("llama-3.2-1b ", ""), figure, ratio.verdict]);

describe("two runs of the same", () => {
  test("are the same in every figure of every whole model, and no part of the cells' mean", () => {
    const comparison = compareResults(run(1), run(2));
    expect(told(comparison)).toEqual(
      ["pp512+tg128 f32", "pp512+tg128 @ d4096 f32"].flatMap((name) => [
        [name, "TTFT", "same"],
        [name, "TPOT", "same"],
        [name, "TPOT, each token read back", "same"],
      ]),
    );
    expect(comparison.overall?.cells).toBe(comparison.cells.length);
    expect([comparison.onlyA, comparison.onlyB]).toEqual([[], []]);
  });
});

describe("a slower side", () => {
  test("is found in the figure in which it is slower, and no other", () => {
    expect(
      told(compareResults(run(1), run(2, { interactive: 1.08 }))).map(([, , verdict]) => verdict),
    ).toEqual(["same", "same", "slower", "same", "same", "slower"]);
    const faster = compareResults(run(1), run(2, { ttft: 0.9, tpot: 1.08 }));
    expect(
      told(faster)
        .slice(0, 3)
        .map(([, , verdict]) => verdict),
    ).toEqual(["faster", "slower", "same"]);
    expect(faster.forwards[1]?.ratio.value).toBeCloseTo(1.08, 2);
  });

  test("is the mirror of the faster one", () => {
    const [there, back] = [
      compareResults(run(1), run(2, { tpot: 1.08 })),
      compareResults(run(2, { tpot: 1.08 }), run(1)),
    ];
    there.forwards.forEach(({ ratio }, i) => {
      expect(ratio.value * back.forwards[i]!.ratio.value).toBeCloseTo(1, 12);
    });
    expect(back.forwards[1]?.ratio.verdict).toBe("faster");
  });

  test("is told first in the report, with a table of its own", () => {
    const [a, b] = [run(1), run(2, { tpot: 1.08 })];
    const seen = comparisonReport(compareResults(a, b), a, b);
    expect(seen.tables.map(({ title }) => title)).toEqual([
      "What differs",
      "Whole models",
      "Cells",
      "Overall",
    ]);
    expect(seen.headlines[0]?.meaning).toBe("slower: llama-3.2-1b pp512+tg128 f32 TPOT and 1 more");
    expect(markdown(seen)).toMatch(/figures of whole models: slower \| 2/);
  });
});

describe("results without cells", () => {
  const bare = (result: Result): Result => ({ ...result, outcomes: [] });
  const compared = (factors: { ttft?: number; tpot?: number }) => {
    const [a, b] = [bare(run(1)), bare(run(2, factors))];
    const comparison = compareResults(a, b);
    return { exit: exitOf(comparison), report: comparisonReport(comparison, a, b) };
  };

  test("are judged by their whole models", () => {
    const same = compared({});
    expect(same.exit).toBe(ExitCode.done);
    expect(same.report.headlines[0]).toMatchObject({
      main: "no cells; see Whole models",
      share: "6 same",
      meaning: "no figure is slower",
    });
    expect(markdown(same.report)).toMatch(/B is +\| no cells; see Whole models/);
    const slower = compared({ tpot: 1.08 });
    expect(slower.exit).toBe(ExitCode.failed);
    expect(slower.report.headlines[0]?.meaning).toBe("slower: llama-3.2-1b pp512+tg128 f32 TPOT and 1 more");
  });

  test("are undecided where nothing could be judged", () => {
    const hidden = bare(run(2, {}, () => ({ hidden: true })));
    expect(exitOf(compareResults(bare(run(1)), hidden))).toBe(ExitCode.undecided);
    expect(exitOf(compareResults(bare(run(1)), { ...bare(run(2)), forwards: [] }))).toBe(ExitCode.undecided);
  });
});

describe("what cannot be trusted is not judged, and the reason is given", () => {
  const slower = { ttft: 1.2, tpot: 1.2, interactive: 1.2 };
  const growing = (share: number) => (each: MeasuredForward) => ({
    decode: {
      ...each.decode,
      times: {
        kind: "samples" as const,
        seconds: Array.from({ length: 64 }, (_, i) => 0.012 * (1 + (share * i) / 64)),
      },
    },
  });

  test.each<[what: string, b: Result, figure: number, doubt: string]>([
    ["hidden", run(2, slower, () => ({ hidden: true })), 0, "the page of B was hidden meanwhile"],
    [
      "a single prompt",
      run(2, slower, (each) => ({
        prefill: { ...each.prefill, times: { kind: "samples", seconds: [0.6] } },
      })),
      0,
      "B is a single sample",
    ],
    [
      "another clock",
      run(2, slower, (each) => ({ decode: { ...each.decode, clock: "wall" } })),
      1,
      "timed by timestamp-query in A and by wall in B",
    ],
    ["a device that slows down", run(2, slower, growing(0.3)), 1, "the speed of B changed meanwhile"],
  ])("%s", (_, b, figure, doubt) => {
    const comparison = compareResults(run(1), b);
    expect(comparison.forwards[figure]).toMatchObject({ doubt, ratio: { verdict: "cannot tell" } });
    if (!doubt.includes("hidden"))
      expect(comparison.forwards[2]).toMatchObject({ ratio: { verdict: "slower" } });
  });

  test("steps that get longer with their KV cache do so in both, and are judged", () => {
    const comparison = compareResults(run(1, {}, growing(0.3)), run(2, {}, growing(0.3)));
    expect(comparison.forwards[1]?.doubt).toBeUndefined();
  });

  test("noise is no verdict", () => {
    const noisy = (seed: number, factor: number) => {
      const random = uniform(seed);
      return run(seed, {}, (each) => ({
        decode: { ...each.decode, times: samples(random, 16, 0.01 * factor, 0.1) },
      }));
    };
    expect(compareResults(noisy(3, 1), noisy(4, 1.03)).forwards[1]?.ratio.verdict).toBe("cannot tell");
  });
});

test("sustained steps are compared where both sides have them", () => {
  const loaded = (seed: number, factor: number) =>
    run(seed, {}, () => ({ sustained: { seconds: 10, times: samples(uniform(seed), 32, 0.012 * factor) } }));
  const figures = ({ forwards }: Comparison) => forwards.slice(0, 4).map(({ figure }) => figure);
  const both = compareResults(loaded(1, 1), loaded(2, 1.08));
  expect(figures(both)).toContain("TPOT, sustained");
  expect(both.forwards[3]).toMatchObject({ figure: "TPOT, sustained", ratio: { verdict: "slower" } });
  expect(figures(compareResults(run(1), loaded(2, 1)))).not.toContain("TPOT, sustained");
});

test("what else was not the same is remarked", () => {
  const b = run(2, {}, (each) => ({
    residentLayers: 4,
    chunk: 256,
    decode: { ...each.decode, steps: 20, dispatches: 230 },
  }));
  const [ttft, tpot] = compareResults(run(1), b).forwards;
  expect(ttft?.remarks).toEqual([
    "16 of 16 layers in memory in A and 4 of 16 layers in B",
    "read in chunks of 512 tokens in A and of 256 in B",
  ]);
  expect(tpot?.remarks.slice(1)).toEqual([
    "128 tokens written in A and 20 in B",
    "165 dispatches per step in A and 230 in B",
  ]);
});

test("a whole model of one side only is named with what became of it on the other", () => {
  const a = run(1);
  const [first, second] = a.forwards;
  if (first?.status !== "measured" || second === undefined) throw new Error("the fixture has two");
  const failed = { status: "failed" as const, ...caseOf(first), reason: "device lost" };
  expect(compareResults(a, { ...a, forwards: [failed] }).onlyA).toEqual([
    { name: "llama-3.2-1b pp512+tg128 f32, run whole", elsewhere: "failed: device lost", failed: true },
    { name: "llama-3.2-1b pp512+tg128 @ d4096 f32, run whole", elsewhere: "not run whole", failed: false },
  ]);
});

describe("steps in a row", () => {
  /** Noise in which each sample has nine tenths of the deviation of the one before. */
  function correlated(random: Random, count: number): number[] {
    let deviation = normal(random);
    return Array.from({ length: count }, () => {
      deviation = 0.9 * deviation + Math.sqrt(1 - 0.81) * normal(random);
      return 1 + 0.03 * deviation;
    });
  }
  const wrong = (intervalOf: typeof medianInterval) => {
    const random = uniform(7);
    const pairs = Array.from({ length: 200 }, () =>
      ratioOf(
        orderStatistics(correlated(random, 128), intervalOf),
        orderStatistics(correlated(random, 128), intervalOf),
      ),
    );
    return pairs.filter(({ verdict }) => verdict === "slower" || verdict === "faster").length / pairs.length;
  };

  test("that are disturbed together are hardly ever judged wrong; as independent ones they were in one of ten pairs", () => {
    expect(wrong(seriesInterval)).toBeLessThanOrEqual(0.02);
    expect(wrong(medianInterval)).toBeGreaterThan(0.1);
  });

  test("are what a whole model's steps are", () => {
    const seconds = correlated(uniform(5), 128);
    const [steps, independent] = [stepStatistics({ kind: "samples", seconds }), medianInterval(seconds)];
    expect(steps.high - steps.low).toBeGreaterThan(1.5 * (independent.high - independent.low));
  });

  test("have an interval that holds the median and is no narrower than that of independent ones", () => {
    const random = uniform(11);
    for (const count of [1, 2, 5, 15, 16, 17, 64, 1000]) {
      const list = correlated(random, count);
      const [series, independent] = [seriesInterval(list), medianInterval(list)];
      expect(series.low).toBeLessThanOrEqual(independent.low);
      expect(series.high).toBeGreaterThanOrEqual(independent.high);
      expect(series.low).toBeGreaterThan(0);
    }
  });
});
