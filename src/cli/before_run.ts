// What can be said of a run before it is started, on stderr: whether its models fit, and how long it will take.

import { type FitDevice, modelFit, questionOf } from "../analysis/model_fit";
import { runTime } from "../analysis/run_time";
import { type Plan, workloadsOf } from "../plan";
import { fitSentence, fitTable, runTimeText } from "../report/model_fit_report";
import { modelIds } from "../workloads";
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

/** Every model in the plan's types, on a device whose limits are known: lines for people. */
export function fitLines(plan: Plan, device: FitDevice): string[] {
  const { rows } = fitTable(modelIds, plan.dtype, questionOf(plan, plan.memory), device);
  const texts = rows.map((row) => row.slice(0, 5).map(({ text }) => text));
  const widths = [0, 1, 2, 3].map((i) => Math.max(...texts.map((row) => row[i]?.length ?? 0)));
  return texts.map(([model = "", dtype = "", weights = "", cache = "", fits = ""]) =>
    [
      model.padEnd(widths[0] ?? 0),
      dtype.padEnd(widths[1] ?? 0),
      `${weights.padStart(widths[2] ?? 0)} of weights`,
      `${cache.padStart(widths[3] ?? 0)} of KV cache`,
      fits,
    ].join("  "),
  );
}
