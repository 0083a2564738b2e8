// The roofline model: no work is done faster than its arithmetic at the compute roof, nor than its memory
// traffic at the bandwidth roof (Williams, Waterman & Patterson, CACM 52:4, 2009).

import { type Chip, type Figure, type Format, flopsFor, isVerified } from "../chips/chip";
import { type KernelName, workOf } from "../kernels";
import type { DType } from "../kernels/elements";
import type { Work } from "../kernels/kernel";
import type { Result } from "../result";
import { callName, type Workload } from "../workloads";
import { type Estimate, rateOf, secondsPerCall } from "./estimate";

/** FLOP/s and byte/s that nothing on a device exceeds. */
export interface Roof {
  readonly flops: number;
  readonly bandwidth: number;
}

/** FLOP and bytes of a whole pass. */
export function workloadWork(workload: Workload, dtype: DType): Work {
  return workload.steps.reduce(
    (sum, { call, count }) => {
      const { flops, bytes } = workOf(call, dtype);
      return { flops: sum.flops + count * flops, bytes: sum.bytes + count * bytes };
    },
    { flops: 0, bytes: 0 },
  );
}

/**
 * The shortest time in which a device under this roof can run a workload: each step takes as long as the
 * slower of its arithmetic and its traffic. Nothing overlaps across steps and nothing stays in cache between
 * them. Real chips are slower; a measurement below this is a mistake.
 */
export function rooflineSeconds(workload: Workload, roof: Roof, dtype: DType): number {
  return workload.steps.reduce((sum, { call, count }) => {
    const { flops, bytes } = workOf(call, dtype);
    return sum + count * Math.max(flops / roof.flops, bytes / roof.bandwidth);
  }, 0);
}

/** Probes of arithmetic, by fused multiply-adds, matrix units and products of four bytes at once; and of memory. */
export const arithmeticProbes = ["fma", "mma", "dot"] as const;
export const memoryProbes = ["read", "copy"] as const;
export type Probe = (typeof arithmeticProbes)[number] | (typeof memoryProbes)[number];

const isArithmetic = (probe: Probe): boolean => arithmeticProbes.some((each) => each === probe);

/** Whether a kernel is no part of a model, but measures the device. */
export const isProbe = (kernel: KernelName): boolean =>
  [...arithmeticProbes, ...memoryProbes].some((each) => each === kernel);

/** What a probe reached: FLOP/s in arithmetic, of which a product of whole numbers counts as two, or byte/s. */
export function probeRate(result: Result, probe: Probe, dtype: DType): Estimate | undefined {
  // A call that the plan asked for is no probe: it may be small enough to stay in a cache.
  const asked = new Set(result.workloads.flatMap(({ steps }) => steps.map(({ call }) => callName(call))));
  const rates = result.outcomes.flatMap((outcome) => {
    if (outcome.status !== "measured" || outcome.call.kernel !== probe || outcome.dtype !== dtype) return [];
    if (asked.has(callName(outcome.call))) return [];
    const { flops, bytes } = workOf(outcome.call, dtype);
    return [rateOf(isArithmetic(probe) ? flops : bytes, secondsPerCall(outcome))];
  });
  return rates.sort((a, b) => b.value - a.value)[0];
}

/**
 * The arithmetic that kernels of a type may choose from, as probes in types: f16 may be multiplied in f32 where that is
 * faster, and whole numbers as they are or unpacked to f32.
 */
function arithmeticOf(dtype: DType): (readonly [probe: Probe, dtype: DType])[] {
  const f32 = [
    ["fma", "f32"],
    ["mma", "f32"],
  ] as const;
  if (dtype === "f32") return [...f32];
  if (dtype === "f16") return [["fma", "f16"], ["mma", "f16"], ...f32];
  return [
    ["fma", "f32"],
    ["dot", "q8_0"],
    ["dot", "q4_0"],
  ];
}

/**
 * The measured roof of the result's own device, where its probes succeeded: the best arithmetic that the type's kernels
 * may use. Bytes are bytes: bandwidth is the best of either type.
 */
export function measuredRoof(result: Result, dtype: DType): Roof | undefined {
  const best = (probes: readonly (readonly [Probe, DType])[]) =>
    Math.max(0, ...probes.map(([probe, type]) => probeRate(result, probe, type)?.value ?? 0));
  const flops = best(arithmeticOf(dtype));
  const bandwidth = best([
    ["read", "f16"],
    ["read", "f32"],
  ]);
  return flops > 0 && bandwidth > 0 ? { flops, bandwidth } : undefined;
}

/** A reference chip's roof and the figures it is made of; `missing` says which one nobody has published. */
export type ChipRoof =
  | {
      readonly known: true;
      readonly roof: Roof;
      readonly format: Format;
      readonly figures: readonly [Figure, Figure];
    }
  | { readonly known: false; readonly missing: string };

/** Dense peak and memory bandwidth as published; figures from memory alone are not used. */
export function chipRoof(chip: Chip, dtype: DType): ChipRoof {
  const peak = flopsFor(chip, dtype);
  const bits = dtype === "f32" ? "fp32" : "16-bit";
  if (peak === undefined) return { known: false, missing: `no sourced ${bits} peak` };
  const { bandwidth } = chip.memory;
  if (bandwidth === undefined || !isVerified(bandwidth)) {
    return { known: false, missing: "no sourced memory bandwidth" };
  }
  return {
    known: true,
    roof: { flops: peak.figure.value, bandwidth: bandwidth.value },
    format: peak.format,
    figures: [peak.figure, bandwidth],
  };
}
