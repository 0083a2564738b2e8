import { closeSync, openSync } from "node:fs";
import { chips } from "../chips";
import { unknownName } from "../plan";
import { type Format, formats } from "../report/formats";
import { report } from "../report/report";
import type { Report } from "../report/report_types";
import type { Result } from "../result";
import { Exit, ExitCode } from "./exit";

/** A report format by name. Throws Exit with the nearest names. */
export function formatNamed(name: string): Format {
  const found = (Object.keys(formats) as Format[]).find((each) => each === name);
  if (found === undefined) throw new Exit(ExitCode.usage, unknownName("format", name, Object.keys(formats)));
  return found;
}

/** Prints a report of any kind. */
export const print = (what: Report, format: Format): void => {
  process.stdout.write(formats[format](what));
};

/** Prints the report of a result. */
export const printReport = (result: Result, format: Format): void => print(report(result, chips), format);

/** Throws Exit where the result could not be written: better now than after minutes of measuring. */
export function checkWritable(out: string | undefined): void {
  if (out === undefined) return;
  try {
    closeSync(openSync(out, "a"));
  } catch (error) {
    throw new Exit(ExitCode.usage, `--out ${out}: ${error instanceof Error ? error.message : error}`);
  }
}
