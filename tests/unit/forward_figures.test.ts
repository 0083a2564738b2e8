// What a report says of models that were run whole, by hand; and that a link says the same.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { diagnose } from "../../src/analysis/diagnose";
import { wholeModels } from "../../src/analysis/forward";
import { throughputs } from "../../src/analysis/throughput";
import { chips } from "../../src/chips";
import { formats } from "../../src/report/formats";
import { decodeLink, encodeLink } from "../../src/report/link";
import { pack, unpack } from "../../src/report/link_packing";
import { report } from "../../src/report/report";
import { parseResult, type Result } from "../../src/result";
import { around, everyRun, forwarded, ran } from "./forward_fixture";
import { resultOf } from "./result_fixture";

const few = chips.slice(0, 2);

function only(result: Result) {
  const [whole] = wholeModels(result);
  if (whole === undefined) throw new Error("nothing was run whole");
  return whole;
}

async function shared(result: Result): Promise<Result> {
  const outcome = await decodeLink(await encodeLink(result));
  if (!outcome.ok) throw new Error(outcome.problem);
  return outcome.result;
}

describe("a whole model", () => {
  const result = forwarded();
  const whole = only(result);

  test("has the median and the tails of its steps", () => {
    const { statistics } = whole.perToken;
    expect(statistics).toMatchObject({ count: 11, median: 0.01 });
    // Of eleven sorted samples the tenth, and nine tenths of the way from it to the last.
    expect(statistics.p90).toBeCloseTo(0.011, 9);
    expect(statistics.p99).toBeCloseTo(0.011 + 0.9 * 0.009, 9);
    expect(whole.firstToken.measured.value).toBe(0.5);
    expect(whole.interactive.median).toBe(0.012);
  });

  test("reads and writes so many tokens per second", () => {
    expect(whole.promptTokensPerSecond.value).toBeCloseTo(1024, 9);
    expect(whole.tokensPerSecond.value).toBeCloseTo(100, 9);
    expect(whole.interactiveTokensPerSecond.value).toBeCloseTo(1000 / 12, 9);
  });

  test("pays for reading tokens back, and for the harness", () => {
    expect(whole.readBack).toBeCloseTo(0.002, 9);
    expect(whole.harness).toBeCloseTo(0.0005, 9);
    const wall = forwarded(undefined, {
      decode: { ...whole.run.decode, clock: "wall", grouped: 8 },
    });
    expect(only(wall).harness).toBeUndefined();
  });

  test("stands beside the sum of its kernels", () => {
    const [prefill, decode] = throughputs(result);
    if (!prefill?.complete || !decode?.complete) throw new Error("the fixture is complete");
    expect(whole.firstToken.kernels).toBe(prefill.seconds.value);
    expect(whole.perToken.kernels).toBe(decode.seconds.value / 128);
  });

  test("and the roof: FLOP of the prompt, weights and KV cache of a step", () => {
    // 10 TFLOP/s and 500 GB/s.
    expect(whole.firstToken.roofline).toBeCloseTo(0.125, 4);
    expect(whole.perToken.roofline).toBeCloseTo(0.005, 5);
    expect(whole.flopsPerSecond.value).toBeCloseTo(2.5e12, -3);
    expect(whole.bytesPerSecond.value).toBeCloseTo(2.5e11, -3);
  });

  test("of several prompts at once has so many times one prompt's kernels as an upper bound, and counts all tokens", () => {
    const eight = forwarded("forward=on dtype=f32 batch=8");
    const [prefill] = throughputs(eight);
    if (!prefill?.complete) throw new Error("the fixture is complete");
    const { firstToken, perToken, ...rates } = only(eight);
    expect(firstToken).toMatchObject({ kernels: 8 * prefill.seconds.value, kernelsAtMost: true });
    expect(perToken.kernels).toBeGreaterThan(0);
    expect(perToken.kernelsAtMost).toBe(false);
    expect(rates.tokensPerSecond.value).toBeCloseTo(800, 9);
    expect(rates.promptTokensPerSecond.value).toBeCloseTo(8 * 1024, 9);
    const [row] = report(eight, few).tables.find(({ title }) => title === "Whole models, run")?.rows ?? [];
    expect(row?.slice(8, 10).map(({ text }) => text.slice(0, 2))).toEqual(["≤ ", "≤ "]);
  });

  test("divides a step into shares", () => {
    expect(whole.breakdown.map(({ label, share }) => [label, Number(share.toFixed(6))])).toEqual([
      ["gate_up_proj", 0.6],
      ["down_proj", 0.3],
      ["sample", 0.1],
    ]);
    expect(only(forwarded(undefined, { breakdown: null })).breakdown).toEqual([]);
  });

  test("has no comparison where no kernel and no roof was measured", () => {
    const bare = { ...result, outcomes: [] };
    expect(only(bare).perToken).toMatchObject({ kernels: undefined, roofline: undefined });
    expect(() => report(bare, few)).not.toThrow();
  });
});

