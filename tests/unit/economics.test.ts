import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { defaultAssumptions, HOUR } from "../../src/analysis/economics/assumptions";
import { dollarsPerRequest, dollarsPerToken, tokensPerDollar } from "../../src/analysis/economics/cost";
import {
  energyDollarsPerToken,
  joulesPerToken,
  tokensPerSecondPerWatt,
} from "../../src/analysis/economics/energy";
import {
  chipCost,
  chipPower,
  installedPrice,
  ownership,
  powerDraw,
} from "../../src/analysis/economics/hardware";
import { tokenEconomics } from "../../src/analysis/economics/token_economics";
import type { Estimate } from "../../src/analysis/estimate";
import { exactly } from "../../src/analysis/interval";
import type { Chip } from "../../src/chips/chip";
import { chip, chips } from "../../src/chips/index";
import { assuming, bare, draw, rated } from "./assuming";
import { absurd, estimates, expectNear, expectNotAbove } from "./estimates";

const known = (id: string): Chip => {
  const found = chip(id);
  if (!found) throw new Error(`no chip ${id}`);
  return found;
};
const speed: Estimate = { value: 100, low: 80, high: 200 };

describe("power", () => {
  test("700 W at PUE 1.2 are 840 W at the meter, 8.4 cents an hour at 10 cents per kWh", () => {
    const power = draw(700);
    expect(power).toMatchObject({ chipWatts: 700, itWatts: 700, cooling: "air", pue: 1.2 });
    expect(power.facilityWatts).toBeCloseTo(840, 9);
    expect(ownership(30_000, power.facilityWatts, bare).energy * HOUR).toBeCloseTo(0.084, 9);
  });

  test("counts host, load and building one after another: 700 W · 0.5 · 1.11 · 1.2", () => {
    expect(draw(700, assuming("load=0.5")).facilityWatts).toBeCloseTo(466.2, 9);
  });

  test("of a chip above the limit of air takes the PUE of liquid", () => {
    expect(draw(1000)).toMatchObject({ cooling: "air", pue: 1.2 });
    expect(draw(1400)).toMatchObject({ cooling: "liquid", pue: 1.15 });
    expect(draw(300, assuming("cooling=liquid"))).toMatchObject({ cooling: "liquid", pue: 1.15 });
    expect(powerDraw(rated(2300), assuming("cooling=air"))).toEqual({
      known: false,
      missing: "air cooling ends at 1000 W and the chip is rated 2300 W",
    });
  });

  test("from memory is named, not used, until the user gives it", () => {
    expect(chipPower(known("dmatrix-corsair"), bare)).toEqual({
      known: false,
      missing: "power of 600 W is from memory only; give power=WATTS",
    });
    expect(chipPower(known("tpu-v5e"), bare)).toMatchObject({
      missing: "no sourced power; give power=WATTS",
    });
    expect(chipPower(known("dmatrix-corsair"), assuming("power=550,host-power=0"))).toMatchObject({
      known: true,
      chipWatts: 550,
      evidence: { asOf: "given" },
    });
  });

  test.each(absurd)("of %d W is refused", (watts) => expect(() => draw(watts)).toThrow(RangeError));
});

