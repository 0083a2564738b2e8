// What kernels that do several things at once gain: whole models that were run with them and without.

import type { Estimate } from "../analysis/estimate";
import type { WholeModel } from "../analysis/forward";
import { monotone } from "../analysis/interval";
import { forwardName } from "../forward_result";
import { percent, sampled, seconds } from "../units";
import { head } from "./forward_tables";
import type { Table } from "./report_types";
import { texts } from "./wording";

/** How much less time it takes fused, as a share; its interval from the worst and the best that both allow. */
function saved(fused: Estimate, apart: Estimate): string {
  const { value, low, high } = monotone((up, down) => 1 - down(fused) / up(apart));
  return low === high ? percent(value) : `${percent(value)} (${percent(low)} … ${percent(high)})`;
}

/** First tokens and steps of models that were run in both ways; undefined where none was. */
export function fusionTable(whole: readonly WholeModel[]): Table | undefined {
  const named = new Map(whole.map((each) => [forwardName(each.run), each]));
  const rows = whole.flatMap((each) => {
    const apart = named.get(forwardName({ ...each.run, fused: false }));
    if (!each.run.fused || apart === undefined) return [];
    const dispatches = (model: WholeModel) => String(model.run.decode.dispatches);
    const figures = (["firstToken", "perToken"] as const).flatMap((figure) => {
      const [together, separate] = [each[figure].measured, apart[figure].measured];
      return [sampled(together, seconds), sampled(separate, seconds), saved(together, separate)];
    });
    return [[...head(each.run), ...texts(...figures, dispatches(each), dispatches(apart))]];
  });
  if (rows.length === 0) return undefined;
  return {
    title: "What fused kernels gain",
    note:
      "The same model with kernels that do several things at once, and with one for each: a residual and its norm, that and the rounding to eight bits, " +
      "queries with keys and values, gate and up with the activation. Saved: of the time without them; below zero they cost time.",
    columns: [
      "model",
      "run",
      "type",
      "TTFT",
      "TTFT without",
      "saved",
      "TPOT",
      "TPOT without",
      "saved of TPOT",
      "dispatches per step",
      "dispatches without",
    ],
    rows,
  };
}
