import { describe, expect, test } from "vitest";
import { chip, chips } from "../../src/chips/index";
import { formats } from "../../src/report/formats";
import { decodeLink, encodeLink } from "../../src/report/link";
import { report } from "../../src/report/report";
import { parseResult, type Result } from "../../src/result";
import { copyOf, eventful, noisy, resultOf } from "./result_fixture";

const few = chips.slice(0, 2);
const tableOf = (result: Result, title: string) =>
  report(result, few)
    .tables.find((table) => table.title === title)!
    .rows.map((row) => row.map(({ text }) => text));

describe("a software adapter", () => {
  const software = (agent: string, kind: "browser" | "node" = "browser"): Result => {
    const { host, device, ...rest } = eventful();
    const reason = 'the adapter calls itself "llvmpipe (LLVM 20.1)"';
    return { ...rest, host: { ...host, agent, kind }, device: { ...device, software: reason } };
  };

  test.each([
    [
      "Chrome",
      "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36",
    ],
    ["Firefox", "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0"],
    [
      "Safari",
      "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15",
    ],
    ["Node", "Node 22.20.0, Dawn, linux x64", "node"],
  ] as const)(
    "is called a CPU in the title, a warning and every chart: %s",
    (_, agent, kind: "browser" | "node" = "browser") => {
      const { title, warnings, software: flag, comparisons } = report(software(agent, kind), few);
      expect(flag).toBe(true);
      expect(title).toMatch(/software adapter: a CPU/);
      expect(warnings[0]).toMatch(/^Software adapter: these are a CPU's numbers.*llvmpipe/);
      for (const { chart } of comparisons) expect(chart.bars[0]!.name).toMatch(/a CPU/);
    },
  );

  test("is not suspected where there is a GPU", () => {
    const { title, warnings, software: flag } = report(eventful(), few);
    expect(flag).toBe(false);
    expect(title).toBe("Made-Up GPU 1000 (Chrome 150)");
    expect(warnings.join()).not.toMatch(/CPU/);
  });
});

describe("the device's name", () => {
  const named = (device: Partial<Result["device"]>, agent = "") => {
    const result = eventful();
    return report({ ...result, host: { ...result.host, agent }, device: { ...result.device, ...device } }, [])
      .title;
  };

  test("is the most telling of what the browser gives away", () => {
    expect(named({ description: "" })).toBe("nvidia ada");
    expect(named({ description: "", vendor: "apple", architecture: "" })).toBe("apple");
    expect(named({ description: "", vendor: "", architecture: "" })).toBe("unnamed adapter");
  });

  test("says Edge where it is Edge, though its agent says Chrome too", () => {
    expect(named({}, "Mozilla/5.0 Chrome/150.0.0.0 Safari/537.36 Edg/151.0.0.0")).toBe(
      "Made-Up GPU 1000 (Edge 151)",
    );
  });
});

describe("headlines, by hand", () => {
  const headlineOf = (words: string) => report(resultOf({ words }), []).headlines[0]!;

  test("prefill is judged by the share of the compute roof", () => {
    const { main, mainValue, rate, share, meaning } = headlineOf("dtype=f32 tg=0");
    // 2 · 512 · 16 · 60.8e6 FLOP of matrix products and 4 · 64 FLOP per head and causal pair at half of
    // 10 TFLOP/s; the LM head of one token waits for its weights at half of 800 GB/s.
    const flops = 2 * 512 * 16 * 60_817_408 + 16 * 4 * 32 * 64 * ((512 * 513) / 2);
    const head = 2048 * 128_256;
    const seconds = flops / 5e12 + (4 * (head + 2048 + 128_256)) / 400e9;
    expect(mainValue / (512 / seconds)).toBeCloseTo(1, 4);
    expect(main).toBe("2,490 tokens/s (2,490 … 2,490)");
    expect(rate).toBe("4.94 TFLOP/s (4.94 … 4.94)");
    expect(share).toBe("49.4 % (49.4 … 49.4) of this device's own fma roof");
    expect(meaning).toMatch(/^a prompt of 512 tokens is read in 205 ms \(TTFT/);
  });

  test("a workload with some of its kernels only has a rate but no tokens", () => {
    const { main, share, workload } = headlineOf("dtype=f32 tg=0 kernel=matmul");
    expect(workload).toBe("pp512 [matmul]");
    expect(main).toBe("5.00 TFLOP/s (5.00 … 5.00)");
    expect(share).toBe("50.0 % (50.0 … 50.0) of this device's own fma roof");
  });

  test("decode is judged by the share of the bandwidth roof", () => {
    const { mainValue, rate, share, meaning } = headlineOf("dtype=f32 pp=0 tg=1");
    const activations = 16 * (2048 + 3072 + 2048 + 2048 + 2048 + 16_384 + 8192 + 2048) + 2048 + 128_256;
    const cache = 16 * 2 * (32 + 8) * 64;
    const seconds = (4 * (1_235_746_816 + activations + cache)) / 400e9;
    expect(mainValue / (1 / seconds)).toBeCloseTo(1, 4);
    expect(rate).toBe("400 GB/s (400 … 400)");
    expect(share).toBe("80.0 % (80.0 … 80.0) of this device's own read roof");
    expect(meaning).toMatch(/^12\.4 ms per token of each sequence \(TPOT/);
  });

  test("the time per token is that of each sequence, tokens per second those of all", () => {
    const one = headlineOf("dtype=f32 pp=0 tg=16");
    const eight = headlineOf("dtype=f32 pp=0 tg=16 batch=8");
    expect(eight.mainValue / one.mainValue).toBeGreaterThan(7.5);
    expect(eight.meaning.slice(0, 4)).toBe(one.meaning.slice(0, 4));
  });

  test("a single kernel is judged by the roof that binds it", () => {
    expect(headlineOf("dtype=f32 kernel=matmul:1000x1000x1000")).toMatchObject({
      main: "5.00 TFLOP/s (5.00 … 5.00)",
      share: "50.0 % (50.0 … 50.0) of this device's own fma roof",
      meaning: "400 µs per call",
    });
    expect(headlineOf("dtype=f32 kernel=matvec:1x4096x4096")).toMatchObject({
      main: "400 GB/s (400 … 400)",
      share: "80.0 % (80.0 … 80.0) of this device's own read roof",
    });
  });

  test("noise shows as an interval around the figure", () => {
    const { main } = report(resultOf({ words: "dtype=f32", samples: noisy }), []).headlines[1]!;
    const [figure, low, high] = main.match(/[\d.]+/g)!.map(Number);
    expect(low!).toBeLessThan(high!);
    expect(figure!).toBeGreaterThanOrEqual(low!);
    expect(figure!).toBeLessThanOrEqual(high!);
  });

  test("without a roof there is no share", () => {
    const result = resultOf({
      words: "dtype=f32",
      instead: (call, dtype) =>
        call.kernel === "fma" ? { status: "skipped", call, dtype, reason: "no fma" } : undefined,
    });
    expect(report(result, []).headlines.map(({ share }) => share)).toEqual([
      "no roof was measured",
      "no roof was measured",
    ]);
  });

  test("a workload with a failed or skipped step has none, and its row says why", () => {
    expect(report(eventful(), []).headlines.map(({ dtype }) => dtype)).toEqual(["f32", "f32"]);
    const rows = tableOf(eventful(), "Workloads");
    expect(rows).toHaveLength(4);
    expect(rows[2]!.join(" ")).toMatch(
      /pp512 f16 GPU not measured: attention failed: attention: element \(3, 5\)/,
    );
    expect(rows[3]!.join(" ")).toMatch(/tg128 f16 GPU not measured: this device has no memory left/);
  });
});

describe("tables", () => {
  test("have a cell for every column", () => {
    const { tables, comparisons, rooflines } = report(eventful(), chips);
    for (const { title, columns, rows } of [
      ...tables,
      ...[...comparisons, ...rooflines].map(({ table }) => table),
    ]) {
      expect(rows.length, title).toBeGreaterThan(0);
      for (const row of rows) expect(row.length, title).toBe(columns.length);
    }
  });

  test("of cells have every outcome, measured or not", () => {
    const rows = tableOf(eventful(), "Cells");
    expect(rows).toHaveLength(28);
    expect(rows.flat().join("\n")).toContain("failed: attention: element (3, 5) is 0.25, should be 0.5");
    expect(rows.flat().join("\n")).toContain("skipped: this device has no memory left");
  });

  test("of cells say how far each figure can be trusted", () => {
    const { tables } = report(eventful(), few);
    const { columns, rows } = tables.find(({ title }) => title === "Cells")!;
    const row = Object.fromEntries(rows[3]!.map(({ text }, i) => [columns[i], text]));
    const cell = eventful().outcomes[3]!;
    if (cell.status !== "measured") throw new Error("the fixture's fourth cell is measured");
    expect(row).toMatchObject({
      call: "matmul 512x3072x2048",
      samples: "20",
      outliers: "0 / 0",
      "stopped by": "precise",
      clock: "timestamp-query",
      checked: cell.check.coverage === 1 ? "100 %" : "25.0 %",
      output: cell.check.hash,
    });
    expect(row.error).toMatch(/^[\d.]+ %$/);
    expect(Number.parseFloat(row["device slower"]!)).toBeLessThan(2);
    expect(cell.check.hash).toMatch(/^[0-9a-f]{8}$/);
  });

  test("of cells count outliers, name what stopped sampling and how slow the device was", () => {
    const result = copyOf(resultOf({ words: "dtype=f32 kernel=matvec", samples: noisy }));
    const cell = result.outcomes.at(-1);
    for (const span of cell.timing.spans.slice(0, 3)) span.gpu *= 2;
    cell.stopped = "noise";
    cell.check.coverage = 0;
    for (const reading of cell.readings) result.reference.readings[reading].samples = Array(5).fill(6.25e-4);
    const parsed = parseResult(result);
    if (!parsed.ok) throw new Error(parsed.problem);
    const { columns, rows } = report(parsed.result, few).tables.find(({ title }) => title === "Cells")!;
    const row = Object.fromEntries(rows.at(-1)!.map(({ text }, i) => [columns[i], text]));
    expect(row).toMatchObject({ outliers: "0 / 1", "stopped by": "stable noise", checked: "" });
    expect(Number.parseFloat(row["device slower"]!)).toBeCloseTo(25, -0.5);
  });

  test("of cells leave blank what a link does not keep", async () => {
    const shared = await decodeLink(await encodeLink(eventful()));
    if (!shared.ok) throw new Error(shared.problem);
    const { columns, rows } = report(shared.result, few).tables.find(({ title }) => title === "Cells")!;
    for (const heading of ["outliers", "output"])
      expect(rows.map((row) => row[columns.indexOf(heading)]!.text)).toEqual(rows.map(() => ""));
    for (const heading of ["stopped by", "device slower", "checked"])
      expect(rows[0]![columns.indexOf(heading)]!.text).not.toBe("");
  });

  test("of states have the first run, the cache-hot time and the sustained time beside the burst", () => {
    const result = resultOf({ words: "dtype=f32 kernel=matmul:1000x1000x1000 sustain=5" });
    const { columns, rows } = report(result, few).tables.find(({ title }) => title.startsWith("Cold"))!;
    expect(columns).toEqual([
      "call",
      "type",
      "compile",
      "first run",
      "cache-cold",
      "cache-hot",
      "hot / cold",
      "sustained",
      "sustained / burst",
      "after load for",
    ]);
    const row = rows.at(-1)!.map(({ text }) => text);
    // 400 µs a call; the fixture's cache takes three quarters, a hot device a tenth more.
    expect(row.slice(0, 2)).toEqual(["matmul 1000x1000x1000", "f32"]);
    expect(row.slice(3)).toEqual([
      "6.20 ms",
      "400 µs (400 … 400)",
      "300 µs (300 … 300)",
      "75.0 %",
      "440 µs (440 … 440)",
      "110 %",
      "5.00 s",
    ]);
    expect(rows.at(-1)![3]!.title).toBe("1.20 ms by GPU timestamps");
    // Arithmetic in registers streams nothing that a cache could hold.
    expect(rows[0]!.map(({ text }) => text).slice(5, 7)).toEqual(["", ""]);
  });

  test("of states have no column for what was not asked, and no row for what failed", () => {
    const { columns, rows } = report(eventful(), few).tables.find(({ title }) => title.startsWith("Cold"))!;
    expect(columns).not.toContain("sustained");
    expect(columns).toContain("cache-hot");
    expect(rows).toHaveLength(26);
    expect(report({ ...eventful(), outcomes: [] }, few).tables.map(({ title }) => title)).not.toContain(
      "Cold, cached and sustained",
    );
  });

  test("of instruments say where the cache ends and how steady the device was", () => {
    const rowsOf = (change: Partial<Result>) =>
      Object.fromEntries(tableOf({ ...eventful(), ...change }, "Instruments")) as Record<string, string>;
    const usual = rowsOf({});
    expect(usual["working set that a cache holds"]).toBe("32.0 MiB");
    expect(usual["readings of the reference kernel"]).toBe("52");
    expect(usual["the device's speed wandered by"]).toMatch(/^0\.\d+ %$|^no more than its noise$/);
    const flat = eventful().cacheCurve.map(({ bytes }) => ({ bytes, seconds: bytes / 1e12 }));
    expect(rowsOf({ cacheCurve: flat })["working set that a cache holds"]).toBe("no edge seen up to 256 MiB");
    const none = rowsOf({ cacheCurve: [], reference: null });
    expect(none["working set that a cache holds"]).toBe("not measured");
    expect(none["readings of the reference kernel"]).toBe("none");
    const { call } = eventful().reference!;
    const readings = [1, 1.1, 0.9, 1, 1.1, 0.9].map((speed, at) => ({
      at,
      samples: Array(5).fill(1e-3 * speed),
    }));
    expect(rowsOf({ reference: { call, readings } })["the device's speed wandered by"]).toBe("14.8 %");
    expect(
      rowsOf({ reference: { call, readings: readings.slice(0, 3) } })["the device's speed wandered by"],
    ).toBe("too few readings");
  });

  test("of comparisons have every chip, with the addresses its figures are from or the reason it has no bound", () => {
    const { table } = report(eventful(), chips).comparisons[0]!;
    expect(table.rows.map(([name]) => name!.text).toSorted()).toEqual(
      chips.map(({ name }) => name).toSorted(),
    );
    for (const row of table.rows) {
      if (row[1]!.text.startsWith("? (no sourced")) continue;
      for (const { text, href, title } of [row[5]!, row[6]!]) {
        if (href === undefined) expect(title, text).toMatch(/^derived: /);
        else expect(href, text).toMatch(/^https:\/\//);
      }
    }
  });

  test("of comparisons say what share of a chip's bound was measured", () => {
    const result = resultOf({ words: "dtype=f16 pp=0 tg=1" });
    const { table } = report(result, [chip("h100-sxm")!]).comparisons[0]!;
    // 400 of 3,350 GB/s, on the same bytes.
    expect(table.rows[0]![2]!.text).toBe("11.9 %");
    expect(table.rows[0]![4]!.text).toBe("1");
  });
});

describe("charts", () => {
  const { comparisons, rooflines } = report(eventful(), chips);

  test("compare at least a dozen, the measured device first and then the fastest", () => {
    expect(comparisons).toHaveLength(2);
    for (const { chart } of comparisons) {
      expect(chart.bars.length).toBeGreaterThanOrEqual(12);
      expect(chart.bars.map(({ own }) => own)).toEqual(chart.bars.map((_, i) => i === 0));
      const bounds = chart.bars.slice(1).map(({ value }) => value);
      expect(bounds).toEqual(bounds.toSorted((a, b) => b - a));
      expect(Math.min(...chart.bars.map(({ value }) => value))).toBeGreaterThan(0);
    }
  });

  test("say where both figures behind every bar of a chip come from", () => {
    for (const { chart } of comparisons) {
      expect(chart.bars[0]!.source).toMatch(/^measured: .* tokens\/s/);
      for (const { name, source } of chart.bars.slice(1)) {
        expect(source, name).toMatch(
          /tokens\/s at most: .*FLOP\/s dense .*: (https:\/\/\S+|derived) “.*; .*B\/s \(.*: (https:\/\/\S+|derived) “/s,
        );
      }
    }
  });

  test("have a name of their own, in a result of several models too", () => {
    const several = report(resultOf({ words: "model=llama-3.2-1b,smollm2-135m depth=0,64 batch=1,2" }), few);
    const ids = [...several.comparisons, ...several.rooflines].map(({ chart }) => chart.id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("of the roofline hold the measured steps under the measured roof", () => {
    expect(rooflines.map(({ chart }) => chart.id)).toEqual(["roofline f32", "roofline f16"]);
    const [f32] = rooflines;
    const own = f32!.chart.roofs.find((each) => each.own)!;
    expect(f32!.chart.roofs.length).toBeGreaterThan(3);
    expect(f32!.chart.points.length).toBe(11);
    for (const { name, intensity, flops } of f32!.chart.points)
      expect(flops, name).toBeLessThanOrEqual(1.05 * Math.min(own.flops, intensity * own.bandwidth));
  });
});

/** Whatever an adapter, a link or a file may call things. */
const HOSTILE =
  'a|b\n\n## Owned\n- [x](javascript:alert(1)) <img src=x onerror=alert(1)> `code` *bold* __bold__ \\| \r\n```\n"q",=1+1';

function hostile(): Result {
  const result = copyOf(eventful());
  Object.assign(result.device, { description: HOSTILE, vendor: HOSTILE, features: [HOSTILE] });
  result.device.software = HOSTILE;
  result.host.agent = `${HOSTILE} Firefox/153.0`;
  result.completion = { status: "partial", reason: HOSTILE };
  result.tool.version = HOSTILE;
  result.workloads[0].id = HOSTILE;
  for (const step of result.workloads[1].steps) step.label = HOSTILE;
  for (const outcome of result.outcomes)
    Object.assign(
      outcome,
      outcome.status === "measured" ? { tuning: HOSTILE } : {},
      outcome.status === "failed" ? { error: HOSTILE } : {},
      outcome.status === "skipped" ? { reason: HOSTILE } : {},
    );
  for (const each of result.residency) Object.assign(each, { model: HOSTILE, layers: 1 });
  const parsed = parseResult(result);
  if (!parsed.ok) throw new Error(parsed.problem);
  return parsed.result;
}

/** The Markdown outside of code fences, line by line. */
const prose = (text: string) =>
  text
    .split(/^```$/m)
    .filter((_, i) => i % 2 === 0)
    .join("")
    .split("\n");

describe("Markdown", () => {
  const text = formats.markdown(report(eventful(), chips));

  test("has the title, the warnings, the headlines, the tables and the bars", () => {
    expect(text.startsWith("# Made-Up GPU 1000 (Chrome 150)\n")).toBe(true);
    expect(text).toContain("> attention 1x512x512x32x8x64x512 f16 failed and has no time");
    expect(text).toMatch(/^\*\*llama-3\.2-1b pp512 f32: [\d,.]+ tokens\/s \(.*\)\*\*$/m);
    for (const heading of ["Workloads", "Cells", "Instruments", "Environment"])
      expect(text).toContain(`## ${heading}\n`);
    expect(text).toMatch(/^This device, measured, f32 +[\d,.]+ {2}█+$/m);
    expect(text).toMatch(/^NVIDIA H100 SXM +[\d,]+ {2}▒+$/m);
  });

  test("draws a longer bar for a faster chip", () => {
    const charts = text.split(/^```$/m).filter((_, i) => i % 2 === 1);
    expect(charts).toHaveLength(2);
    for (const chart of charts) {
      const bars = [...chart.matchAll(/^.*? {2,}([\d,.]+) {2}([█▒]+)$/gm)]
        .map(([, value, bar]) => ({ value: Number(value!.replaceAll(",", "")), length: bar!.length }))
        .sort((a, b) => a.value - b.value);
      expect(bars.length).toBeGreaterThanOrEqual(12);
      const lengths = bars.map(({ length }) => length);
      expect(lengths).toEqual(lengths.toSorted((a, b) => a - b));
      expect(lengths.at(-1)!).toBeGreaterThan(2 * lengths[0]!);
    }
  });

  test.each([
    ["everyday", eventful()],
    ["hostile", hostile()],
  ])("keeps its tables in one piece with %s names", (_, result) => {
    const { tables } = report(result, few);
    const rows = prose(formats.markdown(report(result, few))).filter((line) => line.startsWith("|"));
    const columns = rows.map((line) => line.replace(/\\./g, "").split("|").length - 2);
    expect(columns).toEqual(
      tables.flatMap(({ columns, rows }) => Array.from({ length: rows.length + 2 }, () => columns.length)),
    );
  });

  test("lets no name become a heading, an element, a link or code", () => {
    const written = formats.markdown(report(hostile(), few));
    expect(written.match(/^```$/gm)!.length % 2).toBe(0);
    expect(written.match(/^#+ Owned/gm)).toBeNull();
    for (const line of prose(written)) {
      const plain = line.replace(/\\./g, "");
      expect(plain).not.toMatch(/<img|\[x\]|`code`/);
    }
  });

  test("draws each bar on a line of its own, whatever it is called", () => {
    const written = formats.markdown(report(hostile(), few));
    for (const line of written
      .split(/^```$/m)
      .filter((_, i) => i % 2 === 1)
      .join("")
      .split("\n"))
      if (line !== "") expect(line).toMatch(/[█▒]$/);
  });
});

/** A reader of RFC 4180 that takes a bare CR for the end of a line, as spreadsheets do. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [[]];
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|\r|\n|$)/g)) {
    rows.at(-1)!.push(quoted?.replaceAll('""', '"') ?? plain ?? "");
    if (end !== ",") rows.push([]);
  }
  return rows;
}

describe("CSV", () => {
  test.each([
    ["everyday", eventful()],
    ["hostile", hostile()],
  ])("has as many fields in each row as its table has columns, with %s names", (_, result) => {
    const { warnings, tables, comparisons, rooflines } = report(result, few);
    const all = [...tables, ...[...rooflines, ...comparisons].map(({ table }) => table)];
    const rows = parseCsv(formats.csv(report(result, few))).filter((row) => row.length > 1);
    // A header, the title and the warnings come first, each beside the table's name.
    const remarks = Array.from({ length: 2 + warnings.length }, () => 2);
    expect(rows.map((row) => row.length)).toEqual(
      remarks.concat(
        all.flatMap(({ columns, rows }) => Array.from({ length: rows.length + 1 }, () => columns.length + 1)),
      ),
    );
    expect(rows.flat()).toContain(tables.at(-1)!.rows[0]![1]!.text);
  });

  test.each(["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])("keeps %j text", (formula) => {
    const result = eventful();
    const device = { ...result.device, description: formula };
    const fields = parseCsv(formats.csv(report({ ...result, device }, few))).flat();
    expect(fields.filter((field) => field.includes(formula.trim())).length).toBeGreaterThan(0);
    expect(fields.filter((field) => /^[=+\-@\t\r]/.test(field))).toEqual([]);
  });
});

describe("JSON", () => {
  test("is the whole report", () => {
    const whole = report(hostile(), few);
    expect(JSON.parse(formats.json(whole))).toEqual(JSON.parse(JSON.stringify(whole)));
  });
});

describe("whatever is accepted can be reported", () => {
  /** Figures that came to nothing. */
  const holesOf = (text: string): string[] => text.match(/\bNaN\b|\bundefined\b/g) ?? [];

  test.each([
    "matmul:64x64x64",
    "matvec:1x64x64",
    "attention:1x1x64x8x8x64x64",
    "fma:64x4x8",
    "read:4x64",
    "copy:64",
    "fill:64x1x1",
    "empty:1",
  ])("a single call of %s", (call) => {
    const result = resultOf({ words: `dtype=f32 kernel=${call}`, samples: () => [2e-6, 2e-6, 2e-6] });
    const { headlines } = report(result, few);
    expect(headlines).toHaveLength(1);
    for (const format of Object.values(formats)) expect(holesOf(format(report(result, few)))).toEqual([]);
  });

  const cases: [name: string, change: (result: ReturnType<typeof copyOf>) => void][] = [
    ["a model from another version", (result) => (result.workloads[0].model = "llama-9-1b")],
    ["a model called constructor", (result) => (result.workloads[0].model = "constructor")],
    ["a model called __proto__", (result) => (result.workloads[0].model = "__proto__")],
    ["no outcomes", (result) => (result.outcomes = [])],
    ["no workloads", (result) => (result.workloads = [])],
    ["a workload without steps", (result) => (result.workloads[0].steps = [])],
    [
      "steps that are made no times",
      (result) =>
        (result.workloads[0].steps = result.workloads[0].steps.map((step: object) => ({
          ...step,
          count: 0,
        }))),
    ],
    ["no tokens", (result) => (result.workloads[0].tokens = 0)],
    ["a cell without spans", (result) => (result.outcomes[3].timing.spans = [])],
    [
      "a cell with spans of one length",
      (result) => (result.outcomes[3].timing.spans = Array(3).fill(result.outcomes[3].timing.spans[0])),
    ],
    [
      "a clock that stood still",
      (result) =>
        (result.outcomes[3].timing.spans = [4, 8, 12].map((dispatches) => ({ dispatches, wall: 0, gpu: 0 }))),
    ],
    ["a device without limits", (result) => (result.device.limits = {})],
    ["the same cell twice", (result) => result.outcomes.push(result.outcomes[3])],
  ];

  test.each(cases)("%s", (_, change) => {
    const result = copyOf(eventful());
    change(result);
    const outcome = parseResult(result);
    if (!outcome.ok) return expect(outcome.problem).toMatch(/^(workloads|outcomes)\b/);
    for (const format of Object.values(formats)) {
      const text = format(report(outcome.result, few));
      expect(holesOf(text)).toEqual([]);
    }
  });
});
