// --tuning FILE: what earlier runs have found, and where this one adds to it.

import { accessSync, constants, existsSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { type DeviceSpeed, speedOf } from "../analysis/run_time";
import { parseResult, type Result } from "../result";
import { type KnownTuning, merge, parseTunings, sorted, tuningsFile, tuningsOf } from "../tuning_records";
import { Exit, ExitCode } from "./exit";
import { readJson } from "./input";
import type { Options } from "./options";

export interface TuningFile {
  /** What it holds, of any device. */
  readonly records: readonly KnownTuning[];
  /** Where the file is a result: how fast its device was. */
  readonly speed: DeviceSpeed | undefined;
  /** Adds what a run has found, unless the file is a result, and says on stderr what became of it. */
  keep(result: Result): void;
}

/** What was reused and what was not, in one line. */
function told(path: string, records: readonly KnownTuning[], result: Result): string {
  const reused = result.tunings.filter((each) => each.reused).length;
  const { ignored } = sorted(records, result);
  return [
    `${reused} tunings of ${path} reused, ${result.tunings.length - reused} searches`,
    ...(ignored.length > 0 ? [`not used: ${ignored.join(", ")}`] : []),
  ].join("; ");
}

/**
 * Reads the file of tunings; one that does not exist holds none. Throws Exit where it cannot be read, or where what is
 * found could not be written to it: better now than after minutes of measuring.
 */
export function openTunings({ tuning: path, out }: Pick<Options, "tuning" | "out">): TuningFile {
  if (path === undefined) return { records: [], speed: undefined, keep() {} };
  const problem = (reason: string) => new Exit(ExitCode.usage, `--tuning ${path}: ${reason}`);
  if (out !== undefined && resolve(out) === resolve(path))
    throw problem("--out names the same file, and a result is no file of tunings");

  const exists = existsSync(path);
  const json = exists ? readJson(path, "--tuning ") : undefined;
  const outcome = exists ? parseTunings(json) : undefined;
  if (outcome?.ok === false) throw problem(outcome.problem);
  const records = outcome?.records ?? [];
  if (outcome?.from !== "result") {
    try {
      accessSync(exists ? path : dirname(resolve(path)), constants.W_OK);
    } catch (error) {
      throw problem(error instanceof Error ? error.message : String(error));
    }
  }
  const result = outcome?.ok && outcome.from === "result" ? parseResult(json) : undefined;
  return {
    records,
    speed: result?.ok ? speedOf(result.result) : undefined,
    keep(result) {
      process.stderr.write(`${told(path, records, result)}\n`);
      if (outcome?.from === "result") return;
      const all = merge(records, tuningsOf(result));
      try {
        writeFileSync(path, `${JSON.stringify(tuningsFile(all), null, 1)}\n`);
      } catch (error) {
        throw new Exit(
          ExitCode.environment,
          `--tuning ${path}: ${error instanceof Error ? error.message : error}`,
        );
      }
    },
  };
}
