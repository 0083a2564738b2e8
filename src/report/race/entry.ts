// Who takes part: reference chips, chips that somebody has added, and the device that was measured here.

import { type OwnRequest, predictOwn } from "../../analysis/own_chip";
import { type Predicted, type PredictionRequest, predict } from "../../analysis/predict";
import { capacityOf } from "../../analysis/prediction/chip_figures";
import type { Model } from "../../analysis/prediction/pass_time";
import { chipsToHold } from "../../analysis/prediction/serving";
import type { Chip } from "../../chips/chip";
import type { Result } from "../../result";
import { deviceName } from "../device_name";

/** What every entry is asked: a request without the chip. */
export type RaceRequest = Omit<PredictionRequest, "chip">;

/** One that takes part. Whatever answers requests can: nothing else of the race knows how its speed came about. */
export interface RaceEntry {
  /** Unique in the race; words of the question name it. */
  readonly id: string;
  readonly name: string;
  /** Where it comes from: the table of chips, somebody's file, or a result of Tokenroof. */
  readonly origin: "reference" | "added" | "measured";
  /** Power, price and published figures, as far as there are any. */
  readonly chip: Chip;
  /** The least number of them that holds weights and so many tokens of KV cache; 1 where memory is not known. */
  chipsFor(model: Model, tokens: number): number;
  /** Never throws: what cannot be predicted says why. */
  predict(request: RaceRequest): Predicted;
}

/** A chip by its published figures. */
export const chipEntry = (chip: Chip, origin: "reference" | "added" = "reference"): RaceEntry => ({
  id: chip.id,
  name: chip.name,
  origin,
  chip,
  chipsFor(model, tokens) {
    const capacity = capacityOf(chip)?.value;
    return capacity === undefined ? 1 : chipsToHold(model, capacity, tokens);
  },
  predict: (request) => predict({ ...request, chip }),
});

/** The id of the device that was measured here. */
export const MEASURED_ID = "measured";

/** The device of a result, by the calls that it measured. Nobody's table has its power and its price: words give them. */
export function measuredEntry(result: Result): RaceEntry {
  const name = deviceName(result);
  return {
    id: MEASURED_ID,
    name: `${name}, measured`,
    origin: "measured",
    chip: {
      id: MEASURED_ID,
      name,
      vendor: result.device.vendor || "unknown",
      class: "consumer-gpu",
      role: "both",
      launch: result.createdAt.slice(0, 4),
      unit: "per device",
      peakFlops: {},
      memory: {},
    },
    chipsFor: () => 1,
    predict({ chips = 1, stack: _, cacheBytes: __, ...request }) {
      if (chips !== 1) return { status: "not-predicted", reason: "one device was measured: chips=1" };
      return predictOwn(result, request satisfies OwnRequest);
    },
  };
}
