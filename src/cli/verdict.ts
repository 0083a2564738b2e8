import type { Result } from "../result";
import { Exit, ExitCode } from "./exit";

/** What the outcomes of the plan's own calls come down to. */
export function verdict({ outcomes, forwards, trainings, completion, workloads }: Result): ExitCode {
  const all = [...outcomes, ...forwards, ...trainings];
  if (completion.status === "partial" || all.some(({ status }) => status === "failed"))
    return ExitCode.failed;
  const asked = workloads.some(({ steps }) => steps.length > 0);
  const skippedAll = outcomes.every(({ status }) => status === "skipped");
  if (asked && skippedAll)
    throw new Exit(ExitCode.environment, "nothing was measured: this device has none of the types");
  return ExitCode.done;
}
