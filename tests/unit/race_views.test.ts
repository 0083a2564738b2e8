import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { supply } from "../../src/analysis/economics/demand";
import { tokenEconomics } from "../../src/analysis/economics/token_economics";
import { lifeFlops, lifetimeSplit } from "../../src/analysis/lifetime_split";
import { predict } from "../../src/analysis/predict";
import { architecture, workloadConfig } from "../../src/analysis/prediction/architecture";
import { weightFormats } from "../../src/analysis/prediction/weight_format";
import { chip, chips } from "../../src/chips";
import { csv } from "../../src/report/csv";
import { json } from "../../src/report/json";
import { markdown } from "../../src/report/markdown";
import { chipEntry, MEASURED_ID, measuredEntry } from "../../src/report/race/entry";
import { lifeOf } from "../../src/report/race/phases";
import { parseQuestionWords, type Question } from "../../src/report/race/question";
import { raceReport, raceView, type ViewName, viewNames } from "../../src/report/race/views";
import type { Cell, Table } from "../../src/report/report_types";
import { parseResult } from "../../src/result";
import { resultOf } from "./result_fixture";

const entries = chips.map((each) => chipEntry(each));
const llama = architecture("llama-3.1-8b")!;

function asked(words: string, among = entries): Question {
  const outcome = parseQuestionWords(
    words.split(" ").filter(Boolean),
    among.map(({ id }) => id),
  );
  if (!outcome.ok) throw new Error(outcome.problem);
  return outcome.question;
}
const view = (name: ViewName, words = "", among = entries) => raceView(name, among, asked(words, among));

/** All tables of a view, those beneath charts too. */
const tablesOf = (name: ViewName, words = "", among = entries): Table[] => {
  const { charts, tables } = view(name, words, among);
  return [...charts.map(({ table }) => table), ...tables];
};

const cellAt = ({ columns, rows }: Table, name: string, column: string): Cell => {
  const row = rows.find(([first]) => first?.text === name);
  const cell = row?.[columns.indexOf(column)];
  if (cell === undefined) throw new Error(`no ${column} of ${name} among ${columns.join(", ")}`);
  return cell;
};

const h100 = predict({
  chip: chip("h100-sxm")!,
  model: llama,
  weights: weightFormats.q4_0,
  prompt: 1024,
  output: 128,
  batch: 8,
});
if (h100.status !== "predicted" || h100.prefill === undefined || h100.throughput === undefined)
  throw new Error("H100 is not predicted");
const economics = tokenEconomics(
  { input: h100.prefill.tokensPerSecond, output: h100.decode.tokensPerSecond },
  1,
  chip("h100-sxm")!,
  asked("").assumptions,
);

