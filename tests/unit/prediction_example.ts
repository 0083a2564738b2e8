// A chip of round figures, for examples that can be checked by hand.

import type { Calibration } from "../../src/analysis/prediction/calibration";
import { priors } from "../../src/analysis/prediction/efficiency";
import type { Chip } from "../../src/chips/chip";

const figure = (value: number) => ({
  value,
  source: "https://example.com/",
  quote: "a round figure",
  kind: "vendor-datasheet" as const,
});

/** 1 TB/s, 100 TFLOP/s of 16 bits, 10 TFLOP/s of 32, 100 GB, 100 GB/s each way to others. */
export const roundChip = {
  id: "round",
  name: "Round",
  vendor: "Example",
  class: "training-asic" as const,
  role: "both" as const,
  launch: "2025",
  unit: "per chip",
  peakFlops: { fp16: figure(1e14), fp32: figure(1e13) },
  memory: { kind: "HBM3", capacity: figure(1e11), bandwidth: figure(1e12) },
  interconnect: figure(2e11),
} satisfies Chip;

export const withBandwidth = (chip: Chip, bandwidth: number): Chip => ({
  ...chip,
  memory: { ...chip.memory, bandwidth: figure(bandwidth) },
});
export const withPeak = (chip: Chip, fp16: number): Chip => ({
  ...chip,
  peakFlops: { ...chip.peakFlops, fp16: figure(fp16) },
});

/** Knowing nothing but the priors. */
export const uncalibrated: Calibration = {
  efficiencies: priors,
  spread: { decode: 0.1, prefill: 0.2, serving: 0.3 },
  chips: {},
};
