// Words and figures that several parts of a report share.

import type { Estimate } from "../analysis/estimate";
import { intensity, type Throughput } from "../analysis/throughput";
import { byteRate, flopRate, type ScaleOf } from "../units";
import type { Cell } from "./report_types";

export type Complete = Extract<Throughput, { complete: true }>;

/** The rate that a workload is judged by, with the roof over it. */
export interface RateOfInterest {
  readonly rate: Estimate;
  readonly scale: ScaleOf;
  readonly roof: number | undefined;
  readonly roofName: string;
}

/** Prefill is judged by arithmetic, decode by memory traffic; single kernels by whichever binds them. */
export function rateOfInterest(each: Complete): RateOfInterest {
  const { roof, workload, dtype } = each;
  const compute = { rate: each.flopsPerSecond, scale: flopRate, roof: roof?.flops, roofName: "fma roof" };
  const traffic = {
    rate: each.bytesPerSecond,
    scale: byteRate,
    roof: roof?.bandwidth,
    roofName: "read roof",
  };
  if (workload.phase === "prefill") return compute;
  if (workload.phase === "decode") return traffic;
  const ridge = roof === undefined ? 1 : roof.flops / roof.bandwidth;
  return intensity(workload, dtype) > ridge ? compute : traffic;
}

export const cell = (text: string, title?: string): Cell =>
  title === undefined ? { text } : { text, title };

export const texts = (...list: readonly string[]): Cell[] => list.map((text) => cell(text));

/** Four digits: fewer than a link keeps, so that a result and its link draw the same. */
export const drawn = (value: number): number => Number(value.toPrecision(4));
