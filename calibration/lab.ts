import { calibrationCases } from "./data";
import { efficienciesOf, fit, logMeasured, parametersOf } from "./fit";
import { byChip, byRow, errors, heldOut } from "./validate";
import { valueOf } from "../src/analysis/prediction/published_row";

export function lab(verbose: boolean) {
  const { cases, left } = calibrationCases();
  const t0 = performance.now();
  const parameters = parametersOf(cases);
  const values = fit(cases, parameters);
  const t1 = performance.now();
  const known = efficienciesOf(parameters, values);
  console.log(`${cases.length} cases, ${left.length} left, ${parameters.length} parameters, fit ${(t1 - t0).toFixed(0)} ms`);
  const inSample = cases.map((each) => ({ each, log: Math.log(valueOf(each, known)) - logMeasured(each) }));
  const chips = heldOut(cases, parameters, byChip, values);
  const rows = heldOut(cases, parameters, byRow, values);
  console.log("cv", (performance.now() - t1).toFixed(0), "ms");
  for (const category of ["decode", "prefill", "serving"] as const)
    for (const [name, residuals] of [["fit ", inSample], ["chip", chips], ["row ", rows]] as const) {
      const e = errors(residuals, category);
      console.log(category.padEnd(8), name, e.n, (100 * e.median).toFixed(1), (100 * e.p90).toFixed(1));
    }
  if (verbose) {
    console.log(left);
    for (const [name, q] of Object.entries(known)) console.log(name, q.base.toFixed(2), Object.entries(q.effects).filter(([, x]) => Math.abs(x) > 0.03).map(([k, x]) => `${k}: ${x.toFixed(2)}`).join("; "));
    const inLog = new Map(inSample.map((r) => [r.each.row.id, r.log]));
    for (const r of [...chips].sort((a, b) => a.each.category.localeCompare(b.each.category) || a.each.row.id.localeCompare(b.each.row.id)))
      console.log(r.each.category.slice(0, 3), r.each.row.id.padEnd(24), r.each.row.model.slice(0, 16).padEnd(16), (r.each.row.weightDtype ?? "").slice(0, 8).padEnd(8), `pp${r.each.row.promptTokens} o${r.each.row.outputTokens} b${r.each.row.batchOrConcurrency}/${r.each.batch} n${r.each.row.chips}/${r.each.replicas}`.padEnd(30), (r.each.row.software ?? "").slice(-26).padEnd(26), String(r.each.row.value).padEnd(9), "loco", r.log.toFixed(2).padStart(6), "fit", inLog.get(r.each.row.id)!.toFixed(2).padStart(6));
  }
}
