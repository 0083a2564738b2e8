import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseResult, type ResultOutcome, SCHEMA } from "../../src/result";
import type { Span } from "../../src/timing";
import { type copyOf, eventful, resultOf } from "./result_fixture";

const json = JSON.stringify(eventful());

/** The fixture with one change, as it comes out of a file. */
function changed(change: (result: ReturnType<typeof copyOf>) => void): ResultOutcome {
  const result = JSON.parse(json);
  change(result);
  return parseResult(result);
}
const problemOf = (outcome: ResultOutcome) => (outcome.ok ? "no problem" : outcome.problem);

function expectOneLine(outcome: ResultOutcome) {
  if (outcome.ok) return;
  expect(outcome.problem).not.toMatch(/[\n\r\u2028\u2029]/);
  expect(outcome.problem.length).toBeLessThan(400);
}

describe("a result", () => {
  test.each([
    ["with all kinds of cells", eventful()],
    ["of a single call", resultOf({ words: "kernel=matmul:64x64x64 dtype=f32" })],
    ["with filtered workloads", resultOf({ words: "kernel=attention" })],
    [
      "with the tunings of many whole models",
      {
        ...eventful(),
        tunings: Array.from({ length: 300 }, () => eventful().tunings)
          .flat()
          .slice(0, 300),
      },
    ],
    ["without instruments", { ...resultOf(), instruments: null, reference: null, outcomes: [] }],
    ["with sustained times", resultOf({ words: "dtype=f32 kernel=matvec sustain=5" })],
    [
      "with incidents",
      { ...resultOf(), incidents: [{ at: 12.5, says: "the device was lost: unknown" }], cacheCurve: [] },
    ],
    [
      "that was cut short",
      { ...resultOf(), completion: { status: "partial" as const, reason: "cancelled" } },
    ],
  ])("%s comes back from JSON as it was", (_, result) => {
    expect(parseResult(JSON.parse(JSON.stringify(result)))).toEqual({ ok: true, result });
  });

  test("is not taken apart by keys that look like its prototype's", () => {
    const outcome = parseResult(JSON.parse(`{"__proto__": {"polluted": true}, ${json.slice(1)}`));
    expect({}).not.toHaveProperty("polluted");
    expectOneLine(outcome);
  });
});

describe("the schema's number", () => {
  test("of a newer version is refused with what to do about it", () => {
    const newer = problemOf(changed((result) => (result.schema = SCHEMA + 1)));
    expect(newer).toMatch(new RegExp(`schema ${SCHEMA + 1} is newer .*\\(${SCHEMA}\\): update`));
  });

  test.each([0, -1, 0.5])("%d never was", (schema) => {
    expect(problemOf(changed((result) => (result.schema = schema)))).toMatch(/^schema: /);
  });

  test.each([[{}], [[]], [null], ["result"], [42], [{ schema: "1" }], [{ schema: null }]])(
    "is what makes a result: not %j",
    (input) => {
      expect(problemOf(parseResult(input))).toMatch(/not a Tokenroof result: no schema number/);
    },
  );
});

test.each(Object.keys(JSON.parse(json)))("without its %s a result is refused, and that is named", (field) => {
  const outcome = changed((result) => delete result[field]);
  expect(problemOf(outcome)).toMatch(field === "schema" ? /schema/ : RegExp(`^${field}: `));
});

