import * as v from "valibot";
import { describe, expect, test } from "vitest";
import { apiPriceSchema } from "../../src/prices/api_price";
import { apiPrices, apiPricesOf, perToken } from "../../src/prices/index";

test.each(apiPrices)("$provider's $endpoint has the price that its source says", (price) => {
  const said = /input_cost_per_token (\S+), output_cost_per_token (\S+)$/.exec(price.quote);
  expect(price.quote).toContain(`"${price.endpoint}"`);
  expect(Number(said?.[1])).toBeCloseTo(perToken(price).input, 15);
  expect(Number(said?.[2])).toBeCloseTo(perToken(price).output, 15);
  // A price outside of this is a slip of the unit: the table has a seller at 22,000 $ per million.
  for (const each of [price.inputPerMillion, price.outputPerMillion]) {
    expect(each).toBeGreaterThanOrEqual(0.01);
    expect(each).toBeLessThanOrEqual(20);
  }
  expect(price.outputPerMillion).toBeGreaterThanOrEqual(price.inputPerMillion);
});

test("no seller has two prices for a model", () => {
  const names = apiPrices.map(({ provider, model }) => `${provider} ${model}`);
  expect(new Set(names).size).toBe(names.length);
});

test("prices of a model come cheapest first", () => {
  const listed = apiPricesOf("llama-3.1-8b");
  expect(listed.length).toBeGreaterThanOrEqual(8);
  const outputs = listed.map(({ outputPerMillion }) => outputPerMillion);
  expect(outputs).toEqual(outputs.toSorted((a, b) => a - b));
  expect(apiPricesOf("smollm2-135m")).toEqual([]);
});

describe("schema", () => {
  const accepts = (change: object) => v.is(apiPriceSchema, { ...apiPrices[0], ...change });
  test("accepts what is there", () => expect(accepts({})).toBe(true));
  test.each([
    { model: "gpt-4" },
    { inputPerMillion: 0 },
    { outputPerMillion: Number.NaN },
    { outputPerMillion: -1 },
    { source: "http://example.org/" },
    { source: "" },
    { quote: "" },
    { asOf: "last week" },
    { asOf: "2026-13-01" },
    { currency: "EUR" },
  ])("refuses %o", (change) => expect(accepts(change)).toBe(false));
});
