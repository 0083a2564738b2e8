// What the model predicts for a published row, in the row's own metric.

import type { Estimate } from "../estimate";
import type { Calibration } from "./calibration";
import type { Efficiencies } from "./efficiency";
import { halfWidth, within } from "./interval";
import { decodeTerms, promptTerms, totalSeconds } from "./pass_time";
import type { Case } from "./row_case";
import { servedTokensPerSecond } from "./serving";

const MILLISECONDS = 1e3;

/** The figure that a row asks for: tokens/s of all sequences or of one, or milliseconds. */
export function figureOf(each: Case, known: Efficiencies): number {
  const { row, subject, setting, input, output, batch, replicas } = each;
  const { model, machine, traits } = setting;
  if (subject === "served") {
    const perReplica = servedTokensPerSecond(setting, known, input, output, batch) ?? Number.NaN;
    return row.metric === "tokens/s/user" ? perReplica / batch : replicas * perReplica;
  }
  if (subject === "prompt") {
    const terms = promptTerms(model, machine, traits, known, input, batch);
    const seconds = terms === undefined ? Number.NaN : totalSeconds(terms);
    return row.metric === "ttft_ms" ? seconds * MILLISECONDS : (input * batch) / seconds;
  }
  const context = input + Math.round(output / 2);
  const seconds = totalSeconds(decodeTerms(model, machine, traits, known, context, batch));
  if (row.metric === "tpot_ms") return seconds * MILLISECONDS;
  return (row.metric === "tokens/s/user" ? 1 : batch) / seconds;
}

/** A row's figure with its interval of 90 %. */
export const answerOf = (each: Case, { efficiencies, ...known }: Calibration): Estimate =>
  within(figureOf(each, efficiencies), halfWidth(known, each.category, each.setting.traits, each.unknowns));
