// What a cost rests on beside speeds and prices: every assumption with its unit, source, date and valid range, so that
// it can be printed beside the number and edited.

import { type AssumptionKey, defaults, type GivenKey, givens } from "./assumption_table";

export { type AssumptionKey, type GivenKey, HOUR, KILOWATT_HOUR, YEAR } from "./assumption_table";

/** One assumption in the unit that people write it in. */
export interface Assumption {
  readonly label: string;
  readonly unit: string;
  readonly value: number;
  /** The least and the greatest value that is accepted. */
  readonly range: readonly [low: number, high: number];
  /** What one `unit` is in base units: seconds, joules, bytes. */
  readonly factor: number;
  /** https address; empty where nobody's figure is used. */
  readonly source: string;
  /** The words of the source, or how the value was chosen. */
  readonly quote: string;
  /** When the figure held; "given" for what the user entered. */
  readonly asOf: string;
}

/** How heat leaves a chip. By default by the chip's power: water from `air-limit` upwards. */
export const coolings = ["by-chip", "air", "liquid"] as const;
export type Cooling = (typeof coolings)[number];

/** Everything a cost is computed with: the table's defaults where nothing else was said. */
export interface Assumptions {
  readonly cooling: Cooling;
  readonly values: Readonly<Record<AssumptionKey, Assumption>>;
  /** What the user knows about the hardware and a chip table does not: replaces the chip's own figures. */
  readonly given: Readonly<Partial<Record<GivenKey, Assumption>>>;
}

export const defaultAssumptions: Assumptions = { cooling: "by-chip", values: defaults, given: {} };

/** An assumption in base units: $/J, s, W, bytes/s. */
export const inBaseUnits = ({ value, factor }: Assumption): number => value * factor;

/** Assumptions, or one line that says what is wrong with the words for them. */
export type AssumptionsOutcome =
  | { readonly ok: true; readonly assumptions: Assumptions }
  | { readonly ok: false; readonly problem: string };

const isKey = <K extends string>(table: Readonly<Record<K, unknown>>, key: string): key is K =>
  Object.hasOwn(table, key);

/** Part of what somebody typed, fit for a message of one line. */
const shown = (given: string) => given.slice(0, 40).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "\ufffd");

const names = (...tables: readonly object[]) => ["cooling", ...tables.flatMap(Object.keys)].join(", ");

const number = /^\d+(\.\d+)?(e[+-]?\d+)?$/i;

/** The assumption with another value, or why it cannot have it. */
function edited(key: string, was: Omit<Assumption, "value">, given: string): Assumption | string {
  const [low, high] = was.range;
  const value = number.test(given) ? Number(given) : Number.NaN;
  if (!(value >= low && value <= high))
    return `${key}=${shown(given)}: ${was.label} is a number from ${low} to ${high} ${was.unit}`.trimEnd();
  return { ...was, value, source: "", quote: "given by the user", asOf: "given" };
}

/**
 * Reads "electricity=0.2,pue=1.1,rent=2.49": comma-separated, in the units of the table, in any order; what is not
 * named keeps its default and a later word replaces an earlier one. Nothing is thrown.
 */
export function parseAssumptions(text: string): AssumptionsOutcome {
  let { cooling } = defaultAssumptions;
  const values: Record<AssumptionKey, Assumption> = { ...defaults };
  const given: Partial<Record<GivenKey, Assumption>> = {};
  for (const word of text.split(",").map((each) => each.trim())) {
    if (word === "") continue;
    const at = word.indexOf("=");
    const [key, value] = at < 0 ? [word, ""] : [word.slice(0, at).trim(), word.slice(at + 1).trim()];
    if (key === "cooling") {
      const found = coolings.find((each) => each === value);
      if (found === undefined)
        return { ok: false, problem: `cooling=${shown(value)}: one of ${coolings.join(", ")}` };
      cooling = found;
      continue;
    }
    const wrong = (problem: string) => ({ ok: false, problem }) as const;
    if (isKey(values, key)) {
      const outcome = edited(key, values[key], value);
      if (typeof outcome === "string") return wrong(outcome);
      values[key] = outcome;
    } else if (isKey(givens, key)) {
      const outcome = edited(key, givens[key], value);
      if (typeof outcome === "string") return wrong(outcome);
      given[key] = outcome;
    } else {
      return wrong(`unknown assumption "${shown(key)}": one of ${names(values, givens)}`);
    }
  }
  return { ok: true, assumptions: { cooling, values, given } };
}

/** The words that differ from the defaults: `parseAssumptions` reads the same assumptions back. */
export function assumptionWords({ cooling, values, given }: Assumptions): string {
  const words = [
    ...(cooling === defaultAssumptions.cooling ? [] : [`cooling=${cooling}`]),
    ...[...Object.entries(values), ...Object.entries(given)]
      .filter(([, { asOf }]) => asOf === "given")
      .map(([key, { value }]) => `${key}=${value}`),
  ];
  return words.join(",");
}
