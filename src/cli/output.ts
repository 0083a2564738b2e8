import { chips } from "../chips";
import { unknownName } from "../plan";
import { type Format, formats } from "../report/formats";
import { report } from "../report/report";
import type { Result } from "../result";
import { Exit, ExitCode } from "./exit";

/** A report format by name. Throws Exit with the nearest names. */
export function formatNamed(name: string): Format {
  const found = (Object.keys(formats) as Format[]).find((each) => each === name);
  if (found === undefined) throw new Exit(ExitCode.usage, unknownName("format", name, Object.keys(formats)));
  return found;
}

export const printReport = (result: Result, format: Format): void => {
  process.stdout.write(formats[format](report(result, chips)));
};
