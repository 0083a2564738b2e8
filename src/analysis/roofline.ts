// The roofline model: no work is done faster than its arithmetic at the compute roof, nor than its memory
// traffic at the bandwidth roof (Williams, Waterman & Patterson, CACM 52:4, 2009).

import { type Chip, type Figure, type Format, flopsFor, isVerified } from "../chips/chip";
import { workOf } from "../kernels";
import type { DType } from "../kernels/elements";
import type { Work } from "../kernels/kernel";
import { arithmeticOf, isStreaming, type Probe, type TypedProbe } from "../kernels/probes";
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

/** What a probe reached: FLOP/s in arithmetic, of which a product of whole numbers counts as two, or byte/s. */
export function probeRate(result: Result, probe: Probe, dtype: DType): Estimate | undefined {
  // A call that the plan asked for is no probe: it may be small enough to stay in a cache.
  const asked = new Set(result.workloads.flatMap(({ steps }) => steps.map(({ call }) => callName(call))));
  const rates = result.outcomes.flatMap((outcome) => {
    if (outcome.status !== "measured" || outcome.call.kernel !== probe || outcome.dtype !== dtype) return [];
    if (asked.has(callName(outcome.call))) return [];
    const { flops, bytes } = workOf(outcome.call, dtype);
    return [rateOf(isStreaming(probe) ? bytes : flops, secondsPerCall(outcome))];
  });
  return rates.sort((a, b) => b.value - a.value)[0];
}

/**
 * The measured roof of the result's own device, where its probes succeeded: the best arithmetic that the type's kernels
 * may use. Bytes are bytes: bandwidth is the best of either type.
 */
export function measuredRoof(result: Result, dtype: DType): Roof | undefined {
  const best = (probes: readonly TypedProbe[]) =>
    Math.max(0, ...probes.map((each) => probeRate(result, each.probe, each.dtype)?.value ?? 0));
  const flops = best(arithmeticOf(dtype));
  const bandwidth = best([
    { probe: "read", dtype: "f16" },
    { probe: "read", dtype: "f32" },
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
