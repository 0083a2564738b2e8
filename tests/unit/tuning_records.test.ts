// Tunings that travel from run to run: what is read is bounded and true to form, and the newest search wins.

import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { dtypes } from "../../src/kernels/elements";
import { presets } from "../../src/plan";
import { parseResult, type Result } from "../../src/result";
import {
  adapterOf,
  browserOf,
  type KnownTuning,
  keyOf,
  MAX_RECORDS,
  merge,
  parseTuning,
  parseTunings,
  reasonAgainst,
  sorted,
  tuningsFile,
  tuningsOf,
} from "../../src/tuning_records";

const fixture = JSON.parse(readFileSync(new URL("../fixtures/result-2.json", import.meta.url), "utf8"));

function resultWith(changes: Partial<Result>): Result {
  const parsed = parseResult(fixture);
  if (!parsed.ok) throw new Error(parsed.problem);
  return { ...parsed.result, ...changes };
}

/** Object prototypes have three names that the schema passes over wherever they are keys. */
const name = fc
  .string({ maxLength: 12, unit: "grapheme-ascii" })
  .filter((text) => !["__proto__", "prototype", "constructor"].includes(text));
const seconds = fc.double({ min: 0, max: 1e6, noNaN: true });

/** Few names, so that keys meet. */
const known: fc.Arbitrary<KnownTuning> = fc.record({
  kernel: fc.constantFrom("matmul", "matvec"),
  dtype: fc.constantFrom(...dtypes),
  shapeClass: fc.constantFrom("wide", "1 rows, long output"),
  tried: fc.dictionary(name, fc.option(seconds), { maxKeys: 4 }),
  picked: name,
  choice: fc.record({
    variant: name,
    tuning: fc.dictionary(name, fc.integer({ min: -(2 ** 31), max: 2 ** 31 }), { maxKeys: 4 }),
  }),
  seconds: fc.option(seconds),
  reused: fc.boolean(),
  tool: fc.constantFrom("0.1.0", "0.2.0"),
  adapter: fc.constantFrom("A", "B"),
  browser: fc.constantFrom("Chromium 156", "Firefox 153"),
  preset: fc.constantFrom(...presets),
  madeAt: fc.integer({ min: 0, max: 4e12 }).map((time) => new Date(time).toISOString()),
});

const records = fc.array(known, { maxLength: 30 });

/** A JSON value with one of its parts replaced by anything at all. */
function damaged(value: unknown, path: readonly number[], by: unknown): unknown {
  const [step, ...rest] = path;
  if (step === undefined || typeof value !== "object" || value === null) return by;
  const keys = Object.keys(value);
  if (keys.length === 0) return by;
  const key = keys[step % keys.length]!;
  const change = { [key]: damaged(Object.entries(value).find(([name]) => name === key)?.[1], rest, by) };
  return Array.isArray(value) ? Object.assign([...value], change) : { ...value, ...change };
}

