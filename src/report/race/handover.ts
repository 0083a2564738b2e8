// Prefill on one chip and decode on another, beside either doing both, for every kind of request.

import { type Link, type PhaseSpeeds, type ServingOutcome, servingWays } from "../../analysis/disaggregation";
import { inBaseUnits } from "../../analysis/economics/assumptions";
import { type ChipCost, chipCost, chipPower } from "../../analysis/economics/hardware";
import type { Predicted } from "../../analysis/predict";
import { cacheBytesPerToken } from "../../analysis/prediction/serving";
import { type Scenario, scenarios } from "../../analysis/scenarios";
import { duration, scaled, seconds as time } from "../../units";
import type { Cell, Table } from "../report_types";
import { ask, assumptionsFor, chipsOf, modelOf } from "./contestant";
import type { RaceEntry } from "./entry";
import { type Question, scenarioOf } from "./question";
import { figure, scaledFigure, unknown } from "./where_from";

/** An entry as one of the two; the reason, where its speeds are not known. */
function speedsOf(
  entry: RaceEntry,
  question: Question,
  basis: ChipCost["basis"],
): PhaseSpeeds | { readonly missing: string } {
  const model = modelOf(question);
  const chips = chipsOf(entry, question, model);
  const alone = ask(entry, { ...question, batch: 1 }, model, chips);
  const together = ask(entry, question, model, chips);
  const failed = [alone, together].find((each) => each.status === "not-predicted");
  const reason = (each: Predicted | undefined) =>
    each?.status === "not-predicted" ? each.reason : "not predicted";
  if (alone.status !== "predicted" || together.status !== "predicted") return { missing: reason(failed) };
  const { ttft } = alone;
  if (ttft === undefined) return { missing: "no verified peak" };
  const assumed = assumptionsFor(entry, question.assumptions);
  const cost = chipCost(entry.chip, basis, assumed);
  const power = chipPower(entry.chip, assumed);
  return {
    name: chips === 1 ? entry.name : `${chips} × ${entry.name}`,
    prefillSeconds: () => ttft,
    decodeStepSeconds: () => together.tpot,
    maxBatch: question.batch,
    dollarsPerSecond: cost.known ? chips * cost.dollarsPerSecond : undefined,
    watts: power.known ? chips * power.facilityWatts : undefined,
    chips,
  };
}

/** Rent where both can be rented, purchase where both can be bought: one is not held against the other. */
function basisFor(entries: readonly RaceEntry[], { assumptions }: Question): ChipCost["basis"] {
  const all = (basis: ChipCost["basis"]) =>
    entries.every((entry) => chipCost(entry.chip, basis, assumptionsFor(entry, assumptions)).known);
  return !all("rent") && all("purchase") ? "purchase" : "rent";
}

function cells(outcome: ServingOutcome, basis: ChipCost["basis"], power: string): Cell[] {
  if (!outcome.fits) return [unknown(outcome.reason)];
  const { ttft, tpot, latency, prefillUnits, requestsPerSecond, chips, bound } = outcome;
  const title = "from the predicted times of either chip: docs/economics.md, prefill here, decode there";
  const million = 1e6;
  return [
    scaledFigure(ttft, time, { title }),
    scaledFigure(tpot, time, { title }),
    scaledFigure(latency, time, { title }),
    figure(prefillUnits, { title }),
    figure(chips, { title }),
    figure(requestsPerSecond, { title }),
    { text: bound },
    outcome.tokensPerDollar === undefined
      ? unknown(`no sourced ${basis} price of both`)
      : figure(outcome.tokensPerDollar, { title: `${title}; by ${basis}` }, million),
    outcome.tokensPerJoule === undefined ? unknown(power) : figure(outcome.tokensPerJoule, { title }),
  ];
}

/** The three ways for each scenario, and for the question's own request where it is none of them. */
export function handoverTable(entries: readonly RaceEntry[], question: Question): Table {
  const [a, b] = [question.prefill, question.decode].map((id) => entries.find((each) => each.id === id));
  const { values } = question.assumptions;
  const link: Link = { bandwidth: inBaseUnits(values.link), latency: inBaseUnits(values["link-latency"]) };
  const title = `Prefill on ${a?.name ?? question.prefill}, decode on ${b?.name ?? question.decode}`;
  const columns = [
    "request",
    "served by",
    "TTFT",
    "TPOT",
    "latency",
    "prefill units",
    "chips",
    "requests/s",
    "bound by",
    "M tokens/$",
    "tokens/J",
  ];
  if (a === undefined || b === undefined) return { title, columns, rows: [] };
  const basis = basisFor([a, b], question);
  const own = scenarioOf(question);
  const asked: Scenario[] = [...(own.id === "own" ? [own] : []), ...scenarios];
  const rows = asked.flatMap((scenario): Cell[][] => {
    const { prompt, cachedPrompt: cached, output, note } = scenario;
    const request = { ...question, prompt, cached, output };
    const about = {
      text: scenario.title,
      title: `${prompt} in, ${cached} of them cached, ${output} out; ${note}`,
    };
    const [onA, onB] = [a, b].map((entry) => speedsOf(entry, request, basis));
    const known = [onA, onB].flatMap((each) => (each === undefined || "missing" in each ? [] : [each]));
    const [first, second] = known;
    if (first === undefined || second === undefined) {
      const reasons = [onA, onB].map((each, i) =>
        each !== undefined && "missing" in each ? `${[a, b][i]?.name}: ${each.missing}` : "",
      );
      return [[about, { text: `${a.name} and ${b.name}` }, unknown(reasons.filter(Boolean).join("; "))]];
    }
    const kvBytes = cacheBytesPerToken(modelOf(question)) * prompt;
    const ways = servingWays(first, second, { output, kvBytes }, link, question.batch);
    const sent = `${scaled(kvBytes, "B")} of KV cache over ${scaled(link.bandwidth, "B/s")} in ${duration(kvBytes / link.bandwidth)}`;
    const power = "no sourced power of both";
    return [
      [about, { text: first.name }, ...cells(ways.onA, basis, power)],
      [about, { text: second.name }, ...cells(ways.onB, basis, power)],
      [about, { text: `${first.name} → ${second.name}`, title: sent }, ...cells(ways.fromAToB, basis, power)],
    ];
  });
  return {
    title,
    note:
      `Steady state, equal requests, no queue, batch ${question.batch}. A decode unit with as many prefill units as keep ` +
      `it busy, the KV cache sent over the assumed link; each chip alone beside them.`,
    columns,
    rows,
  };
}
