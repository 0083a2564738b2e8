// What is kept of a run that ended in the middle of a cell. Pure: results in, results out.

import type { Progress } from "../engine/run";
import type { Outcome, Result } from "../result";

/** The same, with a reason why it goes no further. */
export const asPartial = (result: Result, reason: string): Result => ({
  ...result,
  completion: { status: "partial", reason: reason.slice(0, 400) },
});

/** The same, with the cell under way marked as failed, so that it is not tried again. */
export function withFailedCell(result: Result, cell: Progress["cell"], error: string): Result {
  if (cell === null) return result;
  const failed: Outcome = { status: "failed", ...cell, error: error.slice(0, 400) };
  return { ...result, outcomes: [...result.outcomes, failed] };
}

/** The same, with something that happened, `at` seconds into the run, to more than one kernel. */
export const withIncident = (result: Result, at: number, says: string): Result => ({
  ...result,
  incidents: [...result.incidents, { at, says: says.slice(0, 400) }],
});

export const measuredCells = ({ outcomes }: Result): number =>
  outcomes.filter(({ status }) => status === "measured").length;
