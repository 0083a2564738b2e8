// What a demand in tokens per second takes: units, chips, racks, watts.

import type { Estimate } from "../estimate";
import { assertEstimate, assertPositive, monotone } from "../interval";
import { type Assumptions, inBaseUnits } from "./assumptions";
import type { PowerDraw } from "./hardware";

/** One copy of the model on the chips that hold it. */
export interface ServingUnit {
  readonly tokensPerSecond: Estimate;
  readonly chips: number;
  /** Of one chip. */
  readonly power: PowerDraw;
}

/** Whole units, chips and racks; watts with all of them working. */
export type Supply =
  | {
      readonly possible: true;
      readonly units: Estimate;
      readonly chips: Estimate;
      readonly chipsPerRack: number;
      readonly racks: Estimate;
      readonly cooling: "air" | "liquid";
      readonly itWatts: Estimate;
      readonly facilityWatts: Estimate;
    }
  | { readonly possible: false; readonly reason: string };

/**
 * Hardware for a demand of tokens per second: ⌈demand / unit⌉ units, racks by the power that one feeds and cools.
 * Demand is taken as constant: peaks need more. Throws a RangeError on a figure that cannot be.
 */
export function supply(tokensPerSecond: number, unit: ServingUnit, { values }: Assumptions): Supply {
  assertPositive("demand in tokens per second", tokensPerSecond);
  assertEstimate("tokens per second of a unit", unit.tokensPerSecond);
  if (!Number.isInteger(unit.chips) || unit.chips < 1)
    throw new RangeError(`chips of a unit is ${unit.chips}: it has to be a whole number from 1 up`);
  const { itWatts, facilityWatts, cooling } = unit.power;
  const rackWatts = inBaseUnits(values[cooling === "liquid" ? "liquid-rack" : "rack"]);
  const chipsPerRack = Math.floor(rackWatts / itWatts);
  if (chipsPerRack < 1)
    return {
      possible: false,
      reason: `one chip and its host draw ${Math.round(itWatts)} W, a rack with ${cooling} cooling feeds ${rackWatts} W`,
    };
  const units = monotone((_, down) => Math.ceil(tokensPerSecond / down(unit.tokensPerSecond)));
  const chips = monotone((up) => up(units) * unit.chips);
  return {
    possible: true,
    units,
    chips,
    chipsPerRack,
    racks: monotone((up) => Math.ceil(up(chips) / chipsPerRack)),
    cooling,
    itWatts: monotone((up) => up(chips) * itWatts),
    facilityWatts: monotone((up) => up(chips) * facilityWatts),
  };
}
