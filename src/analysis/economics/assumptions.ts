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

class BadWord extends Error {}

/** The assumption with another value. Throws BadWord on what is no number of its range. */
function edited(key: string, was: Omit<Assumption, "value">, given: string): Assumption {
  const [low, high] = was.range;
  const value = number.test(given) ? Number(given) : Number.NaN;
  if (value >= low && value <= high)
    return { ...was, value, source: "", quote: "given by the user", asOf: "given" };
  const valid = `a number from ${low} to ${high} ${was.unit}`.trimEnd();
  throw new BadWord(`${key}=${shown(given)}: ${was.label} is ${valid}`);
}

function coolingOf(given: string): Cooling {
  const found = coolings.find((each) => each === given);
  if (found === undefined) throw new BadWord(`cooling=${shown(given)}: one of ${coolings.join(", ")}`);
  return found;
}

/** Throws BadWord. */
function read(text: string): Assumptions {
  let { cooling } = defaultAssumptions;
  const values: Record<AssumptionKey, Assumption> = { ...defaults };
  const given: Partial<Record<GivenKey, Assumption>> = {};
  for (const word of text.split(",").map((each) => each.trim())) {
    if (word === "") continue;
    const [key = "", value = ""] = word.split(/=(.*)/su).map((each) => each.trim());
    if (key === "cooling") cooling = coolingOf(value);
    else if (isKey(values, key)) values[key] = edited(key, values[key], value);
    else if (isKey(givens, key)) given[key] = edited(key, givens[key], value);
    else throw new BadWord(`unknown assumption "${shown(key)}": one of ${names(values, givens)}`);
  }
  return { cooling, values, given };
}

/**
 * Reads "electricity=0.2,pue=1.1,rent=2.49": comma-separated, in the units of the table, in any order; what is not
 * named keeps its default and a later word replaces an earlier one. Nothing is thrown.
 */
export function parseAssumptions(text: string): AssumptionsOutcome {
  try {
    return { ok: true, assumptions: read(text) };
  } catch (error) {
    if (error instanceof BadWord) return { ok: false, problem: error.message };
    throw error;
  }
}

/** The words that were given: `parseAssumptions` reads the same assumptions back. */
export function assumptionWords({ cooling, values, given }: Assumptions): string {
  const words = [
    ...(cooling === defaultAssumptions.cooling ? [] : [`cooling=${cooling}`]),
    ...[...Object.entries(values), ...Object.entries(given)]
      .filter(([, { asOf }]) => asOf === "given")
      .map(([key, { value }]) => `${key}=${value}`),
  ];
  return words.join(",");
}