describe("what cannot be is refused with its path", () => {
  const cases: [path: string, change: (result: ReturnType<typeof copyOf>) => void][] = [
    ["createdAt", (result) => (result.createdAt = "yesterday")],
    ["tool.version", (result) => (result.tool.version = 1)],
    ["host.kind", (result) => (result.host.kind = "fridge")],
    ["host.logicalCores", (result) => (result.host.logicalCores = -1)],
    ["host.pets", (result) => (result.host.pets = "cat")],
    ["surprise", (result) => (result.surprise = 1)],
    ["device.description", (result) => (result.device.description = "x".repeat(1_000_000))],
    ["device.features", (result) => (result.device.features = Array(1000).fill("f"))],
    ["device.limits.maxBufferSize", (result) => (result.device.limits.maxBufferSize = null)],
    ["instruments.clockStep", (result) => (result.instruments.clockStep = -1e-6)],
    ["instruments.completionFloor", (result) => (result.instruments.completionFloor = 1e300)],
    ["plan.dtype", (result) => (result.plan.dtype = [])],
    ["plan.model.0", (result) => (result.plan.model = ["gpt-9"])],
    ["plan.memory", (result) => (result.plan.memory = 2 ** 60)],
    ["completion.status", (result) => (result.completion.status = "finished")],
    ["workloads", (result) => (result.workloads = Array(1000).fill(result.workloads[0]))],
    ["workloads.0.phase", (result) => (result.workloads[0].phase = "dreaming")],
    ["workloads.0.tokens", (result) => (result.workloads[0].tokens = 1.5)],
    ["workloads.1.steps.2.count", (result) => (result.workloads[1].steps[2].count = -1)],
    ["workloads.0.steps.0.call", (result) => delete result.workloads[0].steps[0].call.shape.K],
    [
      "workloads.0.steps.0.call",
      (result) => (result.workloads[0].steps[0].call.shape = { K: 1, N: 1, MM: 1 }),
    ],
    ["workloads.0.steps.0.call.shape.M", (result) => (result.workloads[0].steps[0].call.shape.M = 0)],
    ["workloads.0.steps.0.call.shape.M", (result) => (result.workloads[0].steps[0].call.shape.M = 1e12)],
    ["outcomes.0.call.kernel", (result) => (result.outcomes[0].call.kernel = "constructor")],
    ["outcomes.0.status", (result) => (result.outcomes[0].status = "imagined")],
    ["outcomes.0.dtype", (result) => (result.outcomes[0].dtype = "f128")],
    ["outcomes.0.pieces", (result) => (result.outcomes[0].pieces = 0)],
    ["outcomes.0.timing.kind", (result) => (result.outcomes[0].timing.kind = "guess")],
    ["outcomes.0.timing.spans.0.wall", (result) => (result.outcomes[0].timing.spans[0].wall = -1)],
    ["outcomes.0.timing.spans.0.wall", (result) => (result.outcomes[0].timing.spans[0].wall = Number.NaN)],
    ["outcomes.0.timing.spans.2.gpu", (result) => (result.outcomes[0].timing.spans[2].gpu = 1e9)],
    ["outcomes.0.timing.spans.0.dispatches", (result) => (result.outcomes[0].timing.spans[0].dispatches = 0)],
    ["outcomes.0.check.error", (result) => (result.outcomes[0].check.error = -1)],
    ["outcomes.0.check.coverage", (result) => delete result.outcomes[0].check.coverage],
    ["outcomes.0.reason", (result) => (result.outcomes[0].reason = "why not")],
    ["outcomes.0.stopped", (result) => (result.outcomes[0].stopped = "bored")],
    ["outcomes.0.hidden", (result) => (result.outcomes[0].hidden = null)],
    ["outcomes.0.repeats", (result) => (result.outcomes[0].repeats = -1)],
    ["outcomes.0.readings.1", (result) => (result.outcomes[0].readings = [0])],
    ["outcomes.0.readings.1", (result) => (result.outcomes[0].readings = [0, 0.5])],
    ["outcomes.0.warmup.converged", (result) => (result.outcomes[0].warmup.converged = 1)],
    ["outcomes.0.firstRun.dispatches", (result) => (result.outcomes[0].firstRun.dispatches = 0)],
    ["outcomes.0.sustained.timing", (result) => (result.outcomes[0].sustained = { seconds: 1 })],
    ["outcomes.0.timing.setAside.reason", (result) => (result.outcomes[0].timing.setAside = { rounds: 1 })],
    ["seed", (result) => (result.seed = -1)],
    ["plan.sustain", (result) => (result.plan.sustain = 3600)],
    ["device.others", (result) => (result.device.others = Array(9).fill("another GPU"))],
    ["reference.call", (result) => (result.reference.call.shape = {})],
    ["reference.readings.0.samples", (result) => (result.reference.readings[0].samples = [])],
    ["reference.readings.1.samples.0", (result) => (result.reference.readings[1].samples[0] = 0)],
    ["cacheCurve.0.bytes", (result) => (result.cacheCurve[0].bytes = 0.5)],
    ["cacheCurve", (result) => (result.cacheCurve = Array(65).fill(result.cacheCurve[0]))],
    ["incidents.0.says", (result) => (result.incidents = [{ at: 1 }])],
    ["incidents.0.at", (result) => (result.incidents = [{ at: -1, says: "lost" }])],
    ["residency.0.bytes", (result) => (result.residency[0].bytes = 2 ** 60)],
    ["tunings.0.tried.64 lanes", (result) => (result.tunings[0].tried["64 lanes"] = "fast")],
  ];

  test.each(cases)("%s", (path, change) => {
    // As a file holds it: NaN becomes null.
    const outcome = changed((result) => {
      change(result);
      Object.assign(result, JSON.parse(JSON.stringify(result)));
    });
    expect(problemOf(outcome).startsWith(`${path}: `), problemOf(outcome)).toBe(true);
    expectOneLine(outcome);
  });

  test("names the fields that a kernel's shape has", () => {
    const outcome = changed((result) => delete result.workloads[0].steps[0].call.shape.K);
    expect(problemOf(outcome)).toContain("the shape of matmul is M, N, K");
  });

  test.each([
    ["outcomes.0.check.error", /(?<="error":)[\d.e-]+/],
    ["outcomes.0.check.tolerance", /(?<="tolerance":)[\d.e-]+/],
    ["device.limits.maxBufferSize", /(?<="maxBufferSize":)\d+/],
  ])("%s that JSON reads as infinity", (path, number) => {
    expect(problemOf(parseResult(JSON.parse(json.replace(number, "1e999"))))).toMatch(RegExp(`^${path}: `));
  });

  test.each([
    ["no spans", []],
    ["half a round", [{ dispatches: 1, wall: 1, gpu: 1 }]],
    ["spans of one length, that have no slope", Array(3).fill({ dispatches: 4, wall: 1, gpu: 1 })],
  ])("outcomes.0.timing: a measured cell with %s", (_, spans) => {
    const outcome = changed((result) => (result.outcomes[0].timing.spans = spans));
    expect(problemOf(outcome)).toMatch(/^outcomes\.0\.timing/);
  });

  test.each([
    ["timing", (cell: ReturnType<typeof copyOf>) => cell.timing],
    ["cacheHot", (cell: ReturnType<typeof copyOf>) => cell.cacheHot],
    ["sustained", (cell: ReturnType<typeof copyOf>) => cell.sustained.timing],
  ])("a cell whose %s has no round that its clock timed", (_, timingOf) => {
    const sustained = JSON.stringify(resultOf({ words: "dtype=f32 kernel=matvec sustain=5" }));
    const without = (some: (index: number) => boolean, clock: string) => {
      const result = JSON.parse(sustained);
      const cell = result.outcomes.at(-1);
      cell.clock = clock;
      timingOf(cell).spans.forEach((span: Span, i: number) => {
        if (some(i)) Object.assign(span, { gpu: null });
      });
      return parseResult(result);
    };
    const refused = problemOf(without(() => true, "timestamp-query"));
    expect(refused).toMatch(/^outcomes\.\d+: no round was timed by the clock that is named$/);
    // One span without a stamp spoils its round; here every round has one.
    expect(problemOf(without((i) => i % 3 === 1, "timestamp-query"))).toBe(refused);
    expect(without((i) => i > 2, "timestamp-query").ok).toBe(true);
    expect(without(() => true, "wall").ok).toBe(true);
  });

  test("a cell of which every round was set aside", () => {
    const aside = (rounds: number) =>
      changed((result) => (result.outcomes[0].timing.setAside = { rounds, reason: "timestamps" }));
    expect(aside(19).ok).toBe(true);
    expect(problemOf(aside(20))).toMatch(/^outcomes\.0: no round was timed/);
    expect(problemOf(aside(1000))).toMatch(/^outcomes\.0: no round was timed/);
  });

  test.each([
    ["more queries than keys", { queries: 512, keys: 16 }],
    ["query heads that no key/value head serves", { heads: 9, kvHeads: 2 }],
  ])("attention with %s", (_, sizes) => {
    const outcome = changed((result) => Object.assign(result.workloads[0].steps[1].call.shape, sizes));
    expect(problemOf(outcome)).toMatch(/^workloads\.0\.steps\.1\.call/);
  });
});

