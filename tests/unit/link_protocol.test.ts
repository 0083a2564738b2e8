// What of the protocol a link keeps, beside the headlines.

import { describe, expect, test } from "vitest";
import { cacheKnee } from "../../src/analysis/cache_knee";
import { compareResults } from "../../src/analysis/compare";
import { slowdown, wander } from "../../src/analysis/throttling";
import { decodeLink, encodeLink } from "../../src/report/link";
import { report } from "../../src/report/report";
import type { Measurement, Result } from "../../src/result";
import { eventful, planOf, resultOf } from "./result_fixture";
import { untidy } from "./untidy_result";

async function decoded(link: string): Promise<Result> {
  const outcome = await decodeLink(link);
  if (!outcome.ok) throw new Error(outcome.problem);
  return outcome.result;
}

describe("a shared result keeps what the protocol recorded", () => {
  const measuredOf = ({ outcomes }: Result): Measurement[] =>
    outcomes.filter((outcome) => outcome.status === "measured");
  const given = (): Result => {
    const result = untidy("preset=quick sustain=3", 8);
    const outcomes = result.outcomes.map((outcome, i) => ({
      ...outcome,
      ...(outcome.status === "measured" && { hidden: i === 4, repeats: i % 3 }),
      ...(i === 6 && { readings: null }),
      // So little that it would be rounded to nothing, which stands for what nobody recorded.
      ...(i === 7 && outcome.status === "measured" && { check: { ...outcome.check, coverage: 0.002 } }),
      ...(i === 8 && outcome.status === "measured" && { check: { ...outcome.check, coverage: 0 } }),
    }));
    const incidents = [{ at: 31.4, says: "the device was lost: out of memory" }];
    return { ...result, outcomes, incidents };
  };

  test("how sampling went, cell by cell", async () => {
    const result = given();
    const shared = await decoded(await encodeLink(result));
    expect(shared.seed).toBe(result.seed);
    expect(shared.device).toEqual(result.device);
    expect(shared.incidents).toEqual([{ at: 31, says: "the device was lost: out of memory" }]);
    const [there, here] = [measuredOf(shared), measuredOf(result)];
    const kept = ({ call, piece, dtype, tuning, stopped, hidden, repeats, readings }: Measurement) => ({
      ...{ call, piece, dtype, tuning, stopped, hidden, repeats, readings },
    });
    expect(there.map(kept)).toEqual(here.map(kept));
    for (const [i, { check, firstRun, cacheHot, sustained }] of there.entries()) {
      expect(Math.abs(check.coverage - here[i]!.check.coverage)).toBeLessThanOrEqual(0.01);
      expect(check.coverage > 0).toBe(here[i]!.check.coverage > 0);
      expect([check.hash, firstRun, cacheHot, sustained]).toEqual(["", null, null, null]);
    }
  });

  test("the outcomes of cells without a time, in their places", async () => {
    const result = eventful();
    const shared = await decoded(await encodeLink(result));
    expect(shared.outcomes.map(({ status }) => status)).toEqual(result.outcomes.map(({ status }) => status));
    expect(shared.outcomes.filter(({ status }) => status !== "measured")).toEqual(
      result.outcomes.filter(({ status }) => status !== "measured"),
    );
  });

  test("how fast the device was, to a thousandth, and how much that wandered", async () => {
    const result = given();
    const shared = await decoded(await encodeLink(result));
    const [there, here] = [measuredOf(shared), measuredOf(result)];
    for (const [i, cell] of there.entries()) {
      const seen = slowdown(shared, cell);
      const truth = slowdown(result, here[i]!);
      if (truth === undefined) expect(seen).toBeUndefined();
      else expect(Math.abs(seen! - truth)).toBeLessThan(0.002);
    }
    expect(wander(result)).toBeGreaterThan(0.01);
    expect(Math.abs(wander(shared) - wander(result))).toBeLessThan(0.001);
    const steady = resultOf({ words: "preset=quick" });
    expect(Math.abs(wander(await decoded(await encodeLink(steady))) - wander(steady))).toBeLessThan(0.001);
  });

  test("where the cache ends", async () => {
    const result = given();
    const { cacheCurve } = await decoded(await encodeLink(result));
    expect(cacheCurve.map(({ bytes }) => bytes)).toEqual(result.cacheCurve.map(({ bytes }) => bytes));
    expect(cacheKnee(cacheCurve)).toBe(2 ** 25);
    for (const [i, { seconds }] of cacheCurve.entries())
      expect(seconds / result.cacheCurve[i]!.seconds).toBeCloseTo(1, 1);
    const odd = [3 * 2 ** 16, 2 ** 18 + 4, 2 ** 30 - 4].map((bytes) => ({ bytes, seconds: bytes / 1e9 }));
    const other = await decoded(await encodeLink({ ...result, cacheCurve: odd }));
    expect(other.cacheCurve.map(({ bytes }) => bytes)).toEqual(odd.map(({ bytes }) => bytes));
    expect((await decoded(await encodeLink({ ...result, cacheCurve: [] }))).cacheCurve).toEqual([]);
  });

  test("what is odd: the remarks are the same", async () => {
    const result = given();
    const { warnings } = report(result, []);
    expect(warnings.length).toBeGreaterThan(3);
    expect(report(await decoded(await encodeLink(result)), []).warnings).toEqual(warnings);
  });

  test("a comparison of two links is that of their results", async () => {
    const [a, b] = [untidy("preset=quick", 8), untidy("preset=quick", 9)];
    const verdicts = (one: Result, other: Result) =>
      compareResults(one, other).cells.map(({ name, ratio: { value, verdict } }) => ({
        name,
        value,
        verdict,
      }));
    const [there, here] = [await decoded(await encodeLink(a)), await decoded(await encodeLink(b))];
    expect(verdicts(there, here)).toEqual(verdicts(a, b));
  });

  test("shared again it gives the same link, from an untidy result too", async () => {
    const once = await encodeLink(given());
    expect(await encodeLink(await decoded(once))).toBe(once);
  });

  test("a plan with a word of its own", async () => {
    const result = given();
    expect(result.plan).toEqual(planOf("preset=quick sustain=3"));
    expect((await decoded(await encodeLink(result))).plan).toEqual(result.plan);
  });
});
