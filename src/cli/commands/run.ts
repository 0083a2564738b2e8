import { writeFileSync } from "node:fs";
import { type Plan, parsePlanWords } from "../../plan";
import type { Result } from "../../result";
import type { KnownTuning } from "../../tuning_records";
import { sayBefore } from "../before_run";
import { browserPart } from "../browser_part";
import { Exit, ExitCode } from "../exit";
import { driverInNode, runInNode } from "../node_host";
import type { Options } from "../options";
import { checkWritable, formatNamed, printReport } from "../output";
import { endProgress, showProgress } from "../progress";
import { requireHardware } from "../require_hardware";
import { openTunings } from "../tuning_file";
import { verdict } from "../verdict";
import { writeTextCommand } from "./write_text";

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

/** Measures a plan and prints its report. */
export async function runCommand(words: readonly string[], options: Options): Promise<ExitCode> {
  if (options.weights !== undefined) return writeTextCommand(options.weights, words, options);
  if (options.prompt !== undefined)
    throw new Exit(ExitCode.usage, "--prompt is what a model from files reads: it goes with --weights");
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
