// A comparison as it is printed: what differs first, what is faster, what cannot be told, and why.

import { describe, expect, test } from "vitest";
import { compareResults } from "../../src/analysis/compare";
import { comparisonReport } from "../../src/report/comparison_report";
import { formats } from "../../src/report/formats";
import type { Report } from "../../src/report/report_types";
import type { Outcome, Result } from "../../src/result";
import { uniform } from "../../src/statistics";
import { normal } from "./distributions";
import { copyOf, exactSeconds, referenceOf, resultOf } from "./result_fixture";

const MATMUL = "matmul 512x3072x2048";

/** A run on a device on which some kernels take longer. */
function run(seed: number, slower: Readonly<Record<string, number>> = {}, noise = 0.004): Result {
  const random = uniform(seed);
  return resultOf({
    words: "dtype=f32",
    samples: (call, dtype) =>
      Array.from(
        { length: 16 },
        () => (slower[call.kernel] ?? 1) * exactSeconds(call, dtype) * (1 + noise * normal(random)),
      ),
  });
}

const reportOf = (a: Result, b: Result): Report => comparisonReport(compareResults(a, b), a, b);

const rowsOf = ({ tables }: Report, title: string): string[][] => {
  const found = tables.find((table) => table.title === title);
  if (found === undefined) throw new Error(`no table ${title}`);
  return found.rows.map((row) => row.map(({ text }) => text));
};

/** What is said of one call: A, B, ratio, verdict and why. */
const lineOf = (report: Report, call = MATMUL) =>
  rowsOf(report, "Cells")
    .find(([name]) => name === call)!
    .slice(2);

/** The fixture with one thing changed. */
function changed(result: Result, change: (copy: ReturnType<typeof copyOf>) => void): Result {
  const copy = copyOf(result);
  change(copy);
  return copy;
}

describe("what differs", () => {
  test("comes first, as a warning and as a table, with both sides", () => {
    const b = changed(run(2), (copy) => {
      copy.device.description = "Other GPU";
      copy.plan.preset = "quick";
    });
    const found = reportOf(run(1), b);
    expect(found.warnings).toEqual([
      "A and B are not the same in: device, preset. A verdict is on all of that together.",
    ]);
    expect(found.tables.map(({ title }) => title)).toEqual(["What differs", "Cells", "Overall"]);
    expect(rowsOf(found, "What differs")).toEqual([
      ["A and B", "Made-Up GPU 1000 (Chrome 150)", "Other GPU (Chrome 150)"],
      ["measured", "2026-08-21T09:30:00.000Z", "2026-08-21T09:30:00.000Z"],
      ["device", "nvidia ada Made-Up GPU 1000", "nvidia ada Other GPU"],
      ["preset", "standard", "quick"],
    ]);
    expect(found.tables[0]!.note).toMatch(/all else that was recorded is the same/);
  });

  test("is nothing where nothing differs", () => {
    const found = reportOf(run(1), run(2));
    expect(found.warnings).toEqual([]);
    expect(rowsOf(found, "What differs").map(([what]) => what)).toEqual(["A and B", "measured"]);
    expect(found.tables[0]!.note).toMatch(/^Nothing that was recorded/);
  });

  test("is told of CPUs", () => {
    const cpu = (result: Result) => changed(result, (copy) => (copy.device.software = "it is"));
    expect(reportOf(run(1), cpu(run(2))).warnings[0]).toBe("Measured on a CPU, by a software adapter: B.");
    expect(reportOf(cpu(run(1)), cpu(run(2))).warnings).toEqual([
      "Measured on a CPU, by a software adapter: A and B.",
    ]);
    expect(reportOf(run(1), cpu(run(2))).software).toBe(true);
  });
});

