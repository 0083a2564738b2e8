// The measured device among the reference chips: the same workload, theirs at the roofline of their data
// sheets, ours as measured.

import { type Chip, isVerified } from "../chips/chip";
import { type DType, weightBytes } from "../kernels/elements";
import { knownModel, parameters, type Workload } from "../workloads";
import { type ChipRoof, chipRoof, rooflineSeconds } from "./roofline";

/** What a chip could do at most, by its published figures. */
export interface ChipBound {
  readonly chip: Chip;
  readonly roof: ChipRoof;
  /** Upper bound; undefined where a figure is missing. */
  readonly tokensPerSecond: number | undefined;
  readonly tokensPerSecondPerWatt: number | undefined;
  /** Chips that it takes to hold the weights; undefined where the capacity is not sourced or the model not known. */
  readonly chipsToHold: number | undefined;
}

/**
 * The roofline bound of a workload on each chip. One chip runs it alone, as if its memory held the model:
 * `chipsToHold` says where it would not.
 */
export function chipBounds(workload: Workload, chips: readonly Chip[], dtype: DType): ChipBound[] {
  const model = workload.model === undefined ? undefined : knownModel(workload.model);
  const weights = model && parameters(model) * weightBytes[dtype];
  return chips.map((chip) => {
    const roof = chipRoof(chip, dtype);
    const tokensPerSecond = roof.known
      ? workload.tokens / rooflineSeconds(workload, roof.roof, dtype)
      : undefined;
    const { capacity } = chip.memory;
    const watts = chip.power !== undefined && isVerified(chip.power) ? chip.power.value : undefined;
    return {
      chip,
      roof,
      tokensPerSecond,
      tokensPerSecondPerWatt:
        tokensPerSecond !== undefined && watts !== undefined ? tokensPerSecond / watts : undefined,
      chipsToHold:
        weights !== undefined && capacity !== undefined && isVerified(capacity)
          ? Math.ceil(weights / capacity.value)
          : undefined,
    };
  });
}
