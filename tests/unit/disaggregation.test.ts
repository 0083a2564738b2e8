import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  colocated,
  disaggregated,
  type Link,
  type PhaseSpeeds,
  type Serving,
  type ServingOutcome,
  servingWays,
} from "../../src/analysis/disaggregation";
import type { Estimate } from "../../src/analysis/estimate";
import { exactly } from "../../src/analysis/interval";
import { estimates, expectNear, expectNotAbove } from "./estimates";

const unit = (
  name: string,
  prefill: Estimate,
  step: Estimate,
  dollarsPerSecond: number | undefined,
  watts: number | undefined = 1000,
): PhaseSpeeds => ({
  name,
  prefillSeconds: () => prefill,
  decodeStepSeconds: () => step,
  maxBatch: 64,
  dollarsPerSecond,
  watts,
  chips: 2,
});
/** Quick to read, and quick to write. */
const reader = unit("reader", exactly(0.1), exactly(0.04), 0.002);
const writer = unit("writer", exactly(0.5), exactly(0.01), 0.001, 400);
const request = { output: 101, kvBytes: 1e9 };
const link: Link = { bandwidth: 50e9, latency: 0.001 };

function served(outcome: ServingOutcome): Serving {
  if (!outcome.fits) throw new Error(outcome.reason);
  return outcome;
}

describe("one unit for both phases", () => {
  test("with a batch of 10: 10 · 0.1 s + 100 · 0.04 s are 5 s for ten requests", () => {
    const serving = served(colocated(reader, request, 10));
    expectNear(serving.ttft, exactly(0.1));
    expectNear(serving.latency, exactly(5));
    // Nine other prompts are read while a request writes its tokens.
    expectNear(serving.tpot, exactly(0.04 + 0.9 / 100));
    expectNear(serving.requestsPerSecond, exactly(2));
    expectNear(serving.tokensPerSecond, exactly(202));
    expectNear(serving.tokensPerDollar!, exactly(202 / 0.002));
    expectNear(serving.tokensPerJoule!, exactly(202 / 1000));
    expect(serving.chips.value).toBe(2);
  });

  test("alone: first token, then one step for each of the others", () => {
    const { ttft, tpot, latency } = served(colocated(reader, request, 1));
    expectNear(latency, exactly(ttft.value + 100 * tpot.value));
    expectNear(tpot, exactly(0.04));
  });
});

describe("prefill on one and decode on the other", () => {
  test("with a batch of 10: 10 requests a second of the writer keep one reader busy", () => {
    const serving = served(disaggregated(reader, writer, request, link, 10));
    expectNear(serving.ttft, exactly(0.1 + 1e9 / 50e9 + 0.001));
    expectNear(serving.tpot, exactly(0.01));
    expectNear(serving.latency, exactly(0.121 + 1));
    expectNear(serving.requestsPerSecond, exactly(10));
    expectNear(serving.prefillUnits, exactly(1));
    expect(serving.chips.value).toBeCloseTo(4, 12);
    expect(serving.bound).toBe("chips");
    // 1,010 tokens a second for 0.003 $ and 1,400 W.
    expectNear(serving.tokensPerDollar!, exactly(1010 / 0.003));
    expectNear(serving.tokensPerJoule!, exactly(1010 / 1400));
  });

  test("beats either alone where each is good at one of the two", () => {
    const { onA, onB, fromAToB } = servingWays(reader, writer, request, link, 10);
    const [a, b, split] = [served(onA), served(onB), served(fromAToB)];
    expect(split.tokensPerDollar!.value).toBeGreaterThan(a.tokensPerDollar!.value);
    expect(split.tokensPerDollar!.value).toBeGreaterThan(b.tokensPerDollar!.value);
    expect(split.latency.value).toBeLessThan(Math.min(a.latency.value, b.latency.value));
  });

  test("is bound by a link that carries fewer requests than the writer serves", () => {
    const serving = served(disaggregated(reader, writer, request, { ...link, bandwidth: 5e9 }, 10));
    expect(serving.bound).toBe("link");
    expectNear(serving.requestsPerSecond, exactly(5));
    expectNear(serving.prefillUnits, exactly(0.5));
    // The writer idles half its time and is paid for all of it.
    expectNear(serving.tokensPerDollar!, exactly(505 / 0.002));
  });

  test("has no cost where a price is not known, and says nothing of energy without watts", () => {
    const unpriced = unit("unpriced", exactly(0.1), exactly(0.01), undefined);
    const serving = served(disaggregated(unpriced, { ...writer, watts: undefined }, request, link, 1));
    expect(serving.tokensPerDollar).toBeUndefined();
    expect(serving.tokensPerJoule).toBeUndefined();
  });
});

