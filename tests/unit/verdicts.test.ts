// Is B faster than A? Asked of order statistics made by hand, and of seeded samples whose truth is known.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ratioOf, type Verdict } from "../../src/analysis/compare";
import { orderStatistics } from "../../src/analysis/estimate";
import { medianInterval, uniform } from "../../src/statistics";
import { distributions, normal, type Random } from "./distributions";

/** A time with its 95 % interval, as shares of it. */
const time = (median: number, below: number, above = below) => ({
  median,
  low: median * (1 - below),
  high: median * (1 + above),
});

describe("by hand", () => {
  test.each<[a: ReturnType<typeof time>, b: ReturnType<typeof time>, verdict: Verdict]>([
    [time(1, 0.005), time(1.1, 0.005), "slower"],
    [time(1, 0.005), time(0.9, 0.005), "faster"],
    [time(1, 0.005), time(1.001, 0.005), "same"],
    [time(1, 0.1), time(1.05, 0.1), "cannot tell"],
    [time(1, 0.001), time(1.009, 0.001), "same"],
    // Certainly different, but perhaps by less than 1 %.
    [time(1, 0.005), time(1.015, 0.005), "same"],
    [time(1, 0.01), time(1.02, 0.01), "cannot tell"],
    [time(1, 0), time(1, 0), "same"],
    [time(1e-6, 0), time(3e-6, 0), "slower"],
  ])("%j and then %j: %s", (a, b, verdict) => expect(ratioOf(a, b).verdict).toBe(verdict));

  test("the interval is that of the ratio, at 99 percent", () => {
    const { value, low, high } = ratioOf(time(2, 0.03), time(3, 0.04));
    expect(value).toBeCloseTo(1.5, 12);
    const below = 1.3142 * Math.hypot(Math.log(1 / 0.96), Math.log(1.03));
    const above = 1.3142 * Math.hypot(Math.log(1.04), Math.log(1 / 0.97));
    expect(Math.log(1.5 / low)).toBeCloseTo(below, 4);
    expect(Math.log(high / 1.5)).toBeCloseTo(above, 4);
  });

  test("the long arm of either side is the one that counts", () => {
    // B may well be faster than it looks, A not slower.
    expect(ratioOf(time(1, 0, 0), time(1.05, 0.2, 0)).verdict).toBe("cannot tell");
    expect(ratioOf(time(1, 0, 0), time(1.05, 0, 0.2)).verdict).toBe("slower");
    expect(ratioOf(time(1, 0.2, 0), time(1.05, 0, 0)).verdict).toBe("slower");
    expect(ratioOf(time(1, 0, 0.2), time(1.05, 0, 0)).verdict).toBe("cannot tell");
  });

  test("a device whose own speed wanders leaves less to tell", () => {
    const [a, b] = [time(1, 0.005), time(1.1, 0.005)];
    expect([0, 0.02, 0.05].map((wandering) => ratioOf(a, b, wandering).verdict)).toEqual([
      "slower",
      "slower",
      "cannot tell",
    ]);
    const { low, high, value } = ratioOf(time(1, 0), time(1, 0), 0.01);
    expect(Math.log(high / value)).toBeCloseTo(0.025758, 4);
    expect(Math.log(value / low)).toBeCloseTo(0.025758, 4);
  });
});

test("A against B mirrors B against A", () => {
  const share = fc.double({ min: 0, max: 0.5, noNaN: true });
  const side = fc.record({ at: fc.double({ min: 0.5, max: 2, noNaN: true }), below: share, above: share });
  const mirrored: Record<Verdict, Verdict> = {
    faster: "slower",
    slower: "faster",
    same: "same",
    "cannot tell": "cannot tell",
  };
  fc.assert(
    fc.property(side, side, share, (a, b, wandering) => {
      const [one, other] = [time(a.at, a.below, a.above), time(b.at, b.below, b.above)];
      const [there, back] = [ratioOf(one, other, wandering), ratioOf(other, one, wandering)];
      expect(back.verdict).toBe(mirrored[there.verdict]);
      expect(back.value * there.value).toBeCloseTo(1, 9);
      expect(back.low * there.high).toBeCloseTo(1, 9);
      expect(back.high * there.low).toBeCloseTo(1, 9);
    }),
  );
});

