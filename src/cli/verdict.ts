import type { Result } from "../result";
import { Exit, ExitCode } from "./exit";

/** What the outcomes of the plan's own calls come down to. */
export function verdict({ outcomes, forwards, completion, workloads }: Result): ExitCode {
  if (completion.status === "partial" || [...outcomes, ...forwards].some(({ status }) => status === "failed"))
    return ExitCode.failed;
  const asked = workloads.some(({ steps }) => steps.length > 0);
  const skippedAll = outcomes.every(({ status }) => status === "skipped");
  if (asked && skippedAll)
    throw new Exit(ExitCode.environment, "nothing was measured: this device has none of the types");
  return ExitCode.done;
}
