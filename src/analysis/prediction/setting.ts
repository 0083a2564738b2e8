// A request with everything filled in that decides its time: chips, their figures, traits and what was assumed.

import type { Chip } from "../../chips/chip";
import { expertsOf, parameterCounts } from "./architecture";
import {
  bandwidthOf,
  capacityOf,
  linkOf,
  makerOf,
  matrixPeak,
  memoryKind,
  type UsedFigure,
  vectorPeak,
} from "./chip_figures";
import type { Traits } from "./efficiency";
import type { Machine, Model } from "./pass_time";
import { engineOf, type Stack } from "./stack";
import type { WeightFormat } from "./weight_format";

export interface Setting {
  readonly chip: Chip;
  readonly chips: number;
  readonly model: Model;
  readonly machine: Machine;
  readonly traits: Traits;
  readonly figures: readonly UsedFigure[];
  readonly assumptions: readonly string[];
}

/** Share of the memory that weights and KV cache may fill: the rest is activations, buffers and the runtime. */
export const USABLE_MEMORY = 0.9;

/** Bytes of all weights. */
export const weightBytesOf = ({ architecture, weights }: Model): number =>
  bytesOf(parameterCounts(architecture), weights);

const bytesOf = (
  { total, experts }: { total: number; experts: number },
  { bits, outsideBits = bits }: WeightFormat,
) => (experts * bits + (total - experts) * outsideBits) / 8;

/** How precisely weights are stored, as far as calibration tells. */
export const precisionOf = ({ weights }: Model): string =>
  weights.packed
    ? "packed"
    : weights.arithmetic === "fp16" && weights.bits < 16
      ? "int8"
      : weights.arithmetic;

const scaleOf = (chips: number): Traits["scale"] =>
  chips === 1 ? "single" : chips <= 8 ? "several" : "rack";

/** Fills a request in; the reason, where the chip lacks a figure that everything rests on. */
export function settingOf(request: {
  readonly chip: Chip;
  readonly chips: number;
  readonly model: Model;
  readonly stack: Stack;
  readonly scenario?: string;
  readonly era?: Traits["era"];
  readonly host?: Traits["host"];
}): Setting | { readonly missing: string } {
  const { chip, chips, model, stack, scenario = "none", era = "since 2025", host = "usual" } = request;
  const bandwidth = bandwidthOf(chip);
  if (bandwidth === undefined)
    return { missing: `no verified memory bandwidth for ${chip.name}: not predicted` };
  const memory = memoryKind(chip);
  const peak = matrixPeak(chip, model.weights.arithmetic);
  const attentionPeak = matrixPeak(chip, "fp16") ?? peak;
  const vector = vectorPeak(chip);
  const link = linkOf(chip);
  // On-chip memory holds each layer on chips of its own, so that only a layer's share of them reads at a time.
  const sharing = memory === "SRAM" ? Math.max(1, chips / model.architecture.num_hidden_layers) : chips;
  const figures = [bandwidth, peak, vector, chips > 1 ? link.figure : undefined, capacityOf(chip)];
  return {
    chip,
    chips,
    model,
    machine: {
      chips: sharing,
      bandwidth: bandwidth.value,
      matrixPeak: peak?.value,
      attentionPeak: attentionPeak?.value,
      vectorPeak: vector?.value,
      link: link.bandwidth,
    },
    traits: {
      engine: engineOf(stack),
      stack,
      memory,
      maker: makerOf(chip),
      precision: precisionOf(model),
      scenario,
      era,
      host,
      scale: scaleOf(chips),
      expert: expertsOf(model.architecture) === undefined ? "dense" : "experts",
    },
    figures: figures.flatMap((figure) => figure ?? []),
    assumptions: chips > 1 && link.assumption !== undefined ? [link.assumption] : [],
  };
}