describe("the compare table", () => {
  const [table] = tablesOf("compare", "batch=8") as [Table];
  const h100Cell = (column: string) => cellAt(table, "NVIDIA H100 SXM", column);

  test("has every chip, also those that cannot be predicted, whose missing figure it names", () => {
    expect(table.rows).toHaveLength(chips.length);
    expect(new Set(table.ids)).toEqual(new Set(chips.map(({ id }) => id)));
    expect(cellAt(table, "Apple A17 Pro (6-core GPU)", "prefill, tokens/s").text).toBe(
      "? (no verified memory bandwidth)",
    );
    expect(cellAt(table, "NVIDIA Groq 3 LPU (LP30)", "prefill, tokens/s").text).toBe("? (no verified peak)");
    expect(cellAt(table, "Apple M1 (8-core GPU)", "tokens/s/W").text).toBe("? (no sourced power)");
    expect(cellAt(table, "GeForce RTX 4090", "$/M tokens out").text).toBe("? (no sourced price)");
  });

  test("holds what predict and the economics say", () => {
    if (!economics.rent.known || !economics.energy.known) throw new Error("H100 has rent and power");
    expect(h100Cell("prefill, tokens/s").number).toEqual(h100.prefill?.tokensPerSecond);
    expect(h100Cell("decode, tokens/s per user").number?.value).toBeCloseTo(
      h100.decode.tokensPerSecond.value / 8,
      9,
    );
    expect(h100Cell("TTFT").number?.value).toBeCloseTo(h100.ttft!.value, 9);
    expect(h100Cell("TPOT").number?.low).toBeCloseTo(h100.tpot.low, 9);
    expect(h100Cell("served, tokens/s").number).toEqual(h100.throughput);
    expect(h100Cell("tokens/s/W").number).toEqual(economics.energy.tokensPerSecondPerWatt.output);
    expect(h100Cell("$/M tokens in").number?.value).toBeCloseTo(
      economics.rent.dollarsPerToken.input.value * 1e6,
      9,
    );
    expect(h100Cell("$/M tokens out").number?.high).toBeCloseTo(
      economics.rent.dollarsPerToken.output.high * 1e6,
      9,
    );
    expect(h100Cell("paid as").text).toBe("rent");
  });

  test("takes as few chips as hold the model: hundreds where memory is SRAM", () => {
    const [big] = tablesOf("compare", "model=llama-3.1-70b weights=f16") as [Table];
    expect(cellAt(big, "NVIDIA H100 SXM", "chips").text).toBe("2");
    expect(cellAt(big, "Groq LPU v1 (GroqChip / GroqCard)", "chips").number?.value).toBeGreaterThan(600);
    const [one] = tablesOf("compare", "model=llama-3.1-70b weights=f16 chips=1") as [Table];
    expect(cellAt(one, "NVIDIA H100 SXM", "prefill, tokens/s").text).toMatch(
      /^\? \(does not fit into 1 × .*: needs 2 chips\)$/,
    );
  });

  test("is ordered as asked, what is not known last either way", () => {
    for (const descending of [true, false]) {
      const [sorted] = tablesOf("compare", `sort=${descending ? "-" : ""}output-cost`) as [Table];
      const costs = sorted.rows.map((row) => row[sorted.columns.indexOf("$/M tokens out")]?.number?.value);
      const known = costs.filter((cost) => cost !== undefined);
      expect(known.length).toBeGreaterThan(5);
      expect(known).toEqual([...known].sort((a, b) => (descending ? b - a : a - b)));
      expect(costs.slice(known.length).every((cost) => cost === undefined)).toBe(true);
    }
    const [byName] = tablesOf("compare", "sort=chip") as [Table];
    expect(byName.rows[0]?.[0]?.text).toBe("AMD EPYC 9334 (32 cores)");
  });

  test("shows the classes and roles that are asked for", () => {
    const [some] = tablesOf("compare", "class=tpu,wafer-scale role=inference") as [Table];
    const expected = chips.filter(
      (each) => ["tpu", "wafer-scale"].includes(each.class) && each.role === "inference",
    );
    expect(new Set(some.ids)).toEqual(new Set(expected.map(({ id }) => id)));
  });

  test("reads only what is not in the cache", () => {
    const [agent] = tablesOf("compare", "scenario=agent") as [Table];
    const [whole] = tablesOf("compare", "prompt=51200 output=512") as [Table];
    const ttft = (table: Table) => cellAt(table, "NVIDIA H100 SXM", "TTFT").number!.value;
    expect(ttft(agent)).toBeLessThan(ttft(whole) / 10);
    expect(ttft(agent)).toBeGreaterThanOrEqual(h100.ttft!.value / 8 / 2);
  });
});

test.each(viewNames)("every figure of %s says where it is from", (name) => {
  for (const { title, columns, rows } of tablesOf(
    name,
    "batch=8 pick=h100-sxm,mi300x,groq-lpu-v1,apple-m1,h200-sxm",
  ))
    for (const row of rows)
      row.forEach((cell, i) => {
        const where = `${title}: ${columns[i]} of ${row[0]?.text}`;
        if (cell.number !== undefined) expect(cell.title ?? cell.href ?? "", where).not.toBe("");
        expect(cell.text, where).not.toMatch(/NaN|undefined|Infinity/);
      });
});