const seconds = estimates(1e-4, 1);
const dollars = fc.double({ min: 1e-6, max: 1, noNaN: true });
const units = fc.tuple(seconds, seconds, dollars).map(([p, s, d]) => unit("made up", p, s, d));
const batch = fc.integer({ min: 1, max: 64 });
/** A link that is never in the way. */
const wide: Link = { bandwidth: 1e30, latency: 0 };

describe("always", () => {
  test("the same unit on both sides of a free link costs as much as one for both, and writes no slower", () => {
    fc.assert(
      fc.property(units, batch, (both, n) => {
        const alone = served(colocated(both, request, n));
        const split = served(disaggregated(both, both, request, wide, n));
        expectNear(split.tokensPerDollar!, alone.tokensPerDollar!);
        expectNear(split.tokensPerJoule!, alone.tokensPerJoule!);
        expectNotAbove(split.tpot, alone.tpot);
        expectNotAbove(split.latency, alone.latency);
      }),
    );
  });

  test("splitting pays against A alone exactly where B writes more tokens per dollar", () => {
    fc.assert(
      fc.property(units, units, batch, (a, b, n) => {
        const split = served(disaggregated(a, b, request, wide, n)).tokensPerDollar!.value;
        const alone = served(colocated(a, request, n)).tokensPerDollar!.value;
        const writing = (of: PhaseSpeeds) => of.decodeStepSeconds(n).value * of.dollarsPerSecond!;
        if (Math.abs(writing(a) / writing(b) - 1) < 1e-9) return;
        if (writing(b) < writing(a)) expect(split).toBeGreaterThanOrEqual(alone);
        else expect(split).toBeLessThanOrEqual(alone);
      }),
    );
  });

  test("a slower link never helps", () => {
    fc.assert(
      fc.property(
        units,
        units,
        batch,
        fc.double({ min: 1e6, max: 1e12, noNaN: true }),
        (a, b, n, bandwidth) => {
          const slow = served(disaggregated(a, b, request, { bandwidth, latency: 0.01 }, n));
          const fast = served(disaggregated(a, b, request, wide, n));
          expectNotAbove(slow.tokensPerDollar!, fast.tokensPerDollar!);
          expectNotAbove(slow.requestsPerSecond, fast.requestsPerSecond);
          expectNotAbove(fast.latency, slow.latency);
        },
      ),
    );
  });

  test("ends are in order", () => {
    fc.assert(
      fc.property(units, units, batch, (a, b, n) => {
        const ways = servingWays(a, b, request, link, n);
        for (const way of [ways.onA, ways.onB, ways.fromAToB]) {
          const { ttft, tpot, latency, requestsPerSecond, prefillUnits, tokensPerDollar } = served(way);
          for (const { value, low, high } of [
            ttft,
            tpot,
            latency,
            requestsPerSecond,
            prefillUnits,
            tokensPerDollar!,
          ]) {
            expect(low).toBeLessThanOrEqual(value);
            expect(value).toBeLessThanOrEqual(high);
          }
        }
      }),
    );
  });
});

describe("refused", () => {
  test("is a batch whose caches do not fit, with the reason", () => {
    const reason = "writer holds the KV caches of 64 sequences, not of 65";
    expect(disaggregated(reader, writer, request, link, 65)).toEqual({ fits: false, reason });
    expect(colocated(writer, request, 65)).toEqual({ fits: false, reason });
  });

  test.each([0, -1, 1.5, Number.NaN])("is a batch of %d", (wrong) =>
    expect(() => colocated(reader, request, wrong)).toThrow("batch is"),
  );
  test.each([0, 1, 2.5, Number.NaN])("is an output of %d tokens", (output) =>
    expect(() => colocated(reader, { ...request, output }, 1)).toThrow("output is"),
  );
  test.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])("is a link of %d bytes/s", (bandwidth) =>
    expect(() => disaggregated(reader, writer, request, { ...link, bandwidth }, 1)).toThrow("bandwidth of"),
  );
  test("is a prediction that cannot be, by name", () => {
    const broken = unit("broken", exactly(Number.NaN), exactly(1), 1);
    expect(() => colocated(broken, request, 1)).toThrow("prefill of broken is NaN");
    expect(() => disaggregated(reader, unit("still", exactly(1), exactly(0), 1), request, link, 1)).toThrow(
      "decode step of still is 0",
    );
  });
});