describe("a file of tunings", () => {
  test("is read as it was written, with one record of each key", () => {
    fc.assert(
      fc.property(records, (given) => {
        const merged = merge([], given);
        const parsed = parseTunings(JSON.parse(JSON.stringify(tuningsFile(merged))));
        expect(parsed).toEqual({ ok: true, from: "tunings", records: merged });
        expect(parseTunings(tuningsFile(given))).toEqual(parsed);
      }),
    );
  });

  test("of any content gives records of the right form, or one short line", () => {
    const anything = fc.oneof(
      fc.anything(),
      fc
        .tuple(
          fc.array(known, { minLength: 1, maxLength: 3 }).map(tuningsFile),
          fc.array(fc.nat(20), { maxLength: 6 }),
          fc.anything(),
        )
        .map(([file, path, by]) => damaged(file, path, by)),
    );
    let refused = 0;
    fc.assert(
      fc.property(anything, (input) => {
        const parsed = parseTunings(input);
        if (parsed.ok) for (const record of parsed.records) expect(parseTuning(record)).toEqual(record);
        else {
          refused++;
          expect(parsed.problem).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
          expect(parsed.problem.length).toBeLessThan(400);
        }
      }),
      { numRuns: 2000 },
    );
    expect(refused).toBeGreaterThan(500);
  });

  const [record] = fc.sample(known, { numRuns: 1, seed: 1 });
  const file = (changes: object) => ({ ...tuningsFile([record!]), ...changes });
  const withRecord = (changes: object) => file({ records: [{ ...record, ...changes }] });
  const many = <T>(count: number, of: (i: number) => [string, T]) =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => of(i)));

  test.each([
    ["nothing", null, "neither tunings nor a result"],
    ["another file", { name: "x" }, "neither tunings nor a result"],
    ["a newer version", file({ version: 2 }), "version 2 is newer"],
    ["a version that never was", file({ version: 0 }), "version: "],
    ["a further field", file({ also: 1 }), "also: "],
    ["too many records", file({ records: Array(MAX_RECORDS + 1).fill(record) }), "records: "],
    ["a record that is none", file({ records: [7] }), "records.0: "],
    ["a record without a choice", withRecord({ choice: null }), "records.0.choice: "],
    [
      "a fraction in a tuning",
      withRecord({ choice: { variant: "x", tuning: { A: 0.5 } } }),
      "records.0.choice.tuning.A: ",
    ],
    [
      "a vast tuning",
      withRecord({ choice: { variant: "x", tuning: many(65, (i) => [`p${i}`, i]) } }),
      "records.0.choice.tuning: ",
    ],
    ["vast tries", withRecord({ tried: many(2001, (i) => [`t${i}`, null]) }), "records.0.tried: more than"],
    ["a negative time", withRecord({ seconds: -1 }), "records.0.seconds: "],
    ["an endless name", withRecord({ adapter: "x".repeat(401) }), "records.0.adapter: "],
    ["a type that never was", withRecord({ dtype: "f8" }), "records.0.dtype: "],
    ["a day that never was", withRecord({ madeAt: "yesterday" }), "records.0.madeAt: "],
    ["a result that is broken", { ...fixture, outcomes: 7 }, "outcomes: "],
    ["a result of a later schema", { schema: 99 }, "schema 99 is newer"],
  ])("with %s is refused with the path and the reason", (_what, input, begins) => {
    const parsed = parseTunings(input);
    expect(parsed.ok ? "read" : parsed.problem).toMatch(new RegExp(`^${begins.replaceAll(".", "\\.")}`));
  });

  test("keeps no character that would reach a terminal", () => {
    const parsed = parseTunings(withRecord({ adapter: "A\u001b[31m\n", picked: "\u0007" }));
    expect(parsed.ok && parsed.records[0]).toMatchObject({ adapter: "A [31m ", picked: " " });
  });
});

describe("merging", () => {
  const time = ({ madeAt }: KnownTuning) => Date.parse(madeAt);

  test("leaves one record of each key: a search before a repetition, then the newest", () => {
    fc.assert(
      fc.property(records, records, (before, added) => {
        const all = [...before, ...added];
        const merged = merge(before, added);
        expect(merged.map(keyOf).toSorted()).toEqual([...new Set(all.map(keyOf))].toSorted());
        for (const record of merged) {
          expect(all).toContain(record);
          const rivals = all.filter((each) => keyOf(each) === keyOf(record));
          const searched = rivals.filter(({ reused }) => !reused);
          const best = Math.max(...(searched.length > 0 ? searched : rivals).map(time));
          expect(record.reused).toBe(searched.length === 0);
          expect(time(record)).toBe(best);
        }
        expect(merged.map(time)).toEqual(merged.map(time).toSorted((a, b) => b - a));
        expect(merge(merged, merged)).toEqual(merged);
      }),
    );
  });

  test("keeps the newest of more records than there is room for", () => {
    const [like] = fc.sample(known, { numRuns: 1, seed: 2 });
    const all = Array.from({ length: MAX_RECORDS + 5 }, (_, i) => ({
      ...like!,
      shapeClass: `${i} rows`,
      madeAt: new Date(1000 * i).toISOString(),
    }));
    const kept = merge(all.slice(0, 7), all.slice(7));
    expect(kept).toHaveLength(MAX_RECORDS);
    expect(kept.at(-1)?.shapeClass).toBe("5 rows");
  });
});

