// What can be said of a run before it is started, on stderr: whether its models fit, and how long it will take.

import { modelFit, questionOf } from "../analysis/model_fit";
import { runTime } from "../analysis/run_time";
import { type Plan, workloadsOf } from "../plan";
import { fitSentence, runTimeText } from "../report/model_fit_report";
import type { TuningFile } from "./tuning_file";

/** A line for each whole model in each type, and one for the time. */
export function sayBefore(plan: Plan, { speed, records }: Pick<TuningFile, "speed" | "records">): void {
  const lines = plan.forward
    ? plan.model.flatMap((model) =>
        plan.dtype.map((dtype) => fitSentence(modelFit(model, { ...questionOf(plan, plan.memory), dtype }))),
      )
    : [];
  const time = runTime(plan, workloadsOf(plan), speed, records.length > 0);
  // Without an earlier result there is nothing to predict from; progress tells the time as soon as it has a pace.
  if (time !== undefined) lines.push(runTimeText(time));
  else if (plan.forward) lines.push(`${runTimeText(undefined)} --tuning RESULT gives one.`);
  process.stderr.write(lines.map((line) => `${line}\n`).join(""));
}
