// The kernels that are no part of a model but measure the device, and what each says about which type.

import { activationsOf, type DType } from "./elements";
import type { KernelName } from "./index";

/** Arithmetic by fused multiply-adds, matrix units and products of four bytes at once; and memory. */
export const arithmeticProbes = ["fma", "mma", "dot"] as const satisfies readonly KernelName[];
export const memoryProbes = ["read", "copy"] as const satisfies readonly KernelName[];

export type ArithmeticProbe = (typeof arithmeticProbes)[number];
export type MemoryProbe = (typeof memoryProbes)[number];
export type Probe = ArithmeticProbe | MemoryProbe;

/** Whether a probe is measured in bytes, which it takes from weights; else in FLOP. */
export const isStreaming = (probe: Probe): probe is MemoryProbe =>
  memoryProbes.some((each) => each === probe);

export const isProbe = (kernel: KernelName): boolean =>
  [...arithmeticProbes, ...memoryProbes].some((each) => each === kernel);

/** A probe and the type that it runs in. */
export interface TypedProbe<P extends Probe = Probe> {
  readonly probe: P;
  readonly dtype: DType;
}

/**
 * The arithmetic that kernels of a type choose from, whose best is their roof: f16 is summed in f32 and may be multiplied
 * in it; whole numbers are multiplied as they are, unpacked to f32, or by matrix units as f16.
 */
export function arithmeticOf(dtype: DType): TypedProbe<ArithmeticProbe>[] {
  const of = (probe: ArithmeticProbe, ...types: DType[]) => types.map((type) => ({ probe, dtype: type }));
  if (dtype === "f32") return [...of("fma", "f32"), ...of("mma", "f32")];
  if (dtype === "f16") return [...of("fma", "f16", "f32"), ...of("mma", "f16", "f32")];
  // Packed products are the same for whole numbers of any size.
  return [...of("fma", "f32"), ...of("mma", "f16", "f32"), ...of("dot", "q8_0")];
}

/** What is probed before anything in a type is measured. */
export const probesOf = (dtype: DType): TypedProbe[] => [
  ...arithmeticOf(dtype),
  ...memoryProbes.map((probe) => ({ probe, dtype: activationsOf[dtype] })),
];