test("the roofline has both phases of each picked chip below its roof", () => {
  const [first] = view("roofline", "pick=h100-sxm,rtx-4090").charts;
  if (first?.chart.kind !== "roofline") throw new Error("no roofline");
  const { chart } = first;
  expect(chart.roofs.map(({ name }) => name)).toEqual(["NVIDIA H100 SXM", "GeForce RTX 4090"]);
  expect(chart.points.map(({ phase }) => phase)).toEqual(["prefill", "decode", "prefill", "decode"]);
  for (const { under, intensity, flops } of chart.points) {
    const roof = chart.roofs.find(({ name }) => name === under)!;
    expect(flops).toBeLessThan(Math.min(roof.flops, intensity * roof.bandwidth));
  }
});
test("the frontier's points are predictions at their batches", () => {
  const [first] = view("frontier", "pick=h100-sxm").charts;
  if (first?.chart.kind !== "lines") throw new Error("no lines");
  const point = first.chart.lines[0]!.points.find(({ label }) => label.startsWith("batch 8:"))!;
  expect(point.x).toBeCloseTo(1 / h100.tpot.value, 9);
  expect(point.y).toBeCloseTo(h100.decode.tokensPerSecond.value, 9);
  expect(first.table.rows.length).toBeGreaterThan(5);
});

describe("cost", () => {
  const tables = (words: string) => tablesOf("cost", words);
  const named = (all: Table[], title: RegExp) => all.find((each) => title.test(each.title))!;

  test("is the economics' own, and follows an assumption", () => {
    if (!economics.energy.known || !economics.purchase.known) throw new Error("H100 has power and price");
    const token = named(tables("batch=8"), /^A token/);
    expect(cellAt(token, "NVIDIA H100 SXM", "owned, $/M out").number?.value).toBeCloseTo(
      economics.purchase.dollarsPerToken.output.value * 1e6,
      9,
    );
    expect(cellAt(token, "NVIDIA H100 SXM", "J/token out").number).toEqual(
      economics.energy.joulesPerToken.output,
    );
    const dear = named(tables("batch=8 electricity=1"), /^A token/);
    expect(cellAt(dear, "NVIDIA H100 SXM", "electricity, $/M out").number!.value).toBeCloseTo(
      10 * cellAt(token, "NVIDIA H100 SXM", "electricity, $/M out").number!.value,
      9,
    );
  });

  test("counts units, racks and megawatts of the demand", () => {
    if (!economics.energy.known) throw new Error("H100 has power");
    const { power } = economics.energy;
    const needed = supply(5e5, { tokensPerSecond: h100.throughput!, chips: 1, power }, asked("").assumptions);
    if (!needed.possible) throw new Error(needed.reason);
    const table = named(tables("batch=8 demand=5e5"), /output tokens\/s$/);
    expect(cellAt(table, "NVIDIA H100 SXM", "racks").number).toEqual(needed.racks);
    expect(cellAt(table, "NVIDIA H100 SXM", "at the meter").number).toMatchObject(needed.facilityWatts);
  });

  test("sets bought chips against every API that sells the model", () => {
    const table = named(tables("batch=32"), /beats an API/);
    expect(table.rows.length).toBeGreaterThan(4);
    expect(table.columns).toContain("NVIDIA H100 SXM");
    expect(table.rows.flat().some(({ text }) => / years$/.test(text))).toBe(true);
    expect(named(tables("model=phi-4"), /beats an API/).note).toContain("Nobody's price");
  });

  test("leaves reference chips their sourced figures and gives one's own what the user says", () => {
    const { price: _, ...unpriced } = chip("h100-sxm")!;
    const among = [chipEntry({ ...unpriced, id: "mine", name: "Mine" }, "added"), ...entries];
    const table = named(tablesOf("cost", "rent=1", among), /^A second/);
    expect(cellAt(table, "Mine", "rent, $/h").number?.value).toBeCloseTo(1, 9);
    expect(cellAt(table, "NVIDIA H100 SXM", "rent, $/h").number?.value).toBeCloseTo(2.95, 9);
  });
});

