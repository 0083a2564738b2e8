// What a run has spent on finding the best way to compute each kernel.

import { kernelOf } from "../kernels";
import type { Measurement, Result, TuningRecord } from "../result";

export interface TuningTotals {
  readonly searches: number;
  /** Of all searches together; null where a result does not tell. */
  readonly seconds: number | null;
  /** Known before the run, and used without a search. */
  readonly reused: number;
}

export function tuningTotals({ tunings }: Pick<Result, "tunings">): TuningTotals {
  const reused = tunings.filter((each) => each.reused).length;
  const known = tunings.every(({ seconds }) => seconds !== null);
  return {
    searches: tunings.length - reused,
    seconds: known ? tunings.reduce((sum, { seconds }) => sum + (seconds ?? 0), 0) : null,
    reused,
  };
}

/** The record that a cell's choice is from; undefined where the result has none. */
export function tuningOf(
  { tunings }: Result,
  { piece, dtype, tuning }: Measurement,
): TuningRecord | undefined {
  const shapeClass = kernelOf(piece.kernel).shapeClass(piece.shape);
  return tunings.find(
    (each) =>
      each.kernel === piece.kernel &&
      each.dtype === dtype &&
      each.shapeClass === shapeClass &&
      each.picked === tuning,
  );
}
