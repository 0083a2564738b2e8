// "Where from?": what stands behind each figure of the race, as the title and the link of its cell.

import type { Evidence, Known } from "../../analysis/economics/hardware";
import type { Estimate } from "../../analysis/estimate";
import type { UsedFigure } from "../../analysis/prediction/chip_figures";
import { times } from "../../analysis/prediction/interval";
import { byteRate, flopRate, memory, type ScaleOf, significant, written } from "../../units";
import { termShares } from "../prediction_terms";
import type { Cell } from "../report_types";
import type { Prediction } from "./contestant";

/** What is counted needs no decimals. */
const counted = (value: number) =>
  Number.isInteger(value) && value < 1000 ? String(value) : significant(value);

/** "154 (121 … 196)", or the figure alone where it is exact. */
const spanned = ({ value, low, high }: Estimate, of: (value: number) => string, unit = "") =>
  low === high ? `${of(value)}${unit}` : `${of(value)}${unit} (${of(low)} … ${of(high)})`;

/** A figure with its interval of 90 %: "154 (121 … 196)". `factor` is what one of the column's units is in base units. */
export function figure(estimate: Estimate, where: Omit<Cell, "text" | "number">, factor = 1): Cell {
  const number = {
    value: estimate.value / factor,
    low: estimate.low / factor,
    high: estimate.high / factor,
  };
  return { text: spanned(number, counted), number, ...where };
}

/** A figure written with its unit, which its size decides: "1.23 ms (1.10 … 1.36)". */
export function scaledFigure(
  estimate: Estimate,
  scaleOf: ScaleOf,
  where: Omit<Cell, "text" | "number">,
): Cell {
  const { factor, unit } = scaleOf(estimate.value);
  const text = spanned(times(estimate, 1 / factor), significant, ` ${unit}`);
  // Programs get it in the unit of something of size one: s, W, FLOP/s, %.
  const base = scaleOf(1);
  return { text, number: { ...times(estimate, 1 / base.factor), unit: base.unit }, ...where };
}

/** What is not known, and which figure lacks; the whole reason is its title. */
export const unknown = (missing: string): Cell => ({ text: `? (${shortReason(missing)})`, title: missing });

/** The reason without what the row says already, and without advice about words that do not reach a reference chip. */
const shortReason = (reason: string): string =>
  reason
    .replace(/ for [^:]*: not predicted$/, "")
    .replace(/; give .*$/, "")
    .replace(/(power|price) of .* is from memory only/, "$1 from memory only")
    .replace(/^.* does not fit into/, "does not fit into");

const usedText = ({ name, value, kind, derivation }: UsedFigure): string => {
  const shown = name.endsWith("peak")
    ? written(value, flopRate)
    : name === "memory"
      ? memory(value)
      : written(value, byteRate);
  return `${name} ${shown} (${kind}${derivation === undefined ? "" : `: ${derivation}`})`;
};

const source = (figures: readonly UsedFigure[], pattern: RegExp) => {
  const found = figures.find(({ name, source }) => pattern.test(name) && source !== "");
  return found === undefined ? {} : { href: found.source };
};

/** Behind every figure of one prediction. */
export interface Behind {
  readonly prefill: Omit<Cell, "text">;
  readonly decode: Omit<Cell, "text">;
  readonly both: Omit<Cell, "text">;
}

/** The terms of each phase, the figures that they rest on and what was assumed; linked to the figure that decides. */
export function behind({ prefill, decode, figures, assumptions }: Prediction): Behind {
  const rest = `From ${figures.map(usedText).join("; ")}. Assumed: ${assumptions.join("; ")}.`;
  const terms = (phase: typeof prefill) =>
    phase === undefined ? "" : `Made of ${termShares(phase.terms, phase.seconds.value)}. `;
  const peak = source(figures, /peak$/);
  const bandwidth = source(figures, /bandwidth$/);
  return {
    prefill: { title: `Predicted. ${terms(prefill)}${rest}`, ...peak },
    decode: { title: `Predicted. ${terms(decode)}${rest}`, ...bandwidth },
    both: { title: `Predicted. ${rest}`, ...bandwidth },
  };
}

/** A price or a power: who says so, in which words, and when. */
export const evidence = (what: string, { source, quote, asOf }: Evidence, note = ""): Omit<Cell, "text"> => ({
  title: `${what}${asOf === undefined ? "" : ` (${asOf})`}: ${source === "" ? "" : `${source} `}“${quote}”${note}`,
  ...(source !== "" && { href: source }),
});

/** A cell of what is known, or the name of the figure that is missing. */
export const cellOf = <T>(known: Known<T>, of: (value: T) => Cell): Cell =>
  known.known ? of(known) : unknown(known.missing);
