// Each measured call on its own: its time, its rate, and where it lies under the roofline.

import { workOf } from "../kernels";
import type { Measurement, Outcome } from "../result";
import type { OrderStatistics } from "../timing";
import { callName } from "../workloads";
import { type Estimate, secondsPerCall, secondsPerDispatch } from "./estimate";

export interface MeasuredCell {
  readonly seconds: Estimate;
  /** Of one dispatch, which may be a part of the call. */
  readonly perDispatch: OrderStatistics;
  readonly flopsPerSecond: number;
  readonly bytesPerSecond: number;
  /** FLOP per byte. */
  readonly intensity: number;
  /** What one dispatch did. */
  readonly piece: string;
}

/** A measurement's figures. */
export function measuredCell(measurement: Measurement): MeasuredCell {
  const { flops, bytes } = workOf(measurement.call, measurement.dtype);
  const seconds = secondsPerCall(measurement);
  return {
    seconds,
    perDispatch: secondsPerDispatch(measurement),
    flopsPerSecond: flops / seconds.value,
    bytesPerSecond: bytes / seconds.value,
    intensity: bytes === 0 ? 0 : flops / bytes,
    piece: callName(measurement.piece),
  };
}

/** What an outcome is of: "matmul 512x512x512". */
export const cellName = ({ call }: Outcome): string => callName(call);