describe("a chip's cost", () => {
  test("an H100 of $30,000 over 4 years at 60 % is $1.43 an hour", () => {
    const parts = ownership(30_000, 840, bare);
    expect(parts.chip * HOUR).toBeCloseTo(30_000 / (4 * 8760 * 0.6), 9);
    expect(parts.chip * HOUR).toBeCloseTo(1.427, 3);
    expect(parts.host).toBe(0);
  });

  test("at 70 % is $1.63 over 3 years and $0.98 over 5", () => {
    const over = (years: number) =>
      ownership(30_000, 0, assuming(`utilisation=0.7,lifetime=${years}`)).chip * HOUR;
    expect(over(3)).toBeCloseTo(1.631, 3);
    expect(over(5)).toBeCloseTo(0.978, 3);
  });

  test("with host and electricity is the sum of its parts", () => {
    const cost = chipCost(known("h100-sxm"), "purchase", defaultAssumptions);
    if (!cost.known) throw new Error(cost.missing);
    const { chip, host, energy } = cost.parts;
    expect(host / chip).toBeCloseTo(0.35, 9);
    expect(energy * HOUR).toBeCloseTo(0.7 * 1.11 * 1.2 * 0.1, 9);
    expect(cost.dollarsPerSecond).toBeCloseTo(chip + host + energy, 15);
    expect(cost.dollarsPerSecond * HOUR).toBeCloseTo(2.02, 2);
    expect(cost.evidence).toMatchObject({ value: 30_000, asOf: "mid-2026" });
    const installed = installedPrice(known("h100-sxm"), defaultAssumptions);
    expect(installed).toMatchObject({ known: true, dollars: 40_500 });
  });

  test("that is sold as a system has its host in price and power already", () => {
    const system = known("cerebras-wse3");
    expect(chipPower(system, defaultAssumptions)).toMatchObject({ itWatts: 23_000, cooling: "liquid" });
    expect(installedPrice(system, defaultAssumptions)).toMatchObject({ dollars: 2.5e6 });
    expect(chipCost(system, "purchase", defaultAssumptions)).toMatchObject({ parts: { host: 0 } });
  });

  test("rented is the rent and nothing else", () => {
    const cost = chipCost(known("h100-sxm"), "rent", defaultAssumptions);
    if (!cost.known) throw new Error(cost.missing);
    expect(cost.dollarsPerSecond * HOUR).toBeCloseTo(2.95, 12);
    expect(cost.parts).toMatchObject({ host: 0, energy: 0 });
    expect(cost.evidence.asOf).toBe("2026-05-20");
  });

  test("from memory is named, not used, until the user gives it", () => {
    expect(chipCost(known("rtx-4090"), "purchase", bare)).toMatchObject({
      known: false,
      missing: expect.stringMatching(
        /^purchase price of \$\d+ \(launch\) is from memory only; give purchase=/,
      ),
    });
    expect(chipCost(known("rtx-4090"), "rent", bare)).toEqual({
      known: false,
      missing: "no sourced rent price; give rent=DOLLARS_PER_HOUR",
    });
    expect(chipCost(known("rtx-4090"), "rent", assuming("rent=0.36"))).toMatchObject({
      known: true,
      dollarsPerSecond: 0.36 / 3600,
    });
    expect(chipCost(known("rtx-4090"), "purchase", assuming("purchase=1800"))).toMatchObject({ known: true });
  });

  test("is never computed from an unverified figure", () => {
    for (const each of chips) {
      const { price, power } = each;
      const recalled = (figure: { kind: string } | undefined) => figure?.kind === "recalled-unverified";
      if (recalled(price?.rentPerHour)) expect(chipCost(each, "rent", bare).known, each.id).toBe(false);
      if (recalled(price?.purchase) || recalled(power))
        expect(chipCost(each, "purchase", bare).known, each.id).toBe(false);
    }
  });

  test.each(absurd)("with a price of %d is refused", (price) =>
    expect(() => ownership(price, 700, bare)).toThrow("price is"),
  );
  test.each([Number.NaN, -1])("with %d watts is refused", (watts) =>
    expect(() => ownership(1, watts, bare)).toThrow("power is"),
  );
});

