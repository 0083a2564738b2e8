// A model on a chip in money and energy: everything that can be said per token, and the name of what cannot.

import type { Chip } from "../../chips/chip";
import type { Estimate } from "../estimate";
import { assertPositive } from "../interval";
import type { Assumptions } from "./assumptions";
import { dollarsPerToken, tokensPerDollar } from "./cost";
import { energyDollarsPerToken, joulesPerToken, tokensPerSecondPerWatt } from "./energy";
import { type ChipCost, chipCost, chipPower, type Known, type PowerDraw } from "./hardware";

/** Tokens read and tokens written: two speeds, two prices. */
export interface InAndOut<T> {
  readonly input: T;
  readonly output: T;
}

export interface TokenCost {
  /** Of one chip. */
  readonly cost: ChipCost;
  readonly dollarsPerToken: InAndOut<Estimate>;
  readonly tokensPerDollar: InAndOut<Estimate>;
}

export interface TokenEnergy {
  /** Of one chip. */
  readonly power: PowerDraw;
  /** At the meter. */
  readonly joulesPerToken: InAndOut<Estimate>;
  readonly dollarsPerToken: InAndOut<Estimate>;
  /** Of the chips alone, as vendors count. */
  readonly tokensPerSecondPerWatt: InAndOut<Estimate>;
}

export interface TokenEconomics {
  readonly rent: Known<TokenCost>;
  readonly purchase: Known<TokenCost>;
  readonly energy: Known<TokenEnergy>;
}

const both = <T, U>({ input, output }: InAndOut<T>, of: (each: T) => U): InAndOut<U> => ({
  input: of(input),
  output: of(output),
});

/**
 * Cost and energy of a token where `chips` chips read and write so many tokens per second. Each of the three is known or
 * says which figure is missing. Throws a RangeError on speeds that cannot be.
 */
export function tokenEconomics(
  tokensPerSecond: InAndOut<Estimate>,
  chips: number,
  chip: Chip,
  assumptions: Assumptions,
): TokenEconomics {
  assertPositive("number of chips", chips);
  const priced = (basis: ChipCost["basis"]): Known<TokenCost> => {
    const cost = chipCost(chip, basis, assumptions);
    if (!cost.known) return cost;
    const spent = chips * cost.dollarsPerSecond;
    return {
      known: true,
      cost,
      dollarsPerToken: both(tokensPerSecond, (rate) => dollarsPerToken(spent, rate)),
      tokensPerDollar: both(tokensPerSecond, (rate) => tokensPerDollar(spent, rate)),
    };
  };
  const energy = (): Known<TokenEnergy> => {
    const power = chipPower(chip, assumptions);
    if (!power.known) return power;
    const joules = both(tokensPerSecond, (rate) => joulesPerToken(chips * power.facilityWatts, rate));
    return {
      known: true,
      power,
      joulesPerToken: joules,
      dollarsPerToken: both(joules, (each) => energyDollarsPerToken(each, assumptions)),
      tokensPerSecondPerWatt: both(tokensPerSecond, (rate) =>
        tokensPerSecondPerWatt(chips * power.chipWatts, rate),
      ),
    };
  };
  return { rent: priced("rent"), purchase: priced("purchase"), energy: energy() };
}
