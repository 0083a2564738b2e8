// Each measured call on its own: its time, its rate, and where it lies under the roofline.

import { workOf } from "../kernels";
import type { OrderStatistics, Outcome, Result } from "../result";
import { callName } from "../workloads";
import { type Estimate, secondsPerCall, secondsPerDispatch } from "./statistics";

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

export interface CellView {
  readonly name: string;
  readonly outcome: Outcome;
  /** Absent where the call was skipped or failed. */
  readonly measured?: MeasuredCell;
}

export function cellView(outcome: Outcome): CellView {
  const name = callName(outcome.call);
  if (outcome.status !== "measured") return { name, outcome };
  const { flops, bytes } = workOf(outcome.call, outcome.dtype);
  const seconds = secondsPerCall(outcome);
  return {
    name,
    outcome,
    measured: {
      seconds,
      perDispatch: secondsPerDispatch(outcome),
      flopsPerSecond: flops / seconds.value,
      bytesPerSecond: bytes / seconds.value,
      intensity: flops / bytes,
      piece: callName(outcome.piece),
    },
  };
}

/** Every outcome of a result, in the order in which it was measured. */
export const cells = (result: Result): CellView[] => result.outcomes.map(cellView);