describe("a token", () => {
  test("at $2.95 an hour and 100 tokens/s costs $8.19 per million", () => {
    const cost = dollarsPerToken(2.95 / HOUR, speed);
    expect(cost.value * 1e6).toBeCloseTo((2.95 / 3600 / 100) * 1e6, 9);
    expect(cost.value * 1e6).toBeCloseTo(8.194, 3);
    expect([cost.low / cost.value, cost.high / cost.value]).toEqual([0.5, 1.25]);
  });

  test("of 840 W at 100 tokens/s takes 8.4 J: 2.33 kWh or 23 cents per million", () => {
    const joules = joulesPerToken(840, speed);
    expectNear(joules, { value: 8.4, low: 4.2, high: 10.5 });
    expect((joules.value * 1e6) / 3.6e6).toBeCloseTo(2.333, 3);
    expect(energyDollarsPerToken(joules, bare).value * 1e6).toBeCloseTo(0.2333, 4);
  });

  test("tokens per dollar and dollars per token are reciprocal, as are joules and tokens/s/W", () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-9, max: 1e3, noNaN: true }), estimates(), (amount, rate) => {
        for (const [per, inverse] of [
          [dollarsPerToken(amount, rate), tokensPerDollar(amount, rate)],
          [joulesPerToken(amount, rate), tokensPerSecondPerWatt(amount, rate)],
        ] as const)
          expectNear(per, { value: 1 / inverse.value, low: 1 / inverse.high, high: 1 / inverse.low });
      }),
    );
  });

  test("costs more on dearer hardware and less on faster", () => {
    const factor = fc.double({ min: 1, max: 1e3, noNaN: true });
    fc.assert(
      fc.property(fc.double({ min: 1e-9, max: 1, noNaN: true }), estimates(), factor, (price, rate, k) => {
        const faster = { value: rate.value * k, low: rate.low * k, high: rate.high * k };
        expectNotAbove(dollarsPerToken(price, rate), dollarsPerToken(price * k, rate));
        expectNotAbove(dollarsPerToken(price, faster), dollarsPerToken(price, rate));
      }),
    );
  });

  test.each(absurd)("at %d tokens/s or %d dollars is refused", (wrong) => {
    expect(() => dollarsPerToken(1, exactly(wrong))).toThrow("tokens per second is");
    expect(() => dollarsPerToken(wrong, speed)).toThrow("dollars per second is");
    expect(() => joulesPerToken(wrong, speed)).toThrow("power is");
    expect(() => dollarsPerToken(1, { value: 300, low: 80, high: 200 })).toThrow("its own interval");
  });

  test("of a request: 1,000 read at $1 and 500 written at $4 per million are 0.3 cents", () => {
    const costs = { input: exactly(1e-6), output: { value: 4e-6, low: 2e-6, high: 6e-6 } };
    expectNear(dollarsPerRequest({ input: 1000, output: 500 }, costs), {
      value: 0.003,
      low: 0.002,
      high: 0.004,
    });
    expect(() => dollarsPerRequest({ input: -1, output: 1 }, costs)).toThrow("input tokens is -1");
  });
});

describe("token economics", () => {
  const speeds = { input: exactly(10_000), output: exactly(100) };

  test("of two H100s: each figure is that of its formula", () => {
    const { rent, purchase, energy } = tokenEconomics(speeds, 2, known("h100-sxm"), bare);
    if (!rent.known || !purchase.known || !energy.known) throw new Error("every figure is sourced");
    expect(rent.dollarsPerToken.output.value * 1e6).toBeCloseTo((2 * 2.95e6) / 3600 / 100, 9);
    expect(rent.dollarsPerToken.output.value / rent.dollarsPerToken.input.value).toBeCloseTo(100, 9);
    expect(purchase.dollarsPerToken.output.value * 1e6).toBeCloseTo(
      (2 * (1.426_94 + 0.084) * 1e6) / 3.6e5,
      2,
    );
    expect(energy.joulesPerToken.output.value).toBeCloseTo(16.8, 9);
    expect(energy.tokensPerSecondPerWatt.output.value).toBeCloseTo(100 / 1400, 12);
    expect(rent.tokensPerDollar.output.value * rent.dollarsPerToken.output.value).toBeCloseTo(1, 12);
  });

  test("of a chip without figures names what is missing", () => {
    expect(tokenEconomics(speeds, 1, known("openai-jalapeno"), bare)).toEqual({
      rent: { known: false, missing: "no sourced rent price; give rent=DOLLARS_PER_HOUR" },
      purchase: { known: false, missing: "no sourced purchase price; give purchase=DOLLARS" },
      energy: { known: false, missing: "no sourced power; give power=WATTS" },
    });
  });

  test.each(absurd)("of %d chips is refused", (count) =>
    expect(() => tokenEconomics(speeds, count, known("h100-sxm"), bare)).toThrow("number of chips is"),
  );
});
