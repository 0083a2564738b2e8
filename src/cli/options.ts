import { parseArgs } from "node:util";
import { assertBrowsers, usualHost } from "./browser_part";
import { Exit, ExitCode } from "./exit";

export interface Options {
  readonly browser: string | undefined;
  readonly browserArguments: readonly string[];
  readonly host: "browser" | "node";
  readonly out: string | undefined;
  readonly tuning: string | undefined;
  readonly format: string;
  readonly requireHardware: boolean;
  readonly json: boolean;
  readonly page: string;
  readonly port: number;
  /** Of `run`: a folder or file of weights, and what to write with them. */
  readonly weights: string | undefined;
  readonly prompt: string | undefined;
  /** Of `predict`, as they were given. */
  readonly prediction: PredictionOptions;
  /** Of `race`, as they were given. */
  readonly race: RaceOptions;
}

export interface RaceOptions {
  readonly view: string;
  readonly chipFile: string | undefined;
  readonly result: string | undefined;
}

export interface PredictionOptions {
  readonly chip: string | undefined;
  readonly chipFile: string | undefined;
  /** A result file or link, whose device is the chip. */
  readonly result: string | undefined;
  readonly model: string | undefined;
  readonly weights: string | undefined;
  readonly phase: string | undefined;
  readonly prompt: string | undefined;
  readonly output: string | undefined;
  readonly batch: string | undefined;
  readonly chips: string | undefined;
  readonly stack: string | undefined;
  readonly rows: string | undefined;
}

/** Where `npm start` serves the page. */
const DEFAULT_PORT = 4173;

/** `--browser-arg --foo` as `--browser-arg=--foo`: a browser's arguments begin with a dash, which parseArgs refuses. */
function joined(given: readonly string[]): string[] {
  const words: string[] = [];
  for (let i = 0; i < given.length; i++) {
    const word = given[i]!;
    const next = given[i + 1];
    if (word === "--browser-arg" && next !== undefined) {
      words.push(`${word}=${next}`);
      i++;
    } else {
      words.push(word);
    }
  }
  return words;
}

/** Splits the command line into words and options. Throws Exit on an option that does not exist. */
export function parseOptions(given: readonly string[]): { words: string[]; options: Options; help: boolean } {
  try {
    const { values, positionals } = parseArgs({
      args: joined(given),
      allowPositionals: true,
      options: {
        browser: { type: "string" },
        "browser-arg": { type: "string", multiple: true, default: [] },
        host: { type: "string", default: usualHost },
        out: { type: "string" },
        tuning: { type: "string" },
        format: { type: "string", default: "markdown" },
        "require-hardware": { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        page: { type: "string", default: `http://localhost:${DEFAULT_PORT}/` },
        port: { type: "string", default: String(DEFAULT_PORT) },
        chip: { type: "string" },
        "chip-file": { type: "string" },
        result: { type: "string" },
        model: { type: "string" },
        weights: { type: "string" },
        phase: { type: "string" },
        prompt: { type: "string" },
        output: { type: "string" },
        batch: { type: "string" },
        chips: { type: "string" },
        stack: { type: "string" },
        rows: { type: "string" },
        view: { type: "string", default: "compare" },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.host !== "browser" && values.host !== "node")
      throw new Exit(ExitCode.usage, `--host is browser or node, not ${values.host}`);
    if (values.host === "browser") assertBrowsers("--host browser");
    if (values.browser !== undefined) assertBrowsers(`--browser ${values.browser}`);
    if (!/^\d{1,5}$/.test(values.port)) throw new Exit(ExitCode.usage, `--port ${values.port}: not a port`);
    return {
      words: positionals,
      help: values.help,
      options: {
        browser: values.browser,
        browserArguments: values["browser-arg"],
        host: values.host,
        out: values.out,
        tuning: values.tuning,
        format: values.format,
        requireHardware: values["require-hardware"],
        json: values.json,
        page: values.page,
        port: Number(values.port),
        weights: values.weights,
        prompt: values.prompt,
        prediction: {
          chip: values.chip,
          chipFile: values["chip-file"],
          result: values.result,
          model: values.model,
          weights: values.weights,
          phase: values.phase,
          prompt: values.prompt,
          output: values.output,
          batch: values.batch,
          chips: values.chips,
          stack: values.stack,
          rows: values.rows,
        },
        race: { view: values.view, chipFile: values["chip-file"], result: values.result },
      },
    };
  } catch (error) {
    if (error instanceof Exit) throw error;
    throw new Exit(ExitCode.usage, error instanceof Error ? error.message.split("\n")[0]! : String(error));
  }
}
