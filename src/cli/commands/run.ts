import { writeFileSync } from "node:fs";
import { type Plan, parsePlanWords } from "../../plan";
import type { Result } from "../../result";
import type { KnownTuning } from "../../tuning_records";
import { sayBefore } from "../before_run";
import { browserPart } from "../browser_part";
import { Exit, ExitCode } from "../exit";
import { driverInNode, inspectNode, runInNode } from "../node_host";
import type { Options } from "../options";
import { checkWritable, formatNamed, printReport } from "../output";
import { endProgress, showProgress } from "../progress";
import { openTunings } from "../tuning_file";

/** Refuses to go on where the adapter is a CPU. */
async function requireHardware(options: Options): Promise<void> {
  const outcome =
    options.host === "node"
      ? ({ ok: true, device: (await inspectNode()).device } as const)
      : (await (await browserPart()).inspectBrowser(options)).outcome;
  if (!outcome.ok) throw new Exit(ExitCode.environment, outcome.problem);
  const { software } = outcome.device;
  if (software !== null)
    throw new Exit(ExitCode.environment, `--require-hardware: the adapter is a CPU (${software})`);
}

async function measured(plan: Plan, tunings: readonly KnownTuning[], options: Options): Promise<Result> {
  const interrupt = new AbortController();
  process.once("SIGINT", () => {
    process.stderr.write("\ncancelling; what was finished is kept\n");
    interrupt.abort();
  });
  if (options.host === "node") {
    const driver = await driverInNode();
    if (driver !== undefined) process.stderr.write(`driver: ${driver}\n`);
    return runInNode(plan, tunings, showProgress, interrupt.signal);
  }
  const { runInBrowser } = await browserPart();
  const outcome = await runInBrowser(options, plan, tunings, showProgress, interrupt.signal);
  if (!outcome.ok) throw new Exit(ExitCode.environment, outcome.problem);
  return outcome.result;
}

/** What the outcomes of the plan's own calls come down to. */
function verdict({ outcomes, forwards, trainings, completion, workloads }: Result): ExitCode {
  const all = [...outcomes, ...forwards, ...trainings];
  if (completion.status === "partial" || all.some(({ status }) => status === "failed"))
    return ExitCode.failed;
  const asked = workloads.some(({ steps }) => steps.length > 0);
  const skippedAll = outcomes.every(({ status }) => status === "skipped");
  if (asked && skippedAll)
    throw new Exit(ExitCode.environment, "nothing was measured: this device has none of the types");
  return ExitCode.done;
}

/** Measures a plan and prints its report. */
export async function runCommand(words: readonly string[], options: Options): Promise<ExitCode> {
  const parsed = parsePlanWords(words);
  if (!parsed.ok) throw new Exit(ExitCode.usage, parsed.problem);
  const format = formatNamed(options.format);
  const tunings = openTunings(options);
  checkWritable(options.out);
  if (options.requireHardware) await requireHardware(options);
  sayBefore(parsed.plan, tunings);
  const result = await measured(parsed.plan, tunings.records, options).finally(endProgress);
  printReport(result, format);
  if (options.out !== undefined) writeFileSync(options.out, `${JSON.stringify(result, null, 1)}\n`);
  tunings.keep(result);
  return verdict(result);
}
