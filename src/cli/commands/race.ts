import { chips } from "../../chips";
import { unknownName } from "../../names";
import { chipEntry, measuredEntry, type RaceEntry } from "../../report/race/entry";
import { parseQuestionWords } from "../../report/race/question";
import { raceReport, raceView, viewNames } from "../../report/race/views";
import { Exit, ExitCode } from "../exit";
import { readChip, readResult } from "../input";
import type { Options } from "../options";
import { formatNamed, print } from "../output";

/** Reference chips, and what the user brings along. Throws Exit with one line. */
async function entriesOf({ chipFile, result }: Options["race"]): Promise<RaceEntry[]> {
  const measured = result === undefined ? [] : [measuredEntry(await readResult(result))];
  const added = chipFile === undefined ? [] : [chipEntry(readChip(chipFile), "added")];
  const entries = [...measured, ...added, ...chips.map((each) => chipEntry(each))];
  const twice = added.find(({ id }) => entries.filter((each) => each.id === id).length > 1);
  if (twice !== undefined)
    throw new Exit(
      ExitCode.usage,
      `--chip-file ${chipFile}: id: ${twice.id} is a reference chip; give it another`,
    );
  return entries;
}

/** Prints one view of the race. */
export async function raceCommand(
  words: readonly string[],
  { race, format: name }: Options,
): Promise<ExitCode> {
  const format = formatNamed(name);
  const view = viewNames.find((each) => each === race.view);
  if (view === undefined) throw new Exit(ExitCode.usage, unknownName("view", race.view, viewNames));
  const entries = await entriesOf(race);
  const outcome = parseQuestionWords(
    words,
    entries.map(({ id }) => id),
  );
  if (!outcome.ok) throw new Exit(ExitCode.usage, outcome.problem);
  const shown = raceView(view, entries, outcome.question);
  // On a terminal the comparison itself is the last thing to be read; `tokenroof chips ID` tells sources.
  const isLong = format === "markdown" && view === "compare";
  print(raceReport(isLong ? { ...shown, sources: [] } : shown, outcome.question), format);
  return ExitCode.done;
}
