// What is kept of a run that ended in the middle of a cell. Pure: results in, results out.

import type { Progress } from "../engine/run";
import type { Outcome, Result } from "../result";

/** The same, with a reason why it goes no further. */
export const asPartial = (result: Result, reason: string): Result => ({
  ...result,
  completion: { status: "partial", reason: reason.slice(0, 400) },
});

/** What was under way. */
export type UnderWay = Pick<Progress, "cell" | "forward" | "training">;

export const nothingUnderWay: UnderWay = { cell: null, forward: null, training: null };

/** The same, with what was under way marked as failed, so that it is not tried again. */
export function withFailed(result: Result, { cell, forward, training }: UnderWay, error: string): Result {
  const reason = error.slice(0, 400);
  if (forward !== null)
    return { ...result, forwards: [...result.forwards, { status: "failed", ...forward, reason }] };
  if (training !== null)
    return { ...result, trainings: [...result.trainings, { status: "failed", ...training, reason }] };
  if (cell === null) return result;
  const failed: Outcome = { status: "failed", ...cell, error: reason };
  return { ...result, outcomes: [...result.outcomes, failed] };
}

/** The same, with something that happened, `at` seconds into the run, to more than one kernel. */
export const withIncident = (result: Result, at: number, says: string): Result => ({
  ...result,
  incidents: [...result.incidents, { at, says: says.slice(0, 400) }],
});

/** Cells, whole models and trainings that were measured. */
export const measuredCells = ({ outcomes, forwards, trainings }: Result): number =>
  [...outcomes, ...forwards, ...trainings].filter(({ status }) => status === "measured").length;
