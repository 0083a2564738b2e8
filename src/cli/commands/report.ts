import { encodeLink } from "../../report/link";
import { Exit, ExitCode } from "../exit";
import { readResult } from "../input";
import type { Options } from "../options";
import { formatNamed, printReport } from "../output";

function only(words: readonly string[], usage: string): string {
  const [source, ...more] = words;
  if (source === undefined || more.length > 0) throw new Exit(ExitCode.usage, `usage: ${usage}`);
  return source;
}

/** Prints the report of a result file or a link. */
export async function reportCommand(words: readonly string[], options: Options): Promise<ExitCode> {
  const format = formatNamed(options.format);
  printReport(await readResult(only(words, "report FILE|LINK [--format markdown|json|csv]")), format);
  return ExitCode.done;
}

/** Prints the link of a result file. */
export async function linkCommand(words: readonly string[], { page }: Options): Promise<ExitCode> {
  const result = await readResult(only(words, "link FILE [--page URL]"));
  process.stdout.write(`${page}${await encodeLink(result)}\n`);
  return ExitCode.done;
}
