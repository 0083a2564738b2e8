// Results of earlier schemas, as this version reads them.

import { describe, expect, test } from "vitest";
import { parseResult, type ResultOutcome, SCHEMA } from "../../src/result";
import { type copyOf, eventful } from "./result_fixture";

const json = JSON.stringify(eventful());

const problemOf = (outcome: ResultOutcome) => (outcome.ok ? "no problem" : outcome.problem);

describe("a result of schema 1", () => {
  /** The fixture as schema 1 had it. */
  function older() {
    const { seed: _, reference: __, cacheCurve: ___, incidents: ____, ...result } = JSON.parse(json);
    result.schema = 1;
    delete result.device.type;
    delete result.device.others;
    delete result.plan.sustain;
    for (const outcome of result.outcomes) {
      if (outcome.status !== "measured") continue;
      for (const field of ["stopped", "warmup", "firstRun", "cacheHot", "sustained", "readings"])
        delete outcome[field];
      for (const field of ["repeats", "hidden"]) delete outcome[field];
      delete outcome.timing.setAside;
      delete outcome.check.coverage;
      delete outcome.check.hash;
    }
    return result;
  }

  test("opens with the same samples, and says of the rest that nobody recorded it", () => {
    const parsed = parseResult(older());
    if (!parsed.ok) throw new Error(parsed.problem);
    const { result } = parsed;
    expect(result).toMatchObject({ schema: SCHEMA, reference: null, cacheCurve: [], incidents: [] });
    const here = eventful();
    for (const [i, outcome] of result.outcomes.entries()) {
      const now = here.outcomes[i]!;
      if (outcome.status !== "measured" || now.status !== "measured") {
        expect(outcome).toEqual(now);
        continue;
      }
      expect(outcome.timing).toEqual(now.timing);
      expect(outcome).toMatchObject({
        stopped: "unknown",
        warmup: null,
        firstRun: null,
        readings: null,
        hidden: false,
      });
      expect(outcome.check).toEqual({ ...now.check, coverage: 0, hash: "" });
    }
  });

  test("with the times of a link opens too", () => {
    const result = older();
    const times = { count: 5, low: 1, lowerQuartile: 2, median: 3, upperQuartile: 4, high: 5 };
    result.outcomes[0].timing = { kind: "order-statistics", ...times };
    const parsed = parseResult(result);
    if (!parsed.ok) throw new Error(parsed.problem);
    expect(parsed.result.outcomes[0]).toMatchObject({ timing: { ...times, odd: [] } });
  });

  test.each([
    ["outcomes", (result: ReturnType<typeof copyOf>) => (result.outcomes = "none")],
    ["outcomes.0", (result: ReturnType<typeof copyOf>) => (result.outcomes[0] = null)],
    ["outcomes.0.timing", (result: ReturnType<typeof copyOf>) => (result.outcomes[0].timing = 7)],
    ["outcomes.0.check", (result: ReturnType<typeof copyOf>) => (result.outcomes[0].check = [])],
    ["device", (result: ReturnType<typeof copyOf>) => (result.device = null)],
    ["plan", (result: ReturnType<typeof copyOf>) => delete result.plan],
  ])("is refused where its %s is not of the old form", (path, change) => {
    const result = older();
    change(result);
    const outcome = parseResult(result);
    expect(problemOf(outcome).startsWith(path), problemOf(outcome)).toBe(true);
    expect(problemOf(outcome)).not.toMatch(/[\n\r\u2028\u2029]/);
  });
});