describe("the report", () => {
  const result = forwarded();
  const { headlines, tables, breakdowns } = report(result, few);
  const tableOf = (title: string) => tables.find((each) => each.title === title);
  const texts = (title: string) => tableOf(title)?.rows.map((row) => row.map(({ text }) => text));

  test("has headlines of what was run whole, with the sum of kernels beside them", () => {
    const [prefill, decode, half] = headlines;
    expect(prefill).toMatchObject({ workload: "pp512", dtype: "f32", mainValue: 1024 });
    expect(prefill?.whole).toMatch(/^run whole; its kernels add up to [\d,.]+ tokens\/s \(/);
    expect(prefill?.rate).toMatch(/^2\.50 TFLOP\/s/);
    expect(prefill?.share).toMatch(/^25\.0 % .* of this device's own fma roof$/);
    expect(prefill?.meaning).toBe("the first token of an answer to 512 tokens comes after 500 ms (TTFT)");
    expect(decode?.main).toMatch(/^100 tokens\/s \(/);
    expect(decode?.share).toMatch(/^50\.0 % .* own read roof$/);
    expect(decode?.meaning).toBe(
      "10.0 ms per token of each sequence (TPOT), 12.0 ms with each token read back",
    );
    expect(half).toMatchObject({ workload: "pp512", dtype: "f16" });
    expect(half?.whole).toBeUndefined();
  });

  test("has a row for each figure, and one for each that has none", () => {
    const rows = texts("Whole models, run") ?? [];
    expect(rows.map((row) => row[3])).toEqual([
      "TTFT",
      "prompt",
      "TPOT",
      "TPOT, each token read back",
      "answer",
      "answer, each token read back",
      "failed: step 3 wrote another token",
      "skipped: this device has no such type",
    ]);
    const tpot = rows[2] ?? [];
    expect(tpot.slice(0, 3)).toEqual(["llama-3.2-1b", "pp512+tg128", "f32"]);
    expect(tpot.slice(5, 8)).toEqual(["11.0 ms", "", "11"]);
    expect(tpot.slice(10)).toEqual(["5.00 ms", "50.0 %"]);
    expect(rows[4]?.slice(10)).toEqual(["200 tokens/s", "50.0 %"]);
  });

  test("says what memory it took and where a token's time goes, as text and as a chart", () => {
    const [row] = texts("Whole models: memory, and how they were run") ?? [];
    expect(row?.slice(3, 10)).toEqual([
      "3.73 GiB",
      "3.73 GiB",
      "4.77 MiB",
      "2.86 MiB",
      "16 of 16",
      "512",
      "128 of 128",
    ]);
    expect(row?.slice(-2)).toEqual(["2.00 ms", "500 µs"]);
    expect(texts("Where a token's time goes, kernel by kernel")?.[0]?.slice(3)).toEqual([
      "gate_up_proj",
      "swiglu",
      "16",
      "6.00 ms",
      "60.0 %",
      "375 µs",
      "3.75 %",
    ]);
    expect(breakdowns?.map(({ chart }) => chart.title)).toEqual([
      "Where a token's time goes: llama-3.2-1b",
      "Where a token's time goes, kernel by kernel: llama-3.2-1b",
      "Time to first token (TTFT): llama-3.2-1b",
      "Time per token, free-running (TPOT): llama-3.2-1b",
    ]);
  });

  test("has none of it where no model was run whole", () => {
    const { tables: usual, breakdowns: none } = report(resultOf(), few);
    expect(usual.filter(({ title }) => /Whole|token's/.test(title))).toEqual([]);
    expect(none).toEqual([]);
  });

  test("claims no interval of a single sample", () => {
    const one = { kind: "samples" as const, seconds: [0.5] };
    const prefill = { ...only(result).run.prefill, times: one };
    expect(report(forwarded(undefined, { prefill }), few).headlines[0]?.main).toBe("1,020 tokens/s");
  });

  test("tells percentiles only from as many steps as they take, each timed by itself", () => {
    const { decode } = only(result).run;
    const tailsOf = (changes: Partial<typeof decode>) => {
      const { tables } = report(forwarded(undefined, { decode: { ...decode, ...changes } }), few);
      const rows = tables.find(({ title }) => title === "Whole models, run")?.rows ?? [];
      return rows[2]?.slice(5, 8).map(({ text }) => text);
    };
    const times = (count: number) => ({
      kind: "samples" as const,
      seconds: Array.from({ length: count }, (_, i) => (i < 0.95 * count ? 0.01 : 0.02)),
    });
    expect(tailsOf({ times: times(100) })).toEqual(["10.0 ms", "20.0 ms", "100"]);
    expect(tailsOf({ times: times(99) })).toEqual(["10.0 ms", "", "99"]);
    expect(tailsOf({ times: times(9) })).toEqual(["", "", "9"]);
    expect(tailsOf({ times: times(100), grouped: 4 })).toEqual(["", "", "100"]);
  });

  test("is Markdown that says so", () => {
    expect(formats.markdown(report(result, few))).toMatch(/\n- run whole; its kernels add up to /);
  });

  test.each([
    [{}, /f16 was not run whole: step 3 wrote another token$/],
    [{}, /^llama-3\.2-1b is not run whole: this device has no such type\.$/],
    [{ residentLayers: 2 }, /f32: 2 of 16 layers in memory took turns \(memory=1024MiB\): a cache may/],
    [{ hidden: true }, /^The page was hidden while llama-3\.2-1b pp512\+tg128 f32 ran/],
  ])("with %j remarks %s", (changes, sentence) => {
    const found = diagnose(forwarded(undefined, changes)).filter((each) => sentence.test(each));
    expect(found).toHaveLength(1);
  });

  test("remarks on a step that is faster than the roof", () => {
    const times = { kind: "samples" as const, seconds: [0.002, 0.002] };
    const decode = { ...only(result).run.decode, times };
    expect(diagnose(forwarded(undefined, { decode }))).toContainEqual(
      "Run whole, faster than the measured roof: llama-3.2-1b pp512+tg128 f32 (250 %). A cache, or a noisy probe.",
    );
  });

  test("remarks on an answer that was cut short, and in its headline", () => {
    const decode = { ...only(result).run.decode, steps: 20 };
    const cut = forwarded(undefined, { decode });
    expect(diagnose(cut).join("\n")).toMatch(/f32 wrote 20 of 128 tokens/);
    expect(report(cut, few).headlines[1]?.whole).toMatch(/^run whole for 20 of its 128 tokens; /);
  });
});

describe("a link", () => {
  test.each([
    ["all that can become of a whole model", forwarded()],
    ["the wall clock and no breakdown", wallOnly()],
    ["batches", everyRun("forward=on dtype=f32 batch=8,1 depth=4096,0")],
  ])("shows the same figures with %s", async (_, result) => {
    const opened = await shared(result);
    const [seen, here] = [report(opened, few), report(result, few)];
    expect(seen.headlines).toEqual(here.headlines);
    expect(seen.breakdowns).toEqual(here.breakdowns);
    expect(seen.curves).toEqual(here.curves);
    const whole = ({ tables }: typeof seen) => tables.filter(({ title }) => /Whole|token's/.test(title));
    expect(whole(seen)).toEqual(whole(here));
    expect(whole(here).length).toBeGreaterThan(0);
    expect(await encodeLink(opened)).toBe(await encodeLink(result));
  });

  function wallOnly() {
    const decode = { ...only(forwarded()).run.decode, clock: "wall" as const, grouped: 8 };
    return forwarded(undefined, { decode, breakdown: null, hidden: true });
  }

  test("with any character of it changed is refused or can be reported", { timeout: 60_000 }, () => {
    const text = JSON.stringify(pack(forwarded()));
    const begin = text.lastIndexOf('[[["llama-3.2-1b"');
    expect(begin).toBeGreaterThan(0);
    const place = fc.integer({ min: begin, max: text.length - 1 });
    fc.assert(
      fc.property(place, fc.constantFrom(...'0123456789[],"-e.tfw'), (at, character) => {
        const changed = text.slice(0, at) + character + text.slice(at + 1);
        let parsed: unknown;
        try {
          parsed = JSON.parse(changed);
        } catch {
          return;
        }
        const outcome = parseResult(unpack(parsed));
        if (outcome.ok) formats.csv(report(outcome.result, few));
        else expect(outcome.problem).not.toContain("\n");
      }),
      { numRuns: 60 },
    );
  });

  test("costs some hundred characters a model, and nothing where there is none", async () => {
    const plain = resultOf({ words: "preset=quick" });
    const { length } = await encodeLink(plain);
    expect(length).toBeLessThan(2000);
    const [wanted] = forwarded("preset=quick forward=on dtype=f32").forwards;
    if (wanted === undefined) throw new Error("the plan has one");
    const with1 = await encodeLink({ ...plain, forwards: [ran(wanted)] });
    expect(with1.length - length).toBeLessThan(800);
  });
});

test("what fused kernels gain is told where both were run, with an interval that both allow", () => {
  const slower = { times: { kind: "samples" as const, seconds: around(0.02) } };
  const result = forwarded("forward=on dtype=f32 fused=on,off");
  const [first] = result.forwards;
  if (first?.status !== "measured") throw new Error("nothing was measured");
  const apart = ran({ ...first, fused: false }, { decode: { ...first.decode, ...slower, dispatches: 200 } });
  const tables = report({ ...result, forwards: [first, apart] }, []).tables;
  const table = tables.find(({ title }) => title === "What fused kernels gain");
  const row = table?.rows[0]?.map(({ text }) => text);
  expect(table?.rows).toHaveLength(1);
  expect(row?.slice(5, 6)).toEqual(["0 % (-4.08 % … 3.92 %)"]);
  expect(row?.[8]).toMatch(/^50\.0 %/);
  expect(row?.slice(9)).toEqual(["165", "200"]);
  const alone = report({ ...result, forwards: [first] }, []).tables;
  expect(alone.some(({ title }) => title === "What fused kernels gain")).toBe(false);
});

test("a step after a load stands beside the others", () => {
  const times = { kind: "samples" as const, seconds: around(0.015) };
  const result = forwarded("forward=on dtype=f32", { sustained: { seconds: 60, times } });
  const rows = report(result, []).tables.find(({ title }) => title === "Whole models, run")?.rows;
  const row = rows?.find(([, , , figure]) => figure?.text.startsWith("TPOT, after"));
  expect(row?.slice(3, 5).map(({ text }) => text.split(" (")[0])).toEqual([
    "TPOT, after 60.0 s of writing",
    "15.0 ms",
  ]);
});