describe("a problem is one short line", () => {
  test.each([
    ["a key with line breaks", (result: ReturnType<typeof copyOf>) => (result["a\nb"] = 1)],
    [
      "a value with line breaks",
      (result: ReturnType<typeof copyOf>) => (result.outcomes[0].status = "a\r\nb"),
    ],
    ["a long key", (result: ReturnType<typeof copyOf>) => (result["k".repeat(100_000)] = 1)],
    ["a long value", (result: ReturnType<typeof copyOf>) => (result.host.kind = "v".repeat(100_000))],
  ])("even for %s", (_, change) => {
    const outcome = changed(change);
    expect(outcome.ok).toBe(false);
    expectOneLine(outcome);
  });
});

test("the order of keys means nothing, as after jq -S", () => {
  const result = JSON.parse(JSON.stringify(resultOf()));
  for (const { steps } of result.workloads) {
    for (const { call } of steps) call.shape = Object.fromEntries(Object.entries(call.shape).toReversed());
  }
  const parsed = parseResult(result);
  if (!parsed.ok) throw new Error(parsed.problem);
  expect(parsed.result).toEqual(resultOf());
});

test("control characters of names do not reach a terminal", () => {
  const result = JSON.parse(JSON.stringify(resultOf()));
  result.device.description = "GPU\u001b]52;c;aGk=\u0007";
  const parsed = parseResult(result);
  expect(parsed.ok && parsed.result.device.description).toBe("GPU ]52;c;aGk= ");
});

