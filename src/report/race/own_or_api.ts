// Owning the picked chips against paying an API by the token, and the assumptions under every cost.

import { type AssumptionKey, defaults } from "../../analysis/economics/assumption_table";
import { YEAR } from "../../analysis/economics/assumptions";
import { type BreakEven, breakEven } from "../../analysis/economics/break_even";
import { installedPrice } from "../../analysis/economics/hardware";
import { monotone } from "../../analysis/interval";
import { type ApiPrice, apiPrices, perToken } from "../../prices";
import { significant } from "../../units";
import type { Cell, Table } from "../report_types";
import { assumptionsFor, type Contestant, isRunner, type Runner } from "./contestant";
import type { Question } from "./question";
import { figure, unknown } from "./where_from";

const within = {
  yes: "within its lifetime",
  no: "after its lifetime",
  "cannot-tell": "perhaps within its lifetime",
};

function verdict(found: BreakEven, price: string): Cell {
  const saved = `saves ${significant(found.saved.value * 1e6)} $ per million requests`;
  if (found.verdict === "never") return { text: "never: electricity costs more", title: price };
  if (found.verdict === "cannot-tell") return { text: "cannot tell", title: `${saved}, or loses; ${price}` };
  const title = `${saved}; after ${significant(found.requests.value)} requests, ${within[found.withinLifetime]}; ${price}`;
  const years = figure(found.seconds, { title }, YEAR);
  return { ...years, text: `${years.text} years` };
}

/** One chip against one API: years until it has paid for itself. */
function against(runner: Runner, api: ApiPrice, question: Question): Cell {
  const { entry, chips, predicted, economics } = runner;
  const { prompt, cached, output, batch } = question;
  const assumed = assumptionsFor(entry, question.assumptions);
  const price = installedPrice(entry.chip, assumed);
  if (!price.known) return unknown(price.missing);
  if (!economics.energy.known) return unknown(economics.energy.missing);
  const { ttft, tpot } = predicted;
  if (ttft === undefined) return unknown("no verified peak");
  const found = breakEven(
    { input: prompt - cached, output },
    perToken(api),
    {
      dollars: price.dollars * chips,
      watts: economics.energy.power.facilityWatts * chips,
      secondsPerRequest: monotone((up) => (up(ttft) + output * up(tpot)) / batch),
    },
    assumed,
  );
  const { source, asOf } = price.evidence;
  return verdict(found, `price ${asOf ?? ""} ${source}`.trim());
}

/** A row for each price that somebody asks for this model, a column for each picked chip. */
export function breakEvenTable(asked: readonly Contestant[], question: Question): Table {
  const prices = apiPrices
    .filter(({ model }) => model === question.model)
    .sort((a, b) => a.outputPerMillion - b.outputPerMillion || a.inputPerMillion - b.inputPerMillion);
  return {
    title: `Years until a bought chip beats an API for ${question.model}`,
    note:
      prices.length === 0
        ? `Nobody's price for ${question.model} is in the table of API prices.`
        : "At the assumed utilisation: price with host over what each request saves. Listed prices do not prove that an endpoint still exists.",
    columns: ["API", "$/M in", "$/M out", "as of", ...asked.map(({ entry }) => entry.name)],
    rows: prices.map((api) => {
      const where = { title: api.quote, href: api.source };
      return [
        { text: `${api.provider} ${api.endpoint}`, ...where },
        { text: significant(api.inputPerMillion), ...where },
        { text: significant(api.outputPerMillion), ...where },
        { text: api.asOf },
        ...asked.map((each) => (isRunner(each) ? against(each, api, question) : unknown("not predicted"))),
      ];
    }),
  };
}

/** Every assumption with its range, source and date. */
export function assumptionTable({ assumptions: { cooling, values, given } }: Question): Table {
  const keys = Object.keys(defaults) as AssumptionKey[];
  const rows = [...keys.map((key) => [key, values[key]] as const), ...Object.entries(given)];
  return {
    title: "Assumptions",
    note: "rent, purchase and power are those of hardware of your own, measured or added: reference chips keep their sourced figures.",
    columns: ["word", "value", "unit", "range", "what", "as of", "why"],
    rows: [
      [
        { text: "cooling" },
        { text: cooling, title: "by-chip, air or liquid" },
        { text: "" },
        { text: "by-chip, air, liquid" },
        { text: "how heat leaves a chip" },
        { text: "" },
        { text: "" },
      ],
      ...rows.map(([key, each]): Cell[] => [
        { text: key },
        {
          text: String(each.value),
          title: each.quote,
          ...(each.source !== "" && { href: each.source }),
        },
        { text: each.unit },
        { text: `${each.range[0]} … ${each.range[1]}` },
        { text: each.label },
        { text: each.asOf },
        { text: each.quote, ...(each.source !== "" && { href: each.source }) },
      ]),
    ],
  };
}