describe("split", () => {
  test("a life's shares are the analysis' own", () => {
    const question = asked("batch=8");
    const life = lifeOf(question);
    const { share } = lifetimeSplit(life, lifeFlops(workloadConfig(llama), life));
    const table = tablesOf("split", "batch=8").find(({ title }) => title === "A model's life")!;
    expect(cellAt(table, "FLOP", "training").number?.value).toBeCloseTo(share.training.value * 100, 9);
  });

  test("has three ways for each scenario, and for a request of its own", () => {
    const [, , ways] = tablesOf("split", "prompt=100 prefill=b200 decode=h200-sxm batch=8") as [
      Table,
      Table,
      Table,
    ];
    expect(ways.rows).toHaveLength(6 * 3);
    expect(ways.rows.slice(0, 3).map((row) => row[1]?.text)).toEqual([
      "NVIDIA B200 SXM",
      "NVIDIA H200 SXM",
      "NVIDIA B200 SXM → NVIDIA H200 SXM",
    ]);
  });

  test("names what cannot be told", () => {
    const tables = tablesOf("split", "model=mixtral-8x7b prefill=tpu-8i");
    expect(tables[0]?.rows[0]?.[1]?.text).toContain("is not modelled");
    expect(tables[2]?.rows[0]?.[2]?.text).toContain("Google TPU 8i: no verified peak");
  });
});

test("a measured device and an added chip are in every view", () => {
  const result = resultOf({ words: "model=llama-3.2-1b dtype=f16" });
  const among = [
    measuredEntry(result),
    chipEntry({ ...chip("rtx-4090")!, id: "mine", name: "Mine" }, "added"),
    ...entries,
  ];
  for (const name of viewNames.filter((each) => each !== "split")) {
    const text = JSON.stringify(view(name, "model=llama-3.2-1b weights=f16 pick=h100-sxm", among));
    expect(text, name).toContain("Mine");
    expect(text, name).toContain(", measured");
  }
  const [table] = tablesOf("compare", "model=llama-3.2-1b weights=f16", among) as [Table];
  const row = table.rows[table.ids!.indexOf(MEASURED_ID)]!;
  expect(row[table.columns.indexOf("decode, tokens/s per user")]?.number?.value).toBeGreaterThan(0);
  const [other] = tablesOf("compare", "model=llama-3.2-1b weights=q4_0", among) as [Table];
  expect(other.rows[other.ids!.indexOf(MEASURED_ID)]![4]?.text).toMatch(/no .* was measured/);
});

test("an old result still stands among the chips", () => {
  const parsed = parseResult(
    JSON.parse(readFileSync(new URL("../fixtures/result-1.json", import.meta.url), "utf8")),
  );
  if (!parsed.ok) throw new Error(parsed.problem);
  const among = [measuredEntry(parsed.result), ...entries];
  expect(tablesOf("compare", "", among)[0]?.ids).toContain(MEASURED_ID);
});

describe("as files", () => {
  const report = (name: ViewName, words = "") => raceReport(view(name, words), asked(words));

  test.each(viewNames)(
    "%s is JSON with figures, CSV with a column for each end of an interval, and Markdown",
    (name) => {
      expect(JSON.parse(json(report(name, "batch=8")))).toEqual(report(name, "batch=8"));
      const lines = csv(report(name, "batch=8")).split("\n");
      expect(lines.some((line) => line.includes(", low") && line.includes(", high"))).toBe(true);
      expect(markdown(report(name))).toContain("## ");
    },
  );

  test("CSV holds plain numbers in one unit per column", () => {
    const [header = "", ...rows] = csv(report("compare", "class=tpu")).split("\n\n")[1]!.split("\n");
    const column = header.split(",").indexOf('"TTFT');
    expect(header).toContain('"TTFT, s","TTFT, s, low","TTFT, s, high"');
    expect(column).toBeGreaterThan(0);
    expect(rows).toHaveLength(6);
    expect(rows.join()).not.toMatch(/"\d{1,3},\d{3}/);
  });
});
