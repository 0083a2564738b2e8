import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type Assumptions,
  assumptionWords,
  defaultAssumptions,
  inBaseUnits,
  parseAssumptions,
} from "../../src/analysis/economics/assumptions";

function parsed(text: string): Assumptions {
  const outcome = parseAssumptions(text);
  if (!outcome.ok) throw new Error(outcome.problem);
  return outcome.assumptions;
}
const problem = (text: string) => {
  const outcome = parseAssumptions(text);
  return outcome.ok ? undefined : outcome.problem;
};

describe("the defaults", () => {
  test.each(Object.entries(defaultAssumptions.values))(
    "%s lies in its range and says where it is from, when, or that it was chosen",
    (_, { value, range: [low, high], source, quote, asOf, label }) => {
      expect(value).toBeGreaterThanOrEqual(low);
      expect(value).toBeLessThanOrEqual(high);
      expect(label).not.toBe("");
      expect(quote).not.toBe("");
      expect(asOf).not.toBe("");
      if (source === "") expect(quote).toMatch(/^(chosen|\d)/);
      else expect(source).toMatch(/^https:\/\/\S+$/);
    },
  );

  test("in base units are those of the field", () => {
    const { electricity, lifetime, rack, link } = defaultAssumptions.values;
    expect(inBaseUnits(electricity)).toBeCloseTo(0.1 / 3.6e6, 15);
    expect(inBaseUnits(lifetime)).toBe(4 * 365 * 24 * 3600);
    expect(inBaseUnits(rack)).toBe(30_000);
    expect(inBaseUnits(link)).toBe(400e9 / 8);
  });

  test("are what no words stand for", () => {
    expect(parsed("")).toEqual(defaultAssumptions);
    expect(assumptionWords(defaultAssumptions)).toBe("");
  });
});

describe("words", () => {
  test("replace what they name and leave the rest", () => {
    const { values, given, cooling } = parsed(" electricity = 0.25, cooling=liquid,rent=2.49 ");
    expect(values.electricity).toMatchObject({ value: 0.25, source: "", asOf: "given" });
    expect(values.pue).toEqual(defaultAssumptions.values.pue);
    expect(given.rent).toMatchObject({ value: 2.49, unit: "$/h" });
    expect(given.purchase).toBeUndefined();
    expect(cooling).toBe("liquid");
  });

  test("that come later win", () => expect(parsed("pue=1.5,pue=1.1").values.pue.value).toBe(1.1));

  test.each([
    ["electricity=-1", "electricity=-1: electricity is a number from 0.001 to 2 $/kWh"],
    ["electricity=0", "electricity=0: electricity is a number from 0.001 to 2 $/kWh"],
    ["pue=0.9", "pue=0.9: power usage effectiveness with air cooling is a number from 1 to 3"],
    ["pue=", "pue=: power usage effectiveness with air cooling is a number from 1 to 3"],
    ["utilisation=60", "is a number from 0.01 to 1"],
    ["lifetime=NaN", "is a number from 0.5 to 15 years"],
    ["lifetime=Infinity", "is a number from 0.5 to 15 years"],
    ["lifetime=0x4", "is a number from 0.5 to 15 years"],
    ["rent=1e300", "rent of one chip is a number from 0.001 to 10000 $/h"],
    ["cooling=ice", "cooling=ice: one of by-chip, air, liquid"],
    ["PUE=1.2", 'unknown assumption "PUE": one of cooling, electricity, pue,'],
    ["constructor=1", 'unknown assumption "constructor"'],
    ["__proto__=1", 'unknown assumption "__proto__"'],
    ["pue", "pue=: "],
  ])("%s is refused with what is valid", (words, expected) => expect(problem(words)).toContain(expected));

  test("of any kind are read or refused in one line, never thrown", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const line = problem(text);
        expect(line ?? "").not.toMatch(/[\n\r\u2028\u2029]/);
      }),
    );
  });

  test("are written and read back", () => {
    const { values } = defaultAssumptions;
    const keys = Object.keys(values) as (keyof typeof values)[];
    const edits = fc.record({
      key: fc.constantFrom(...keys),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
      cooling: fc.constantFrom("by-chip", "air", "liquid"),
    });
    fc.assert(
      fc.property(edits, ({ key, share, cooling }) => {
        const [low, high] = values[key].range;
        const value = Math.min(high, low + share * (high - low));
        const once = parsed(`${key}=${value},cooling=${cooling},power=450`);
        expect(once.values[key].value).toBe(value);
        expect(parsed(assumptionWords(once))).toEqual(once);
      }),
    );
  });
});
