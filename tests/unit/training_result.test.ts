// Trained models in results and links: what is accepted, what is refused with its path, what a reader sees.

import { describe, expect, test } from "vitest";
import { chips } from "../../src/chips";
import { csv } from "../../src/report/csv";
import { decodeLink, encodeLink } from "../../src/report/link";
import { markdown } from "../../src/report/markdown";
import { report } from "../../src/report/report";
import type { Table } from "../../src/report/report_types";
import { parseResult, type Result } from "../../src/result";
import type { copyOf } from "./result_fixture";
import { trainedResult } from "./training_fixture";

type Copy = ReturnType<typeof copyOf>;

const json = JSON.stringify(trainedResult());

test("comes back from JSON as it was", () => {
  expect(parseResult(JSON.parse(json))).toEqual({ ok: true, result: trainedResult() });
});

test("of schema 4 there was none", () => {
  const { trainings: _, ...older } = JSON.parse(json);
  for (const field of ["kv", "fused", "train"]) delete older.plan[field];
  for (const run of older.forwards) for (const field of ["kv", "fused", "sustained"]) delete run[field];
  const parsed = parseResult({ ...older, schema: 4 });
  if (!parsed.ok) throw new Error(parsed.problem);
  expect(parsed.result).toMatchObject({ trainings: [], plan: { train: false } });
});

describe("what cannot be is refused with its path", () => {
  const first = (change: (run: Copy) => void) => (result: Copy) => change(result.trainings[0]);
  test.each<[path: string, change: (result: Copy) => void]>([
    ["trainings", (result) => (result.trainings = "none")],
    ["trainings", (result) => delete result.trainings],
    ["trainings", (result) => (result.trainings = Array(65).fill(result.trainings[1]))],
    ["trainings.0", (result) => (result.trainings[0] = null)],
    ["trainings.0.status", first((run) => (run.status = "dreamt"))],
    ["trainings.0.batch", first((run) => (run.batch = 0))],
    ["trainings.0.tokens", first((run) => (run.tokens = 0))],
    ["trainings.0.layers", first((run) => (run.layers = 1.5))],
    ["trainings.0.surprise", first((run) => (run.surprise = 1))],
    ["trainings.0.bytes.moments", first((run) => (run.bytes.moments = -1))],
    ["trainings.0.times.seconds", first((run) => (run.times.seconds = []))],
    ["trainings.0.phases.backward", first((run) => (run.phases.backward = null))],
    ["trainings.0.work.optimiser.flops", first((run) => (run.work.optimiser.flops = 1e300))],
    ["trainings.0.loss.last", first((run) => delete run.loss.last)],
    ["trainings.1.reason", (result) => (result.trainings[1].reason = "x".repeat(500))],
    ["plan.train", (result) => (result.plan.train = "on")],
  ])("%s", (path, change) => {
    const result = JSON.parse(json);
    change(result);
    const outcome = parseResult(result);
    const problem = outcome.ok ? "no problem" : outcome.problem;
    expect(problem.startsWith(path), problem).toBe(true);
    expect(problem).not.toMatch(/[\n\r\u2028\u2029]/);
  });
});

const tablesOf = (result: Result) => report(result, chips).tables;

function tableOf(result: Result, title: RegExp): Table {
  const found = tablesOf(result).find((table) => title.test(table.title));
  if (found === undefined) throw new Error(`there is no table ${title}`);
  return found;
}

const rowsOf = ({ rows, columns }: Table) =>
  rows.map((row) => Object.fromEntries(columns.map((column, i) => [column, row[i]?.text])));

describe("a report", () => {
  test("puts training, prefill and decode side by side, by the same roofs", () => {
    const table = tableOf(trainedResult(), /side by side/);
    const rows = rowsOf(table);
    expect(rows.map((row) => `${row.what} ${row.run} ${row.type}`)).toEqual([
      "training (a step), 4 of 16 layers 512 tokens f32",
      "prefill (reading) pp512 f32",
      "decode (writing) tg128 f32",
      "training (a step) train512 f16",
    ]);
    const [training, prefill, decode, skipped] = rows;
    // 3.00375e12 FLOP and 2.2e10 bytes in 0.1 s.
    expect(training).toMatchObject({
      "tokens/s": expect.stringMatching(/^5,120 tokens\/s/),
      "FLOP/byte": "137",
      "FLOP/s": expect.stringMatching(/^30\.0 TFLOP\/s/),
      "B/s": expect.stringMatching(/^220 GB\/s/),
    });
    // 1.25e12 FLOP for 4e9 + 1e6 + 3e9 bytes; 2.5e9 for 2.4e9 + 1e8 + 3e6.
    expect(prefill).toMatchObject({ "FLOP/byte": "179", measured: "run whole" });
    expect(decode).toMatchObject({ "FLOP/byte": "0.999", measured: "run whole" });
    expect(skipped?.measured).toBe("skipped: models are trained in f32, not in f16");
    const share = (row: Record<string, string | undefined> | undefined) =>
      Number.parseFloat(row?.["of compute roof"] ?? "");
    expect(share(training) / share(prefill)).toBeCloseTo(3.00375 / 0.1 / (1.25 / 0.5), 0);
    expect(table.note).toMatch(
      /decode tg128 \(0\.999\): less than that for each byte, so memory is the limit/,
    );
    expect(table.note).toMatch(/training 512 tokens \(137\) and prefill pp512 \(179\): more than that/);
  });

  test("takes sums of kernels where nothing was run whole", () => {
    const rows = rowsOf(tableOf(trainedResult("train=on dtype=f32"), /side by side/));
    expect(rows.map((row) => `${row.what}: ${row.measured}`)).toEqual([
      "training (a step), 4 of 16 layers: run whole",
      "prefill (reading): sum of kernels",
      "decode (writing): sum of kernels",
    ]);
  });

  test("says where a step's time goes, and what it took", () => {
    const phases = rowsOf(tableOf(trainedResult(), /Where a training step/));
    expect(phases.map((row) => `${row.phase} ${row.time} ${row.share} ${row["FLOP/byte"]}`)).toEqual([
      "forward 25.0 ms 25.0 % 200",
      "backward 50.0 ms 50.0 % 200",
      "optimiser 25.0 ms 25.0 % 0.536",
    ]);
    expect(rowsOf(tableOf(trainedResult(), /^Training: memory/))).toMatchObject([
      {
        memory: "4.19 GiB",
        layers: "4 of 16",
        "tokens of each sequence": "512 of 512",
        loss: "11.5 to 0.250",
      },
    ]);
  });

  test("has nothing of it where nothing was trained", () => {
    const titles = tablesOf({ ...trainedResult(), trainings: [] }).map(({ title }) => title);
    expect(titles.filter((title) => /training|side by side/i.test(title))).toEqual([]);
  });

  test("is the same from a link, in Markdown and CSV too", async () => {
    for (const words of ["forward=on train=on dtype=f32,f16", "train=on dtype=f32"]) {
      const result = trainedResult(words);
      const opened = await decodeLink(await encodeLink(result));
      if (!opened.ok) throw new Error(opened.problem);
      expect(opened.result.plan).toEqual(result.plan);
      for (const title of [/side by side/, /Where a training step/, /^Training: memory/])
        expect(tableOf(opened.result, title)).toEqual(tableOf(result, title));
      expect(markdown(report(opened.result, chips))).toContain("Training, prefill and decode side by side");
      expect(csv(report(result, chips))).toMatch(/side by side",llama-3\.2-1b,/);
    }
  });
});
