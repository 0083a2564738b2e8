// The committed calibration is what the published rows give, holds for chips that it has not seen, and rests on no
// single chip.

import { expect, test } from "vitest";
import { calibrated } from "../../calibration/calibrate";
import { calibrationCases } from "../../calibration/data";
import { chipsBehind, fitted, MIN_CHIPS, parametersOf } from "../../calibration/fit";
import { coverage, errors, type Residual } from "../../calibration/validate";
import { calibration, categories } from "../../src/analysis/prediction/calibration";
import { quantityNames } from "../../src/analysis/prediction/efficiency";

const found = calibrated();
const table = (residuals: readonly Residual[]) =>
  Object.fromEntries(
    categories.map((category) => [
      category,
      { ...errors(residuals, category), coverage: coverage(residuals, calibration.spread, category) },
    ]),
  );

test("what is committed is what npm run calibrate writes", () => {
  for (const name of quantityNames) {
    const committed = calibration.efficiencies[name];
    const fresh = found.calibration.efficiencies[name];
    expect(committed.base).toBeCloseTo(fresh.base, 2);
    for (const key of new Set([...Object.keys(committed.effects), ...Object.keys(fresh.effects)]))
      expect([name, key, committed.effects[key] ?? 0]).toEqual([
        name,
        key,
        expect.closeTo(fresh.effects[key] ?? 0, 2),
      ]);
  }
  for (const category of categories)
    expect(calibration.spread[category]).toBeCloseTo(found.calibration.spread[category], 2);
  expect(calibration.chips).toEqual(found.calibration.chips);
});

// Thresholds with a margin over what docs/residuals.md reports.
test("chips that the fit has not seen", () => {
  const apart = table(found.apart);
  expect(apart.decode?.median).toBeLessThan(0.12);
  expect(apart.decode?.p90).toBeLessThan(0.4);
  expect(apart.prefill?.median).toBeLessThan(0.13);
  expect(apart.prefill?.p90).toBeLessThan(0.3);
  expect(apart.serving?.median).toBeLessThan(0.34);
  expect(apart.serving?.p90).toBeLessThan(0.75);
  for (const { coverage: share } of Object.values(apart)) {
    expect(share).toBeGreaterThan(0.85);
    expect(share).toBeLessThan(0.97);
  }
});

test("rows that the fit has not seen", () => {
  const random = table(found.random);
  expect(random.decode?.median).toBeLessThan(0.1);
  expect(random.decode?.p90).toBeLessThan(0.3);
  expect(random.prefill?.median).toBeLessThan(0.12);
  expect(random.prefill?.p90).toBeLessThan(0.3);
  expect(random.serving?.median).toBeLessThan(0.25);
  expect(random.serving?.p90).toBeLessThan(0.8);
});

test("no constant rests on a single chip", () => {
  const { cases, parameters, values } = found;
  const behind = chipsBehind(cases, parameters);
  parameters.forEach(({ quantity, key }, i) => {
    if (values[i] === 0) return;
    expect([quantity, key, behind[i]! >= MIN_CHIPS]).toEqual([quantity, key, true]);
  });
});

test("a group that only one chip is left of falls back to its broader ones", () => {
  const { cases } = calibrationCases();
  const amd = new Set(
    cases.filter(({ setting }) => setting.traits.maker === "amd").map(({ row }) => row.chipId),
  );
  const [kept] = amd;
  const without = cases.filter(({ row }) => !amd.has(row.chipId) || row.chipId === kept);
  const parameters = parametersOf(without);
  const values = fitted(without, parameters, undefined, 4);
  const ofAmd = parameters.flatMap(({ key }, i) => (key.includes("maker=amd") ? [values[i]] : []));
  expect(amd.size).toBeGreaterThan(2);
  expect(ofAmd.length).toBeGreaterThan(0);
  expect(new Set(ofAmd)).toEqual(new Set([0]));
});
