// Which figures of a chip a prediction rests on. Only verified ones decide; what is derived from them says how.

import { type Chip, type Figure, isVerified } from "../../chips/chip";
import type { Arithmetic } from "./weight_format";

export type MemoryKind = "HBM" | "GDDR" | "LPDDR" | "SRAM";
export type Maker = "nvidia" | "apple" | "amd" | "intel" | "accelerator" | "cpu";

/** A figure that a prediction was made with, in base units. */
export interface UsedFigure {
  readonly name: string;
  readonly value: number;
  readonly source: string;
  /** How good the evidence is; "measured" of a device's own probes, which have no source. */
  readonly kind: Figure["kind"] | "measured";
  /** How it was derived from the figure that has the source, where it was. */
  readonly derivation?: string;
}

const used = (name: string, figure: Figure): UsedFigure => ({
  name,
  value: figure.value,
  source: figure.source,
  kind: figure.kind,
});

const verified = (figure: Figure | undefined): Figure | undefined =>
  figure !== undefined && isVerified(figure) ? figure : undefined;

/** What weights are read from. */
export function memoryKind(chip: Chip): MemoryKind {
  const kind = chip.memory.kind ?? "";
  if (/SRAM/i.test(kind)) return "SRAM";
  if (/HBM/i.test(kind)) return "HBM";
  if (/GDDR/i.test(kind)) return "GDDR";
  return "LPDDR";
}

export function makerOf(chip: Chip): Maker {
  if (chip.class === "cpu") return "cpu";
  const vendor = chip.vendor.toLowerCase();
  if (vendor.includes("nvidia") && !/lpu/.test(chip.id)) return "nvidia";
  if (vendor.includes("apple")) return "apple";
  if (vendor.includes("amd")) return "amd";
  if (vendor.includes("intel") && !chip.class.endsWith("asic")) return "intel";
  return "accelerator";
}

/** byte/s on paper. */
export function bandwidthOf(chip: Chip): UsedFigure | undefined {
  const figure = verified(chip.memory.bandwidth);
  return figure && used("memory bandwidth", figure);
}

/** Bytes. */
export function capacityOf(chip: Chip): UsedFigure | undefined {
  const figure = verified(chip.memory.capacity);
  return figure && used("memory", figure);
}

/**
 * NVIDIA's cards with GDDR multiply on matrix units at fixed multiples of the shaders' fp32 rate: 16-bit operands at four
 * times since Ampere, 8-bit ones at eight times since Ada, 4-bit ones at sixteen times since Blackwell. Every GeForce card
 * with verified figures does, which a test holds; cards whose matrix figures nobody has verified are taken to do so.
 */
export const matrixOverFp32: Readonly<Record<"fp16" | "fp8" | "fp4", { times: number; since: string }>> = {
  fp16: { times: 4, since: "2020-09" },
  fp8: { times: 8, since: "2022-09" },
  fp4: { times: 16, since: "2025-01" },
};

function fromFp32(chip: Chip, arithmetic: "fp16" | "fp8" | "fp4"): UsedFigure | undefined {
  const fp32 = verified(chip.peakFlops.fp32);
  const { times, since } = matrixOverFp32[arithmetic];
  if (fp32 === undefined || makerOf(chip) !== "nvidia" || memoryKind(chip) !== "GDDR") return undefined;
  if (chip.launch < since) return undefined;
  return {
    ...used(`${arithmetic} matrix peak`, fp32),
    value: times * fp32.value,
    derivation: `${times} × the fp32 figure, as on every GeForce card with a verified one`,
  };
}

/** Vector arithmetic of 32 bits, FLOP/s: what unpacking runs on. */
export function vectorPeak(chip: Chip): UsedFigure | undefined {
  const figure = verified(chip.peakFlops.fp32);
  return figure && used("fp32 peak", figure);
}

const narrower: Readonly<Record<Arithmetic, readonly Arithmetic[]>> = {
  fp4: ["fp4", "fp8", "fp16"],
  fp8: ["fp8", "fp16"],
  fp16: ["fp16"],
  fp32: ["fp32"],
};

function peakIn(chip: Chip, arithmetic: Arithmetic): UsedFigure | undefined {
  const { peakFlops: peak } = chip;
  if (arithmetic === "fp4" || arithmetic === "fp8") {
    const figure = verified(peak[arithmetic]);
    return figure === undefined ? fromFp32(chip, arithmetic) : used(`${arithmetic} matrix peak`, figure);
  }
  if (arithmetic === "fp32") return vectorPeak(chip);
  const matrix = [verified(peak.fp16), verified(peak.bf16)]
    .flatMap((figure) => figure ?? [])
    .sort((a, b) => b.value - a.value)[0];
  if (matrix !== undefined) return used("fp16 matrix peak", matrix);
  const derived = fromFp32(chip, "fp16");
  if (derived !== undefined) return derived;
  const vector = verified(peak.fp16Vector);
  if (vector !== undefined) return used("fp16 vector peak", vector);
  const fp32 = verified(peak.fp32);
  return (
    fp32 && { ...used("fp16 peak", fp32), derivation: "taken as the fp32 rate: no verified 16-bit figure" }
  );
}

/** Dense peak for products of weights in this arithmetic, FLOP/s; wider arithmetic where the chip has no verified figure. */
export function matrixPeak(chip: Chip, arithmetic: Arithmetic): UsedFigure | undefined {
  for (const each of narrower[arithmetic]) {
    const peak = peakIn(chip, each);
    if (peak !== undefined) return peak;
  }
  return undefined;
}

/**
 * One direction, byte/s, where no figure is verified: PCIe 4.0 x16 for cards, the slowest GPU module with a verified
 * figure (H100) for GPU modules, a quarter of that for other accelerators.
 */
const CARD_LINK = 32e9;
const GPU_MODULE_LINK = 450e9;
const ACCELERATOR_LINK = 112e9;

function usualLink(chip: Chip): number {
  if (chip.unit.startsWith("per card")) return CARD_LINK;
  return chip.class === "datacenter-gpu" ? GPU_MODULE_LINK : ACCELERATOR_LINK;
}

/** byte/s that one chip sends to the others; vendors count both directions together. */
export function linkOf(chip: Chip): { bandwidth: number; figure?: UsedFigure; assumption?: string } {
  const figure = verified(chip.interconnect);
  if (figure !== undefined) return { bandwidth: figure.value / 2, figure: used("interconnect", figure) };
  const bandwidth = usualLink(chip);
  return { bandwidth, assumption: `no verified interconnect: ${bandwidth / 1e9} GB/s each way assumed` };
}