describe("the records of a result", () => {
  const choice = { variant: "tiled", tuning: { TILE: 8 } };
  const of = (kernel: string, shapeClass: string, changes: object = {}) => ({
    kernel,
    dtype: "f32" as const,
    shapeClass,
    tried: { x: 1e-3 },
    picked: "x",
    choice,
    seconds: 2,
    reused: false,
    ...changes,
  });

  test("are those that a later run can take up: no sweeps of probes, none without its choice", () => {
    const result = resultWith({
      createdAt: "2026-01-02T03:04:05.000Z",
      tunings: [
        of("fma", "8192x4x64"),
        of("dot", "8192x4x64"),
        of("mma", "64x4x64x16x16x16"),
        of("mma", "16x16x16, 4 chains"),
        of("read", "512x1024"),
        of("copy", "1048576"),
        of("copy", "all"),
        of("matmul", "wide"),
        of("matvec", "1 rows, long output", { choice: null }),
      ],
    });
    expect(tuningsOf(result).map(({ kernel, shapeClass }) => `${kernel} ${shapeClass}`)).toEqual([
      "mma 16x16x16, 4 chains",
      "copy all",
      "matmul wide",
    ]);
    expect(tuningsOf(result)[2]).toEqual({
      ...of("matmul", "wide"),
      tool: result.tool.version,
      adapter: adapterOf(result.device),
      browser: browserOf(result.host),
      preset: result.plan.preset,
      madeAt: result.createdAt,
    });
    expect(parseTunings(JSON.parse(JSON.stringify(result)))).toEqual({
      ok: true,
      from: "result",
      records: tuningsOf(result),
    });
  });

  test("of schema 2 tell neither a choice nor a time, and are none to take up", () => {
    const { tunings } = resultWith({});
    expect(tunings.length).toBeGreaterThan(0);
    for (const record of tunings)
      expect(record).toMatchObject({ choice: null, seconds: null, reused: false });
    expect(parseTunings(fixture)).toEqual({ ok: true, from: "result", records: [] });
  });
});

describe("a record is for a run", () => {
  const { tool, device, host, plan } = resultWith({});
  const windows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)";
  const blink = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36";

  test.each([
    [`${windows} ${blink}`, "Chromium 150"],
    [`${windows} ${blink} Edg/150.0.0.0`, "Chromium 150"],
    [`${windows} ${blink.replace("Chrome", "HeadlessChrome")}`, "Chromium 150"],
    [`${windows.replace(")", "; rv:153.0)")} Gecko/20100101 Firefox/153.0`, "Firefox 153"],
    [
      "Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 Safari/605.1.15",
      "Safari 26",
    ],
    ["something else", "something else"],
  ])("by the engine and the major version of its browser: %s", (agent, browser) => {
    expect(browserOf({ ...host, kind: "browser", agent })).toBe(browser);
  });

  test("and in Node by all that the host says", () => {
    const agent = "Node 22.20.0, Dawn 0.6.2, linux x64";
    expect(browserOf({ ...host, kind: "node", agent })).toBe(agent);
  });

  test("of the same version and adapter, in the same browser, that searches no further; the others are counted by reason", () => {
    const here = {
      tool: { ...tool, version: "0.2.0" },
      device,
      host: { ...host, kind: "browser" as const, agent: `${windows} ${blink}` },
      plan: { ...plan, preset: "quick" as const },
    };
    const [some] = fc.sample(known, { numRuns: 1, seed: 3 });
    const fitting: KnownTuning = {
      ...some!,
      tool: "0.2.0",
      adapter: adapterOf(device),
      browser: "Chromium 150",
      preset: "quick",
    };
    const cases: [object, string | undefined][] = [
      [{}, undefined],
      [{ preset: "rigorous" }, undefined],
      [{ adapter: "Other GPU" }, "made on Other GPU"],
      [{ browser: "Chromium 149" }, "made with Chromium 149, and this is Chromium 150"],
      [{ browser: "Chromium 149", reused: true }, "made with Chromium 149, and this is Chromium 150"],
      [{ tool: "0.1.0" }, "made by Tokenroof 0.1.0, and this is 0.2.0"],
      [{ preset: "smoke" }, "searched only as far as preset smoke goes"],
    ];
    const all = cases.map(([changes]) => ({ ...fitting, ...changes }));
    expect(all.map((record) => reasonAgainst(record, here))).toEqual(cases.map(([, reason]) => reason));
    const { usable, ignored } = sorted(all, here);
    expect(usable).toEqual(all.slice(0, 2));
    expect(ignored).toEqual([
      "2 made with Chromium 149, and this is Chromium 150",
      "1 made on Other GPU",
      "1 made by Tokenroof 0.1.0, and this is 0.2.0",
      "1 searched only as far as preset smoke goes",
    ]);
  });

  test("whose adapter keeps its names to itself", () => {
    const nameless = { ...device, vendor: "", architecture: "", device: "", description: "" };
    expect(adapterOf(nameless)).toBe("unnamed adapter");
    expect(adapterOf({ ...nameless, description: "GPU\n\u0007" })).toBe("GPU  ");
  });
});
