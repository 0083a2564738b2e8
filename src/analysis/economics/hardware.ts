// What a second of one chip costs and burns, rented or owned. Figures from memory are not used: what is missing is named.

import { type Chip, isVerified } from "../../chips/chip";
import { assertNotNegative, assertPositive } from "../interval";
import { type Assumption, type Assumptions, HOUR, inBaseUnits } from "./assumptions";

/** A figure that decides a result, with where it is from and when it held. */
export interface Evidence {
  /** W, $ or, of a rent, $/s. */
  readonly value: number;
  readonly source: string;
  readonly quote: string;
  readonly asOf?: string;
}

export type Known<T> = ({ readonly known: true } & T) | { readonly known: false; readonly missing: string };

/** The power of one chip at work, from the chip to the meter of the building. Watts. */
export interface PowerDraw {
  readonly chipWatts: number;
  /** With its share of host and network: what a rack has to feed and cool. */
  readonly itWatts: number;
  /** With cooling and distribution: what the meter counts. */
  readonly facilityWatts: number;
  readonly cooling: "air" | "liquid";
  readonly pue: number;
  readonly evidence: Evidence;
}

/** Chip, host and building: rated · load, · (1 + host-power), · PUE. Watts. Throws a RangeError on what is no power. */
export function powerDraw(rated: Evidence, assumptions: Assumptions): Known<PowerDraw> {
  assertPositive("power", rated.value);
  const { values, cooling: asked } = assumptions;
  const limit = inBaseUnits(values["air-limit"]);
  const hot = rated.value > limit;
  if (hot && asked === "air")
    return { known: false, missing: `air cooling ends at ${limit} W and the chip is rated ${rated.value} W` };
  const cooling = hot || asked === "liquid" ? "liquid" : "air";
  const pue = inBaseUnits(values[cooling === "liquid" ? "liquid-pue" : "pue"]);
  const chipWatts = rated.value * inBaseUnits(values.load);
  const itWatts = chipWatts * (1 + inBaseUnits(values["host-power"]));
  return { known: true, chipWatts, itWatts, facilityWatts: itWatts * pue, cooling, pue, evidence: rated };
}

/** What is sold as a system or a rack is its own host: its price and power have that share in them already. */
function hosted(chip: Chip, assumptions: Assumptions): Assumptions {
  if (!/^per (system|rack)\b/.test(chip.unit)) return assumptions;
  const { values } = assumptions;
  const none = (of: "host-price" | "host-power") => ({ ...values[of], value: 0 });
  const hosts = { "host-price": none("host-price"), "host-power": none("host-power") };
  return { ...assumptions, values: { ...values, ...hosts } };
}

/** The power of a chip by the user's figure, else by its own. */
export function chipPower(chip: Chip, assumed: Assumptions): Known<PowerDraw> {
  const assumptions = hosted(chip, assumed);
  const { power: given } = assumptions.given;
  if (given !== undefined) return powerDraw(inBase(given), assumptions);
  if (chip.power === undefined) return { known: false, missing: "no sourced power; give power=WATTS" };
  if (!isVerified(chip.power))
    return { known: false, missing: `power of ${chip.power.value} W is from memory only; give power=WATTS` };
  return powerDraw(chip.power, assumptions);
}

/** What one chip costs for every second in which it works. $/s. */
export interface ChipCost {
  readonly basis: "rent" | "purchase";
  readonly dollarsPerSecond: number;
  /** What it is made of; a rent includes host and electricity. */
  readonly parts: { readonly chip: number; readonly host: number; readonly energy: number };
  readonly evidence: Evidence;
}

const inBase = (given: Assumption): Evidence => ({ ...given, value: inBaseUnits(given) });

/**
 * Owning: price over the seconds of its lifetime in which it works, the host's share of that, and electricity while it
 * works. $/s. What idle hardware draws is not counted. Throws a RangeError on a negative or missing figure.
 */
export function ownership(
  price: number,
  facilityWatts: number,
  { values }: Assumptions,
): { readonly chip: number; readonly host: number; readonly energy: number } {
  assertPositive("price", price);
  assertNotNegative("power", facilityWatts);
  const chip = price / (inBaseUnits(values.lifetime) * inBaseUnits(values.utilisation));
  return {
    chip,
    host: chip * inBaseUnits(values["host-price"]),
    energy: facilityWatts * inBaseUnits(values.electricity),
  };
}

/** What a second of a chip costs, by the user's price, else by its own. A rent is paid for the seconds used only. */
export function chipCost(chip: Chip, basis: ChipCost["basis"], assumptions: Assumptions): Known<ChipCost> {
  const price = evidenceOf(chip, basis, assumptions);
  if (!price.known) return price;
  const { evidence } = price;
  if (basis === "rent") {
    assertPositive("rent", evidence.value);
    const parts = { chip: evidence.value, host: 0, energy: 0 };
    return { known: true, basis, dollarsPerSecond: evidence.value, parts, evidence };
  }
  const power = chipPower(chip, assumptions);
  if (!power.known) return power;
  const parts = ownership(evidence.value, power.facilityWatts, hosted(chip, assumptions));
  const dollarsPerSecond = parts.chip + parts.host + parts.energy;
  return { known: true, basis, dollarsPerSecond, parts, evidence };
}

/** What has to be paid once to own a chip with its share of the host. $ */
export function installedPrice(
  chip: Chip,
  assumptions: Assumptions,
): Known<{ readonly dollars: number; readonly evidence: Evidence }> {
  const price = evidenceOf(chip, "purchase", assumptions);
  if (!price.known) return price;
  const { evidence } = price;
  assertPositive("price", evidence.value);
  return {
    known: true,
    dollars: evidence.value * (1 + inBaseUnits(hosted(chip, assumptions).values["host-price"])),
    evidence,
  };
}

/** The price in $/s of rent or in $. */
function evidenceOf(
  chip: Chip,
  basis: ChipCost["basis"],
  { given }: Assumptions,
): Known<{ readonly evidence: Evidence }> {
  const entered = given[basis];
  if (entered !== undefined) return { known: true, evidence: inBase(entered) };
  const figure = basis === "rent" ? chip.price?.rentPerHour : chip.price?.purchase;
  const give = basis === "rent" ? "give rent=DOLLARS_PER_HOUR" : "give purchase=DOLLARS";
  if (figure === undefined) return { known: false, missing: `no sourced ${basis} price; ${give}` };
  if (!isVerified(figure))
    return {
      known: false,
      missing: `${basis} price of $${figure.value} (${figure.asOf}) is from memory only; ${give}`,
    };
  return {
    known: true,
    evidence: { ...figure, value: basis === "rent" ? figure.value / HOUR : figure.value },
  };
}