describe("of seeded samples", () => {
  const PAIRS = 400;
  const noises = {
    normal: (noise: number) => (random: Random) => 1 + noise * normal(random),
    skewed: (noise: number) => (random: Random) => 1 - noise * Math.log(1 - random()),
    "heavy-tailed": (noise: number) => (random: Random) =>
      Math.max(0.1, 1 + 50 * noise * (distributions["heavy-tailed"](random) - 1)),
  };

  /** How often each verdict is given, as a share, where B takes `slower` times as long. */
  function verdicts(
    seed: number,
    count: number,
    draw: (random: Random) => number,
    slower: number,
    pairs = PAIRS,
  ) {
    const random = uniform(seed);
    const samples = (factor: number) => Array.from({ length: count }, () => factor * draw(random));
    const shares: Record<Verdict, number> = { faster: 0, slower: 0, same: 0, "cannot tell": 0 };
    for (let pair = 0; pair < pairs; pair++) {
      const { verdict } = ratioOf(orderStatistics(samples(1)), orderStatistics(samples(slower)));
      shares[verdict] += 1 / pairs;
    }
    return shares;
  }

  test.each(["normal", "skewed", "heavy-tailed"] as const)(
    "the same against itself is called faster or slower in 2 of 100 pairs at most, of 1,200: %s noise",
    (kind) => {
      const conditions = [
        { count: 10, noise: 0.01 },
        { count: 12, noise: 0.03 },
        { count: 20, noise: 0.1 },
      ];
      const wrong = conditions.map(({ count, noise }, i) => {
        const { faster, slower } = verdicts(100 + i, count, noises[kind](noise), 1);
        return faster + slower;
      });
      expect(wrong.reduce((sum, each) => sum + each, 0) / wrong.length).toBeLessThanOrEqual(0.02);
      expect(Math.max(...wrong)).toBeLessThanOrEqual(0.03);
    },
    60_000,
  );

  test("few samples are no reason for a wrong verdict either", () => {
    for (const count of [2, 3, 4, 5, 6, 7]) {
      const found = verdicts(count, count, noises.normal(0.02), 1, 300);
      expect(found.faster + found.slower, `${count} samples`).toBeLessThanOrEqual(0.02);
    }
  });

  test("a slow-down of 5 % at 1 % noise is found", () => {
    const found = verdicts(200, 10, noises.normal(0.01), 1.05);
    expect(found.slower).toBeGreaterThanOrEqual(0.95);
    expect(found.faster).toBe(0);
    expect(verdicts(201, 10, noises.normal(0.01), 1 / 1.05, 300).faster).toBeGreaterThanOrEqual(0.95);
  });

  test("a slow-down of 5 % at 10 % noise cannot be told, and is hardly ever called anything wrong", () => {
    const found = verdicts(300, 20, noises.normal(0.1), 1.05);
    expect(found["cannot tell"]).toBeGreaterThan(0.8);
    expect(found.faster + found.same).toBeLessThanOrEqual(0.02);
  });

  test("the same is called the same where noise allows it", () => {
    expect(verdicts(400, 20, noises.normal(0.01), 1, 300).same).toBeGreaterThan(0.95);
  });

  test("the ratio's interval holds the true ratio in about 99 % of pairs", () => {
    const random = uniform(77);
    const draw = (factor: number) => {
      const samples = Array.from({ length: 20 }, () => factor * (1 + 0.05 * normal(random)));
      return { median: orderStatistics(samples).median, ...medianInterval(samples) };
    };
    let held = 0;
    for (let pair = 0; pair < PAIRS; pair++) {
      const { low, high } = ratioOf(draw(1), draw(1.3));
      held += Number(low <= 1.3 && 1.3 <= high);
    }
    expect(held / PAIRS).toBeGreaterThanOrEqual(0.98);
    expect(held / PAIRS).toBeLessThan(1);
  });
});
