// Results from files and links, both hostile.

import { readFileSync, statSync } from "node:fs";
import type { Chip } from "../chips/chip";
import { parseChip } from "../chips/user_chip";
import { decodeLink } from "../report/link";
import { parseResult, type Result } from "../result";
import { Exit, ExitCode } from "./exit";

const MAX_FILE = 64 * 1024 * 1024;

/** Reads JSON from a file. Throws Exit with one line, which `what` and the path begin. */
export function readJson(path: string, what = ""): unknown {
  try {
    if (statSync(path).size > MAX_FILE) throw new Error("larger than 64 MiB");
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    const reason = error instanceof SyntaxError ? "not JSON" : error instanceof Error ? error.message : error;
    throw new Exit(ExitCode.usage, `${what}${path}: ${reason}`);
  }
}

/** Reads a Result from a file or from a link (anything with "#r="). Throws Exit with one line. */
export async function readResult(source: string): Promise<Result> {
  if (source.includes("#r=")) {
    const outcome = await decodeLink(source);
    if (!outcome.ok) throw new Exit(ExitCode.usage, outcome.problem);
    return outcome.result;
  }
  const outcome = parseResult(readJson(source));
  if (!outcome.ok) throw new Exit(ExitCode.usage, `${source}: ${outcome.problem}`);
  return outcome.result;
}

/** Reads a chip of somebody's own. Throws Exit with one line that names the place in the file. */
export function readChip(path: string): Chip {
  const outcome = parseChip(readJson(path, "--chip-file "));
  if (!outcome.ok) throw new Exit(ExitCode.usage, `--chip-file ${path}: ${outcome.problem}`);
  return outcome.chip;
}
