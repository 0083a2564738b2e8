// Every chip beside every other: speed, energy and money for one request, each figure with its interval and source.

import type { InAndOut } from "../../analysis/economics/token_economics";
import type { Estimate } from "../../analysis/estimate";
import { monotone } from "../../analysis/interval";
import { capacityOf } from "../../analysis/prediction/chip_figures";
import { seconds as time } from "../../units";
import type { Cell, Table } from "../report_types";
import { type Contestant, contestant, isRunner, type Runner } from "./contestant";
import type { RaceEntry } from "./entry";
import { type Question, type SortKey, sortKeys } from "./question";
import { behind, cellOf, evidence, figure, scaledFigure, unknown } from "./where_from";

const titles: Readonly<Record<SortKey, string>> = {
  chip: "chip",
  class: "class",
  role: "sold for",
  chips: "chips",
  prefill: "prefill, tokens/s",
  decode: "decode, tokens/s per user",
  ttft: "TTFT",
  tpot: "TPOT",
  throughput: "served, tokens/s",
  watt: "tokens/s/W",
  "input-cost": "$/M tokens in",
  "output-cost": "$/M tokens out",
  basis: "paid as",
};

/** Programs read seconds. */
const MILLION = 1e-6;

/** The rent where one is known, else the purchase; what is missing where neither is. */
export function tokenCost({ economics }: Runner) {
  const { rent, purchase } = economics;
  return rent.known
    ? rent
    : purchase.known
      ? purchase
      : { known: false as const, missing: "no sourced price" };
}

function nameCell({ name, origin, chip }: RaceEntry): Cell {
  const about = `${chip.vendor}, ${chip.launch}, figures ${chip.unit}`;
  if (origin === "measured") return { text: name, title: "measured by Tokenroof" };
  const mark = origin === "added" ? " (added)" : "";
  return { text: `${name}${mark}`, title: chip.note === undefined ? about : `${about}. ${chip.note}` };
}

function chipsCell({ entry, chips, predicted }: Contestant, asked: Question["chips"]): Cell {
  const number = { value: chips, low: chips, high: chips };
  const text = String(chips);
  if (asked !== "auto") return { text, number, title: "as asked" };
  const capacity = capacityOf(entry.chip);
  if (capacity === undefined)
    return { text, number, title: "memory size not known: taken to hold the model in one" };
  const title = `as few as hold weights and KV cache in 90 % of their memory (${capacity.kind}), ${entry.chip.unit}`;
  const why = predicted.status === "predicted" ? title : `${title}; ${predicted.reason}`;
  return { text, number, title: why, ...(capacity.source !== "" && { href: capacity.source }) };
}

/** Tokens per second of one sequence. */
export const perUser = (tpot: Estimate): Estimate => monotone((_, down) => 1 / down(tpot));

function speedCells(runner: Runner, question: Question): Cell[] {
  const { predicted, economics } = runner;
  const { prefill, ttft, tpot, throughput } = predicted;
  const where = behind(predicted);
  const noPeak = unknown("no verified peak");
  const served =
    prefill === undefined ? noPeak : unknown(`not predicted with ${question.cached} tokens in the cache`);
  return [
    prefill === undefined ? noPeak : figure(prefill.tokensPerSecond, where.prefill),
    figure(perUser(tpot), where.decode),
    ttft === undefined ? noPeak : scaledFigure(ttft, time, where.prefill),
    scaledFigure(tpot, time, where.decode),
    throughput === undefined ? served : figure(throughput, where.both),
    cellOf(economics.energy, ({ tokensPerSecondPerWatt: { output }, power }) =>
      figure(output, evidence("Tokens written per joule of the chips. Rated power", power.evidence)),
    ),
  ];
}

function costCells(runner: Runner): Cell[] {
  const cost = tokenCost(runner);
  const of = (side: keyof InAndOut<Estimate>) =>
    cellOf(cost, ({ cost: { basis, evidence: price }, dollarsPerToken }) =>
      figure(
        dollarsPerToken[side],
        evidence(`${runner.chips} × the ${basis} price`, price, " over the tokens per second"),
        MILLION,
      ),
    );
  const input = runner.predicted.prefill === undefined ? unknown("no verified peak") : of("input");
  return [input, of("output"), { text: cost.known ? cost.cost.basis : "" }];
}

/** Of a row, in the order of the columns. */
function row(each: Contestant, question: Question): Cell[] {
  const { entry, predicted } = each;
  const about = [
    nameCell(entry),
    { text: entry.origin === "measured" ? "measured" : entry.chip.class },
    { text: entry.origin === "measured" ? "" : entry.chip.role },
    chipsCell(each, question.chips),
  ];
  if (isRunner(each)) return [...about, ...speedCells(each, question), ...costCells(each)];
  const reason = predicted.status === "predicted" ? "" : predicted.reason;
  const none = Array.from({ length: sortKeys.length - about.length - 1 }, (): Cell => ({ text: "" }));
  return [...about, unknown(reason), ...none];
}

/** Entries of the classes and roles asked for; what is one's own is always among them. */
const isAsked = ({ origin, chip }: RaceEntry, question: Question): boolean =>
  origin !== "reference" ||
  ((question.class.length === 0 || question.class.includes(chip.class)) &&
    (question.role.length === 0 || question.role.includes(chip.role)));

const { compare: byText } = new Intl.Collator("en", { numeric: true });

/** Figures before texts, and rows without a figure last, however rows are ordered. */
function ordered(rows: readonly { id: string; cells: Cell[] }[], { sort }: Question) {
  const column = sortKeys.indexOf(sort.by);
  const sign = sort.descending ? -1 : 1;
  const isFigure = rows.some(({ cells }) => cells[column]?.number !== undefined);
  return [...rows].sort((a, b) => {
    const [left, right] = [a.cells[column], b.cells[column]];
    if (!isFigure) return sign * byText(left?.text ?? "", right?.text ?? "");
    const [x, y] = [left?.number?.value, right?.number?.value];
    if (x === undefined || y === undefined) return Number(x === undefined) - Number(y === undefined);
    return sign * (x - y);
  });
}

/** One row for each entry that is asked for, also those that cannot be predicted: what lacks is named. */
export function compareTable(entries: readonly RaceEntry[], question: Question): Table {
  const { model, weights, prompt, cached, output, batch, sort } = question;
  const rows = ordered(
    entries
      .filter((entry) => isAsked(entry, question))
      .map((entry) => ({ id: entry.id, cells: row(contestant(entry, question), question) })),
    question,
  );
  const read = cached === 0 ? `${prompt} tokens in` : `${prompt} tokens in, ${cached} of them in the cache`;
  return {
    title: `${model} in ${weights} on ${rows.length} chips`,
    note:
      `${read}, ${output} out, batch ${batch}. Predicted from published figures, with intervals of 90 % from chips that the ` +
      `calibration had not seen; what is missing is named, not guessed.`,
    columns: sortKeys.map((key) => titles[key]),
    rows: rows.map(({ cells }) => cells),
    ids: rows.map(({ id }) => id),
    order: { keys: sortKeys, ...sort },
  };
}