describe("a cell's row", () => {
  test("has both times, the ratio with its interval and the verdict", () => {
    const [a, b, ratio, verdict, why] = lineOf(reportOf(run(1), run(2, { matmul: 1.25 })));
    expect(a).toMatch(/^1\.29 ms \(1\.2\d … 1\.\d+\)$/);
    expect(b).toMatch(/^1\.6\d ms \(1\.6\d … 1\.6\d\)$/);
    expect(ratio).toMatch(/^1\.2\d \(1\.2\d … 1\.2\d\)$/);
    expect([verdict, why]).toEqual(["slower", ""]);
    expect(lineOf(reportOf(run(1), run(2, { matmul: 0.8 })))[3]).toBe("faster");
    expect(lineOf(reportOf(run(1), run(2)))[3]).toBe("same");
  });

  test("says that noise is why nothing can be told, and what is possible", () => {
    const why = lineOf(reportOf(run(1, {}, 0.1), run(2, {}, 0.1)));
    expect(why[3]).toBe("cannot tell");
    expect(why[4]).toMatch(
      /^noise: anything between [89]\d(\.\d)? % and 1[0-3]\d % of A's time is possible$/,
    );
  });

  test("says that a difference may be too small to matter", () => {
    const known = (result: Result, median: number) =>
      changed(result, (copy) => {
        const [low, high] = [median * (1 - 0.0081), median * (1 + 0.0081)];
        const timing = { count: 20, low, lowerQuartile: low, median, upperQuartile: high, high, odd: [] };
        copy.outcomes[3].timing = { kind: "order-statistics", ...timing };
        copy.reference = null;
      });
    expect(lineOf(reportOf(known(run(1), 1e-3), known(run(2), 1.02e-3))).slice(3)).toEqual([
      "cannot tell",
      "slower, but perhaps by less than 1.00 %",
    ]);
    expect(lineOf(reportOf(known(run(1), 1.02e-3), known(run(2), 1e-3)))[4]).toBe(
      "faster, but perhaps by less than 1.00 %",
    );
  });

  test("says that the devices' own speed wandered", () => {
    const wandering = (result: Result, seed: number): Result => {
      const random = uniform(seed);
      const reference = referenceOf(28);
      const readings = reference.readings.map(({ at, samples }) => {
        const speed = 1 + 0.015 * normal(random);
        return { at, samples: samples.map((sample) => speed * sample) };
      });
      return { ...result, reference: { ...reference, readings } };
    };
    const found = reportOf(wandering(run(1), 5), wandering(run(2), 6));
    expect(lineOf(found)[4]).toMatch(/^the devices' own speed wandered by \d\.\d+ %$/);
    expect(found.warnings.at(-1)).toMatch(
      /^The devices' own speed wandered by \d\.\d+ % during the runs: differences below about \d\.\d+ % cannot be told\.$/,
    );
  });

  test("says why a cell is not judged, and what else was not the same", () => {
    const b = changed(run(2, { matmul: 1.2 }), (copy) => {
      copy.outcomes[3].hidden = true;
      copy.outcomes[3].tuning = "8x8 of 4x4 direct";
    });
    expect(lineOf(reportOf(run(1), b)).slice(3)).toEqual([
      "cannot tell",
      "the page of B was hidden meanwhile; tuned as 16x16 of 4x4 staged 4 in A and as 8x8 of 4x4 direct in B",
    ]);
  });
});

describe("the whole", () => {
  test("has the verdict, the ratio, the counts and the slower cells", () => {
    const found = reportOf(run(1), run(2, { matvec: 1.1 }));
    expect(found.headlines).toHaveLength(1);
    const [{ main, rate, share, meaning, mainValue }] = found.headlines as [Report["headlines"][number]];
    expect(main).toMatch(/^slower: 1\.04 \(1\.0\d … 1\.0\d\) times A's time$/);
    // Five of eleven cells: the geometric mean.
    expect(mainValue).toBeCloseTo(1.1 ** (5 / 11), 2);
    expect(rate).toMatch(/^the geometric mean of 11 of 11 cells/);
    expect(share).toBe("5 slower, 6 same");
    expect(meaning).toBe("slower: matvec 1x128256x2048 f32 and 4 more");
    const rows = rowsOf(found, "Overall");
    expect(rows.map(([what]) => what)).toEqual([
      "B is",
      "B / A (99 %)",
      "cells in it",
      "cells: slower",
      "cells: same",
    ]);
    expect(rows[0]![1]).toBe("slower");
    expect(rows.slice(2).map(([, value]) => value)).toEqual(["11 of 11", "5", "6"]);
  });

  test("names the cells of one side only, with what became of them", () => {
    const failing = (result: Result): Result => {
      const outcomes = result.outcomes.map(
        (outcome): Outcome =>
          outcome.call.kernel === "attention" && outcome.call.shape.queries > 1
            ? { status: "failed", call: outcome.call, dtype: "f32", error: "element (3, 5) is wrong" }
            : outcome,
      );
      return { ...result, outcomes };
    };
    const lost = reportOf(run(1), failing(run(2)));
    expect(lost.warnings).toEqual(["Measured in A and failed in B: attention 1x512x512x32x8x64x512 f32."]);
    expect(rowsOf(lost, "Overall").at(-1)).toEqual([
      "only in A",
      "attention 1x512x512x32x8x64x512 f32 (B: failed: element (3, 5) is wrong)",
    ]);
    const won = reportOf(failing(run(1)), run(2));
    expect(won.warnings).toEqual([]);
    expect(rowsOf(won, "Overall").at(-1)![0]).toBe("only in B");
  });

  test("says that it cannot tell, and why", () => {
    const noisy = reportOf(run(1, {}, 0.2), run(2, {}, 0.2));
    expect(noisy.headlines[0]!.main).toMatch(/^cannot tell: /);
    expect(noisy.headlines[0]!.meaning).toMatch(/^noise: anything between/);
    const nothing = reportOf(run(1), { ...run(2), outcomes: [] });
    expect(nothing.headlines[0]).toMatchObject({ main: "cannot tell", rate: "no cell is in both" });
    expect(rowsOf(nothing, "Overall")[0]).toEqual(["B is", "cannot tell: no cell can be compared"]);
    const hidden = changed(run(2), (copy) => {
      for (const outcome of copy.outcomes) outcome.hidden = true;
    });
    expect(reportOf(run(1), hidden).headlines[0]).toMatchObject({
      main: "cannot tell",
      rate: "every cell that is in both is doubtful",
    });
  });
});

describe("in every format", () => {
  const found = reportOf(
    run(1),
    changed(run(2, { matvec: 1.1 }), (copy) => (copy.plan.preset = "quick")),
  );

  test("a row has a cell for each of its table's columns", () => {
    for (const { title, columns, rows } of found.tables)
      for (const row of rows) expect(row.length, title).toBe(columns.length);
  });

  test("Markdown has the warning, then the verdict, then the tables", () => {
    const text = formats.markdown(found);
    const places = [
      "# B against A",
      "> A and B are not the same",
      "**B against A: slower",
      "## What differs",
    ].concat(["## Cells", "## Overall"]);
    const order = places.map((place) => text.indexOf(place));
    expect(order).toEqual(order.toSorted((a, b) => a - b));
    expect(order[0]).toBe(0);
  });

  test("CSV and JSON have the verdicts too", () => {
    expect(formats.csv(found)).toMatch(/^Cells,matvec 1x128256x2048,f32,.*,slower,$/m);
    expect(formats.csv(found)).toMatch(/^Overall,B is,slower$/m);
    expect(JSON.parse(formats.json(found)).headlines[0].mainValue).toBeGreaterThan(1.03);
  });

  test("nothing comes out as a hole, whatever is compared with whatever", () => {
    const empty = { ...run(1), outcomes: [], workloads: [], reference: null, instruments: null };
    for (const [a, b] of [
      [run(1), empty],
      [empty, run(1)],
      [empty, empty],
    ] as const)
      for (const format of Object.values(formats))
        expect(format(reportOf(a, b)).match(/\bNaN\b|\bundefined\b|\bInfinity\b/g)).toBeNull();
  });
});