describe("parsing never throws", () => {
  test("at any JSON", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(parseResult(value).ok).toBe(false);
        expectOneLine(parseResult({ schema: SCHEMA, outcomes: value }));
      }),
    );
  });

  test("at any JSON in the place of any part of a result", () => {
    const paths: string[][] = [];
    const walk = (node: unknown, path: string[]) => {
      if (path.length > 0) paths.push(path);
      if (typeof node !== "object" || node === null) return;
      // The first two of a list stand for the rest.
      for (const key of Object.keys(node).filter((key) => !(Number(key) > 1)))
        walk((node as Record<string, unknown>)[key], [...path, key]);
    };
    walk(JSON.parse(json), []);
    expect(paths.length).toBeGreaterThan(100);
    fc.assert(
      fc.property(fc.constantFrom(...paths), fc.jsonValue(), (path, value) => {
        const outcome = changed((result) => {
          const parent = path.slice(0, -1).reduce((node, key) => node[key], result);
          parent[path.at(-1)!] = value;
        });
        expectOneLine(outcome);
        if (!outcome.ok) return;
        expect(parseResult(JSON.parse(JSON.stringify(outcome.result)))).toEqual(outcome);
      }),
      { numRuns: 300 },
    );
  });

  test("at values nested deeper than any result", () => {
    const deep = JSON.parse(`${"[".repeat(100_000)}${"]".repeat(100_000)}`);
    expect(parseResult(deep).ok).toBe(false);
    expect(problemOf(changed((result) => (result.host = deep)))).toMatch(/^host/);
  });
});
