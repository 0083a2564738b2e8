// Runs on a simulated GPU that know tunings beforehand: what is known is used, and what does not work here gives way
// to a search.

import { describe, expect, test } from "vitest";
import { type RunOptions, run } from "../../src/engine/run";
import { kernelOf } from "../../src/kernels";
import { starts } from "../../src/kernels/choices";
import { type Plan, parsePlanWords } from "../../src/plan";
import { report } from "../../src/report/report";
import { parseResult, type Result } from "../../src/result";
import { type KnownTuning, tuningsOf } from "../../src/tuning_records";
import { costs } from "../simulation/bench";
import { simulate } from "../simulation/gpu";
import { type Hardware, quiet } from "../simulation/hardware";

function planOf(preset: string): Plan {
  const words = `preset=${preset} dtype=f32 memory=16MiB kernel=matmul:70x64x128,matmul:71x64x128,matvec:1x64x256`;
  const parsed = parsePlanWords(words.split(" "));
  if (!parsed.ok) throw new Error(parsed.problem);
  return parsed.plan;
}

const usual: Hardware = {
  ...quiet,
  cost: (kernel, shape) =>
    kernel === "empty" || kernel === "fma" ? costs(1e-6)(kernel, shape) : kernel === "fill" ? 1e-3 : 400e-6,
};

async function ended(
  options: RunOptions,
  hardware: Partial<Hardware> = {},
  preset = "smoke",
): Promise<Result> {
  const { host, drive } = simulate({ ...usual, ...hardware });
  const result = await drive(run(planOf(preset), host, () => {}, { seed: 42, ...options }));
  expect(parseResult(JSON.parse(JSON.stringify(result)))).toEqual({ ok: true, result });
  return result;
}

/** Records of the plan's own kernels. */
const tunings = ({ tunings }: Result) =>
  tunings
    .filter(({ kernel }) => kernel === "matmul" || kernel === "matvec")
    .map(({ kernel, picked, reused }) => ({ kernel, picked, reused }));
const statuses = ({ outcomes }: Result) => outcomes.map(({ call, status }) => `${call.kernel} ${status}`);
const everything = ["fma", "read", "copy", "matmul", "matmul", "matvec"].map(
  (kernel) => `${kernel} measured`,
);

const first = await ended({});
const known = tuningsOf(first);
const [matmul, matvec] = ["matmul", "matvec"].map((name) => known.find(({ kernel }) => kernel === name)!) as [
  KnownTuning,
  KnownTuning,
];
/** A choice of the product for devices with subgroups, which the simulated one does not have. */
const subgroups = starts(kernelOf("matmul")).find(({ variant }) => variant === "broadcast")!;

