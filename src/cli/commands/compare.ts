import { type Comparison, compareResults } from "../../analysis/compare";
import { comparisonReport } from "../../report/comparison_report";
import type { Result } from "../../result";
import { Exit, ExitCode } from "../exit";
import { readResult } from "../input";
import type { Options } from "../options";
import { formatNamed, print } from "../output";

/** Reads one side; a link does not say which of the two it is. */
async function side(name: "A" | "B", source: string): Promise<Result> {
  try {
    return await readResult(source);
  } catch (error) {
    throw error instanceof Exit ? new Exit(error.code, `${name}: ${error.message}`) : error;
  }
}

/**
 * A slower cell or whole model, or one that does not work any more, is a regression; without any verdict nothing is
 * passed. Where there are no cells to be judged together, whole models are enough.
 */
export function exitOf({ cells, forwards, onlyA, overall }: Comparison): ExitCode {
  const slower = [...cells, ...forwards].some(({ ratio }) => ratio.verdict === "slower");
  if (slower || onlyA.some(({ failed }) => failed)) return ExitCode.failed;
  const decided = (overall === undefined ? forwards : [overall]).some(
    ({ ratio }) => ratio.verdict !== "cannot tell",
  );
  return decided ? ExitCode.done : ExitCode.undecided;
}

/** Says what differs between two results, and whether B is faster than A. */
export async function compareCommand(words: readonly string[], options: Options): Promise<ExitCode> {
  const [first, second, ...more] = words;
  if (first === undefined || second === undefined || more.length > 0)
    throw new Exit(
      ExitCode.usage,
      "usage: compare A B [--format markdown|json|csv], each a result file or a link",
    );
  const format = formatNamed(options.format);
  const [a, b] = [await side("A", first), await side("B", second)];
  const comparison = compareResults(a, b);
  print(comparisonReport(comparison, a, b), format);
  return exitOf(comparison);
}
