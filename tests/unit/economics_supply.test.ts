import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { YEAR } from "../../src/analysis/economics/assumptions";
import { breakEven } from "../../src/analysis/economics/break_even";
import { supply } from "../../src/analysis/economics/demand";
import { exactly } from "../../src/analysis/interval";
import { bare, draw } from "./assuming";
import { absurd, estimates, expectNotAbove } from "./estimates";

describe("a demand", () => {
  const unit = { tokensPerSecond: { value: 1000, low: 500, high: 2000 }, chips: 8, power: draw(700) };

  test("of a million tokens/s takes 1,000 units of eight 700 W chips: 8,000 chips, 191 racks, 6.72 MW", () => {
    const answer = supply(1e6, unit, bare);
    // 30 kW / 700 W are 42 chips; 8,000 / 42 are 190.5 racks.
    expect(answer).toMatchObject({
      possible: true,
      units: { value: 1000, low: 500, high: 2000 },
      chips: { value: 8000, low: 4000, high: 16_000 },
      chipsPerRack: 42,
      racks: { value: 191, low: 96, high: 381 },
      cooling: "air",
      itWatts: { value: 5.6e6 },
    });
    if (answer.possible) expect(answer.facilityWatts.value).toBeCloseTo(6.72e6, 3);
  });

  test("of 2.3 kW chips fills liquid-cooled racks of 52", () =>
    expect(supply(1, { ...unit, power: draw(2300) }, bare)).toMatchObject({
      chipsPerRack: 52,
      cooling: "liquid",
    }));

  test("for which a rack is too small is refused with both figures", () =>
    expect(supply(1, { ...unit, power: draw(132_000) }, bare)).toEqual({
      possible: false,
      reason: "one chip and its host draw 132000 W, a rack with liquid cooling feeds 120000 W",
    }));

  test("is met, and by no more units than it takes", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 1, max: 1e9, noNaN: true }),
        estimates(1, 1e6),
        (asked, tokensPerSecond) => {
          const answer = supply(asked, { ...unit, tokensPerSecond }, bare);
          if (!answer.possible) throw new Error(answer.reason);
          for (const [units, rate] of [
            [answer.units.value, tokensPerSecond.value],
            [answer.units.low, tokensPerSecond.high],
            [answer.units.high, tokensPerSecond.low],
          ] as const) {
            expect(units * rate).toBeGreaterThanOrEqual(asked * (1 - 1e-12));
            expect((units - 1) * rate).toBeLessThan(asked);
          }
        },
      ),
    );
  });

  test.each(absurd)("of %d tokens/s or chips is refused", (wrong) => {
    expect(() => supply(wrong, unit, bare)).toThrow("demand in tokens per second is");
    expect(() => supply(1, { ...unit, chips: wrong }, bare)).toThrow("chips of a unit is");
  });
});

describe("break-even", () => {
  const api = { input: 0.1e-6, output: 0.4e-6 };
  const tokens = { input: 1000, output: 1000 };
  const own = { dollars: 2000, watts: 500, secondsPerRequest: exactly(10) };

  test("$2,000 against half a thousandth of a dollar per request, less 0.14 of it for 5 kJ", () => {
    // The API takes 0.0005 $; 500 W for 10 s at 0.10 $/kWh are 0.000139 $.
    const saved = 0.0005 - (5000 / 3.6e6) * 0.1;
    const answer = breakEven(tokens, api, own, bare);
    if (answer.verdict !== "pays-off") throw new Error(answer.verdict);
    expect(answer.saved.value).toBeCloseTo(saved, 12);
    expect(answer.requests.value).toBeCloseTo(2000 / saved, 3);
    expect(answer.seconds.value / YEAR).toBeCloseTo(((2000 / saved) * 10) / 0.6 / YEAR, 9);
    expect(answer.seconds.value / YEAR).toBeCloseTo(2.927, 3);
    expect(answer.withinLifetime).toBe("yes");
  });

  test("never comes where the electricity alone costs more, and cannot be told where the ends disagree", () => {
    expect(breakEven(tokens, api, { ...own, secondsPerRequest: exactly(40) }, bare).verdict).toBe("never");
    const wide = { value: 38, low: 10, high: 40 };
    expect(breakEven(tokens, api, { ...own, secondsPerRequest: wide }, bare).verdict).toBe("cannot-tell");
    const late = { value: 15, low: 10, high: 20 };
    expect(breakEven(tokens, api, { ...own, secondsPerRequest: late }, bare)).toMatchObject({
      verdict: "pays-off",
      withinLifetime: "cannot-tell",
    });
    expect(breakEven(tokens, api, { ...own, dollars: 1e6 }, bare)).toMatchObject({ withinLifetime: "no" });
  });

  test("comes later with dearer hardware and sooner against a dearer API", () => {
    const factor = fc.double({ min: 1, max: 1e3, noNaN: true });
    fc.assert(
      fc.property(estimates(0.001, 1), factor, (secondsPerRequest, k) => {
        const paysOffAfter = (dollars: number, times: number) => {
          const prices = { input: api.input * times, output: api.output * times };
          const answer = breakEven(tokens, prices, { ...own, dollars, secondsPerRequest }, bare);
          if (answer.verdict !== "pays-off") throw new Error(answer.verdict);
          return answer.seconds;
        };
        expectNotAbove(paysOffAfter(100, 1), paysOffAfter(100 * k, 1));
        expectNotAbove(paysOffAfter(100, k), paysOffAfter(100, 1));
      }),
    );
  });

  test.each([Number.NaN, -1])("with %d anywhere is refused", (wrong) => {
    expect(() => breakEven({ input: wrong, output: 1 }, api, own, bare)).toThrow("input tokens is");
    expect(() => breakEven(tokens, { input: 0, output: wrong }, own, bare)).toThrow("API price of output is");
    expect(() => breakEven(tokens, api, { ...own, dollars: wrong }, bare)).toThrow(
      "price of the hardware is",
    );
    expect(() => breakEven(tokens, api, { ...own, watts: wrong }, bare)).toThrow("power is");
    const seconds = exactly(wrong);
    expect(() => breakEven(tokens, api, { ...own, secondsPerRequest: seconds }, bare)).toThrow("seconds per");
  });
});