describe("a run that knows tunings", () => {
  test("searches where it knows none, and says how long that took", () => {
    expect(tunings(first)).toEqual([
      { kernel: "matmul", picked: matmul.picked, reused: false },
      { kernel: "matvec", picked: matvec.picked, reused: false },
    ]);
    for (const { seconds } of first.tunings) expect(seconds).toBeGreaterThan(0);
  });

  test("reuses them without a search, and says so", async () => {
    const result = await ended({ tunings: known });
    expect(tunings(result)).toEqual([
      { kernel: "matmul", picked: matmul.picked, reused: true },
      { kernel: "matvec", picked: matvec.picked, reused: true },
    ]);
    const { tried, seconds } = result.tunings.find(({ kernel }) => kernel === "matmul")!;
    expect([tried, seconds]).toEqual([matmul.tried, 0]);
    expect(result.incidents).toEqual([]);
    expect(statuses(result)).toEqual(everything);
    const rows = report(result, []).tables.find(({ title }) => title === "Instruments")!.rows;
    const row = rows.find(([what]) => what!.text === "tuning of kernels");
    expect(row?.[1]?.text).toMatch(/^\d+ searches in [\d.]+ (ms|s), 2 reused$/);
    const cells = report(result, []).tables.find(({ title }) => title === "Cells")!.rows;
    expect(cells.map((cellsOfRow) => cellsOfRow[2]!.title !== undefined)).toEqual(
      result.outcomes.map(({ call }) => call.kernel === "matmul" || call.kernel === "matvec"),
    );
  });

  test("takes less time on the device", async () => {
    const spent = async (options: RunOptions) => {
      const simulation = simulate(usual);
      await simulation.drive(run(planOf("smoke"), simulation.host, () => {}, { seed: 42, ...options }));
      return simulation.machine.executed.filter(({ kernel }) => kernel === "matmul").length;
    };
    expect(await spent({ tunings: known })).toBeLessThan(await spent({}));
  });

  test.each([
    ["another version's", { tool: "0.0.1" }],
    ["another adapter's", { adapter: "Other GPU" }],
    ["another browser's", { browser: "Chromium 1" }],
    ["another type's", { dtype: "f16" as const }],
    ["another class's", { shapeClass: "narrow" }],
  ])("passes over %s", async (_whose, change) => {
    const result = await ended({ tunings: known.map((record) => ({ ...record, ...change })) });
    expect(tunings(result).map(({ reused }) => reused)).toEqual([false, false]);
    expect(result.incidents).toEqual([]);
  });

  test("passes over those of a preset that searches less far", async () => {
    const result = await ended({ tunings: known }, {}, "quick");
    expect(tunings(result).map(({ reused }) => reused)).toEqual([false, false]);
    const further = await ended({ tunings: tuningsOf(result) }, {}, "smoke");
    expect(tunings(further).map(({ reused }) => reused)).toEqual([true, true]);
  });

  test.each([
    ["is of no variant", { choice: { variant: "constructor", tuning: {} } }, "no such variant"],
    [
      "is outside the space",
      { choice: { ...matmul.choice, tuning: { ...matmul.choice.tuning, X: 3 } } },
      "no such variant",
    ],
    ["needs what this device does not have", { choice: subgroups }, "subgroups"],
  ])("searches again where what it knows %s", async (_what, change, why) => {
    const result = await ended({ tunings: [{ ...matmul, ...change }, matvec] });
    expect(tunings(result)).toEqual([
      { kernel: "matmul", picked: matmul.picked, reused: false },
      { kernel: "matvec", picked: matvec.picked, reused: true },
    ]);
    expect(result.incidents.map(({ says }) => says)).toEqual([
      expect.stringMatching(`^matmul f32 was searched for again: what was known, .*, fails here: .*${why}`),
    ]);
    expect(statuses(result)).toEqual(everything);
  });

  test("searches again where what it knows computes something else here, and measures the cell", async () => {
    let compared = 0;
    // The first output of the kernel is the check of what was known.
    const result = await ended(
      { tunings: known },
      { computes: (kernel, value) => (kernel === "matvec" && compared++ < 64 ? value + 1 : value) },
    );
    expect(tunings(result)).toEqual([
      { kernel: "matmul", picked: matmul.picked, reused: true },
      { kernel: "matvec", picked: expect.any(String), reused: false },
    ]);
    expect(result.incidents.map(({ says }) => says)).toEqual([
      expect.stringMatching(/^matvec f32 was searched for again: .* rounding explains/),
    ]);
    expect(statuses(result)).toEqual(everything);
  });

  test("drops what it knows where the device is lost with it, and searches for the next cell of its kind", async () => {
    let left = 1;
    const result = await ended(
      { tunings: known },
      { fault: (kernel) => (kernel === "matmul" && left-- > 0 ? "loss" : undefined) },
    );
    expect(statuses(result)).toEqual(everything.map((each, i) => (i === 3 ? "matmul failed" : each)));
    expect(tunings(result)).toEqual([
      { kernel: "matmul", picked: matmul.picked, reused: false },
      { kernel: "matvec", picked: matvec.picked, reused: true },
    ]);
  });

  test("fails a cell that no choice computes, known or not", async () => {
    const result = await ended(
      { tunings: known },
      { computes: (kernel, value) => (kernel === "matvec" ? value + 1 : value) },
    );
    expect(result.outcomes.at(-1)).toMatchObject({
      status: "failed",
      error: expect.stringContaining("rounding"),
    });
    expect(tunings(result)).toEqual([{ kernel: "matmul", picked: matmul.picked, reused: true }]);
  });
});
