// npm run calibrate: fits the efficiencies to the published rows, cross-validates them, and writes
// src/analysis/prediction/efficiencies.json and docs/residuals.md.

import { writeFileSync } from "node:fs";
import type { Calibration } from "../src/analysis/prediction/calibration";
import { calibrationCases } from "./data";
import { efficienciesOf, fitted, parametersOf } from "./fit";
import { residualsPage } from "./residuals_page";
import { byChip, byRow, heldOut, kinOf, spreadOf } from "./validate";

/** Digits that are kept: effects are known far less well. */
const DIGITS = 3;

/** Everything that is written, from the rows alone. Deterministic. */
export function calibrated() {
  const { cases, left } = calibrationCases();
  const parameters = parametersOf(cases);
  const values = fitted(cases, parameters).map((value) => Number(value.toFixed(DIGITS)));
  const chips = kinOf(cases);
  const apart = heldOut(cases, parameters, byChip, values);
  const random = heldOut(cases, parameters, byRow, values);
  const spread = (category: "decode" | "prefill" | "serving") =>
    Number(spreadOf([...apart, ...random], category).toFixed(DIGITS));
  const calibration: Calibration = {
    efficiencies: efficienciesOf(parameters, values),
    spread: { decode: spread("decode"), prefill: spread("prefill"), serving: spread("serving") },
    chips,
  };
  return { calibration, cases, left, parameters, values, apart, random };
}

/** Writes both files. */
export function calibrate(): void {
  const outcome = calibrated();
  writeFileSync(
    "src/analysis/prediction/efficiencies.json",
    `${JSON.stringify(outcome.calibration, null, 2)}\n`,
  );
  writeFileSync("docs/residuals.md", residualsPage(outcome));
}
