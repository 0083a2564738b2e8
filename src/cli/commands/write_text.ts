// `run --weights`: a text with weights from files, and the same model measured where words ask for it.

import { writeFileSync } from "node:fs";
import { type Plan, parsePlanWords } from "../../plan";
import { formats } from "../../report/formats";
import { plainText, textReport } from "../../report/text_report";
import {
  defaultPrompt,
  type TextOrder,
  type TextOutcome,
  type TextProgress,
  type TextResult,
} from "../../text_result";
import { browserPart } from "../browser_part";
import { Exit, ExitCode } from "../exit";
import { driverInNode, writeTextInNode } from "../node_host";
import type { Options } from "../options";
import { checkWritable, formatNamed, printReport } from "../output";
import { endProgress } from "../progress";
import { requireHardware } from "../require_hardware";
import { verdict } from "../verdict";
import { fileSources, modelName, weightPaths } from "../weight_paths";

/** Words that say how the text is written, and those that ask for a measurement of the same model as well. */
const TEXT_WORDS = ["dtype", "tg", "memory"];
const MEASURE_WORDS = ["pp", "depth", "batch", "kv", "fused", "sustain", "preset", "forward"];

/** The order that words of a plan mean. Throws Exit. */
export function textOrder(path: string, words: readonly string[], prompt: string | undefined): TextOrder {
  const given = new Set(words.map((word) => word.slice(0, Math.max(0, word.indexOf("=")))));
  const parsed = parsePlanWords(words);
  if (!parsed.ok) throw new Exit(ExitCode.usage, parsed.problem);
  const { plan } = parsed;
  const strange = [...given].find((word) => ![...TEXT_WORDS, ...MEASURE_WORDS].includes(word));
  if (strange !== undefined)
    throw new Exit(
      ExitCode.usage,
      `${strange}= does not go with --weights, whose model is the files': ${[...TEXT_WORDS, ...MEASURE_WORDS].join(", ")} do`,
    );
  const measured = MEASURE_WORDS.some((word) => given.has(word)) && !words.includes("forward=off");
  const [most = 0, ...more] = plan.tg;
  if (given.has("tg") && (most === 0 || (more.length > 0 && !measured)))
    throw new Exit(ExitCode.usage, "tg= with --weights is one number from 1: the tokens to write at most");
  const { preset, pp, tg, depth, batch, kv, fused, sustain }: Plan = plan;
  return {
    name: modelName(path),
    prompt: prompt ?? defaultPrompt,
    dtypes: given.has("dtype") ? plan.dtype : [],
    most: given.has("tg") && !measured ? most : null,
    memory: plan.memory,
    measure: measured ? { preset, pp, tg, depth, batch, kv, fused, sustain } : null,
  };
}

/** One line that is rewritten on a terminal; elsewhere a line for each stage. */
function progressTeller(): (progress: TextProgress) => void {
  let last = "";
  return ({ stage, dtype, done, total, text }) => {
    const where = stage === "measuring" ? text : "";
    const line = `${stage}${dtype === null ? "" : ` in ${dtype}`}${where === "" ? "" : `: ${where}`}`;
    if (process.stderr.isTTY) {
      const tail = stage === "writing" ? plainText(text).replace(/\s+/g, " ").slice(-40) : "";
      const shown = `[${done}/${total}] ${line} ${tail}`.slice(0, (process.stderr.columns ?? 80) - 1);
      process.stderr.write(`\r\x1b[K${shown}`);
    } else if (line !== last) process.stderr.write(`${line}\n`);
    last = line;
  };
}

async function writtenText(path: string, order: TextOrder, options: Options): Promise<TextOutcome> {
  const paths = weightPaths(path);
  process.once("SIGINT", () => {
    process.stderr.write("\ncancelled\n");
    process.exit(ExitCode.failed);
  });
  const tell = progressTeller();
  if (options.host === "node") {
    const driver = await driverInNode();
    if (driver !== undefined) process.stderr.write(`driver: ${driver}\n`);
    return writeTextInNode(fileSources(paths), order, tell);
  }
  const { writeTextInBrowser } = await browserPart();
  return writeTextInBrowser(options, paths, order, tell);
}

/** The prompt and what was written after it, or the numbers of its tokens. */
function show({ prompt, texts }: TextResult): void {
  for (const { dtype, text, tokens } of texts) {
    if (texts.length > 1) process.stdout.write(`${dtype}:\n`);
    process.stdout.write(`${plainText(text === null ? `${prompt} ${tokens.join(" ")}` : prompt + text)}\n\n`);
  }
}

/** Writes a text with weights from files, and prints it with its speeds. */
export async function writeTextCommand(
  path: string,
  words: readonly string[],
  options: Options,
): Promise<ExitCode> {
  const order = textOrder(path, words, options.prompt);
  const format = formatNamed(options.format);
  checkWritable(options.out);
  if (options.requireHardware) await requireHardware(options);
  const outcome = await writtenText(path, order, options).finally(endProgress);
  if (!outcome.ok) {
    const code = { input: ExitCode.usage, run: ExitCode.failed, none: ExitCode.environment }[outcome.fault];
    throw new Exit(
      code,
      outcome.fault === "input" ? `--weights ${path}: ${outcome.problem}` : outcome.problem,
    );
  }
  const { result } = outcome;
  const { measured } = result;
  if (format === "json") process.stdout.write(`${JSON.stringify(result, null, 1)}\n`);
  else {
    if (format === "markdown") show(result);
    process.stdout.write(formats[format](textReport(result)));
    if (measured !== null) {
      process.stdout.write("\n");
      printReport(measured, format);
    }
  }
  if (options.out !== undefined)
    writeFileSync(options.out, `${JSON.stringify(measured ?? result, null, 1)}\n`);
  return measured === null ? ExitCode.done : verdict(measured);
}
