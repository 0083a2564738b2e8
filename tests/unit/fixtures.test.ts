// Results and links of every version that was ever written stay readable. Fixtures are never changed.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { chips } from "../../src/chips";
import { decodeLink } from "../../src/report/link";
import { report } from "../../src/report/report";
import { parseResult } from "../../src/result";

const fixture = (name: string) => readFileSync(new URL(`../fixtures/${name}`, import.meta.url), "utf8");

test("a result of schema 1, from Chromium", () => {
  const parsed = parseResult(JSON.parse(fixture("result-1.json")));
  if (!parsed.ok) throw new Error(parsed.problem);
  const { headlines } = report(parsed.result, chips);
  expect(headlines.map(({ workload, dtype }) => `${workload} ${dtype}`)).toEqual(["pp512 f32", "tg128 f32"]);
  expect(headlines[0]?.mainValue).toBeCloseTo(3.85, 1);
});

test("a link of version 1, from Firefox", async () => {
  const opened = await decodeLink(fixture("link-1.txt").trim());
  if (!opened.ok) throw new Error(opened.problem);
  const { headlines } = report(opened.result, chips);
  expect(headlines.map(({ workload, dtype }) => `${workload} ${dtype}`)).toEqual([
    "pp512 f32",
    "tg128 f32",
    "pp512 f16",
    "tg128 f16",
  ]);
  expect(headlines[1]?.main).toBe("2.51 tokens/s (2.22 … 2.61)");
});

test("a result and a link of schema 2, from Firefox", async () => {
  const parsed = parseResult(JSON.parse(fixture("result-2.json")));
  const opened = await decodeLink(fixture("link-2.txt").trim());
  if (!parsed.ok || !opened.ok) throw new Error("not readable any more");
  const { headlines } = report(parsed.result, chips);
  expect(headlines.map(({ workload, dtype }) => `${workload} ${dtype}`)).toEqual([
    "matmul 33x64x128 f32",
    "matvec 1x64x256 f32",
    "matmul 33x64x128 f16",
    "matvec 1x64x256 f16",
  ]);
  expect(headlines[0]?.main).toBe("1.59 GFLOP/s (1.14 … 2.01)");
  expect(report(opened.result, chips).headlines).toEqual(headlines);
});

test("a result and a link of schema 4, from Chromium on lavapipe, with a model that was run whole", async () => {
  const parsed = parseResult(JSON.parse(fixture("result-4.json")));
  const opened = await decodeLink(fixture("link-4.txt").trim());
  if (!parsed.ok || !opened.ok) throw new Error("not readable any more");
  const here = report(parsed.result, chips);
  expect(here.headlines.map(({ main }) => main)).toEqual(["11.1 tokens/s", "7.74 tokens/s (6.67 … 9.21)"]);
  expect(here.headlines[1]?.whole).toMatch(/^run whole; its kernels add up to 5\.43 tokens\/s/);
  const seen = report(opened.result, chips);
  expect(seen.headlines).toEqual(here.headlines);
  expect(seen.breakdowns).toEqual(here.breakdowns);
});

test("a result and a link of schema 5, from Chromium on lavapipe, with a model run fused and not, and trained", async () => {
  const parsed = parseResult(JSON.parse(fixture("result-5.json")));
  const opened = await decodeLink(fixture("link-5.txt").trim());
  if (!parsed.ok || !opened.ok) throw new Error("not readable any more");
  const figures = ({ tables }: ReturnType<typeof report>, title: string) =>
    tables.find((table) => table.title === title)?.rows.map((row) => row.map(({ text }) => text));
  const [here, there] = [parsed.result, opened.result].map((result) => report(result, chips));
  for (const title of [
    "Whole models, run",
    "What fused kernels gain",
    "Training, prefill and decode side by side",
  ]) {
    expect(figures(here!, title)?.length, title).toBeGreaterThan(0);
    expect(figures(there!, title), title).toEqual(figures(here!, title));
  }
  expect(figures(here!, "What fused kernels gain")?.[0]?.[1]).toBe("pp16+tg4 kv q8_0");
  expect(parsed.result.trainings.map(({ status }) => status)).toEqual(["measured"]);
});

test("a result and a link of schema 3, from Firefox", async () => {
  const parsed = parseResult(JSON.parse(fixture("result-3.json")));
  const opened = await decodeLink(fixture("link-3.txt").trim());
  if (!parsed.ok || !opened.ok) throw new Error("not readable any more");
  const { headlines } = report(parsed.result, chips);
  expect(headlines.map(({ workload, dtype }) => `${workload} ${dtype}`)).toEqual(
    ["f32", "f16", "q4_0"].flatMap((dtype) => [`matmul 33x64x128 ${dtype}`, `matvec 1x64x256 ${dtype}`]),
  );
  expect(headlines[0]?.main).toBe("101 MB/s (77.6 … 128)");
  expect(report(opened.result, chips).headlines).toEqual(headlines);
  expect(
    parsed.result.tunings.find(({ kernel, dtype }) => kernel === "matvec" && dtype === "q4_0")?.choice,
  ).toEqual({ variant: "packed", tuning: { LANES: 1, TEAMS: 8, ROWS: 4, SUBGROUP: 0 } });
});
