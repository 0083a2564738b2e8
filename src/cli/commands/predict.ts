import * as v from "valibot";
import type { Estimate } from "../../analysis/estimate";
import { type OwnRequest, predictOwn } from "../../analysis/own_chip";
import { type MeasuredWhole, measuredWhole } from "../../analysis/own_whole";
import { type Phase, type Predicted, type PredictionRequest, predict } from "../../analysis/predict";
import { type Architecture, architecture, architectureIds } from "../../analysis/prediction/architecture";
import { calibration } from "../../analysis/prediction/calibration";
import type { UsedFigure } from "../../analysis/prediction/chip_figures";
import { type PublishedRow, publishedRowSchema } from "../../analysis/prediction/published_row";
import { answerOf } from "../../analysis/prediction/row_answer";
import { caseOf } from "../../analysis/prediction/row_case";
import { type Stack, stacks } from "../../analysis/prediction/stack";
import { type WeightFormat, weightFormat, weightFormatIds } from "../../analysis/prediction/weight_format";
import { chip, chips } from "../../chips";
import type { Chip } from "../../chips/chip";
import { unknownName } from "../../plan";
import { ownName } from "../../report/device_name";
import { termKeys, termNames } from "../../report/prediction_terms";
import { duration, estimated, percent, sampled, scaled, seconds, tokenRate } from "../../units";
import { Exit, ExitCode } from "../exit";
import { readChip, readJson, readResult } from "../input";
import type { Options } from "../options";

const MOST_ROWS = 100_000;

const usage = (problem: string) => new Exit(ExitCode.usage, problem);

/** A whole number of an option; what is absent has a default. */
function natural(name: string, given: string | undefined, usual: number): number {
  if (given === undefined) return usual;
  if (!/^\d{1,9}$/.test(given) || Number(given) < 1)
    throw usage(`--${name} ${given.slice(0, 40)}: a whole number from 1`);
  return Number(given);
}

function chipOf({ chip: id, chipFile }: Options["prediction"]): Chip {
  if (chipFile !== undefined) {
    if (id !== undefined) throw usage("--chip and --chip-file: give one of them");
    return readChip(chipFile);
  }
  if (id === undefined)
    throw usage(
      "predict needs --chip ID (tokenroof chips lists them), --chip-file FILE or --result FILE|LINK",
    );
  const found = chip(id);
  if (found !== undefined) return found;
  throw usage(
    unknownName(
      "chip",
      id,
      chips.map((each) => each.id),
    ),
  );
}

function modelOf(id: string | undefined): Architecture {
  if (id === undefined) throw usage(`predict needs --model ID: ${architectureIds.join(", ")}`);
  const found = architecture(id);
  if (found === undefined) throw usage(unknownName("model", id, architectureIds));
  return found;
}

function formatOf(id: string): WeightFormat {
  const found = weightFormat(id);
  if (found === undefined) throw usage(unknownName("format of weights", id, weightFormatIds));
  return found;
}

function stackOf(id: string): Stack {
  const found = stacks.find((each) => each === id);
  if (found === undefined) throw usage(unknownName("runtime", id, stacks));
  return found;
}

/** What is asked of whatever chip. */
const questionOf = ({ prediction: given }: Options): OwnRequest => ({
  model: modelOf(given.model),
  weights: formatOf(given.weights ?? "f16"),
  prompt: natural("prompt", given.prompt, 512),
  output: natural("output", given.output, 128),
  batch: natural("batch", given.batch, 1),
});

const requestOf = (options: Options): PredictionRequest => {
  const { prediction: given } = options;
  return {
    chip: chipOf(given),
    chips: natural("chips", given.chips, 1),
    ...questionOf(options),
    ...(given.stack === undefined ? {} : { stack: stackOf(given.stack) }),
  };
};

/** The device of a result in place of a chip. */
async function predictedOn(source: string, options: Options): Promise<Answered> {
  const { chip: id, chipFile, chips: count, stack } = options.prediction;
  for (const [name, given] of Object.entries({ chip: id, "chip-file": chipFile, chips: count, stack }))
    if (given !== undefined) throw usage(`--${name} and --result: the result's own device is the chip`);
  const result = await readResult(source);
  const request = questionOf(options);
  return {
    name: ownName(result),
    evidence: "from how far the device's own calls differ",
    request,
    predicted: predictOwn(result, request),
    measured: measuredWhole(result, {
      name: request.model._name_or_path,
      dtype: request.weights.id,
      batch: request.batch,
    }),
  };
}

function predictedOnChip(options: Options): Answered {
  const request = requestOf(options);
  return {
    name: request.chip.name,
    evidence: "from chips that the calibration had not seen",
    request,
    predicted: predict(request),
  };
}

function phaseLines(title: string, { seconds: time, tokensPerSecond, terms: parts }: Phase): string[] {
  return [
    `${title.padEnd(10)} ${estimated(tokensPerSecond, tokenRate)}, ${estimated(time, seconds)}`,
    ...termKeys
      .filter((term) => parts[term] > 0)
      .map(
        (term) =>
          `  ${termNames[term].padEnd(28)} ${duration(parts[term]).padStart(10)}  ${percent(parts[term] / time.value).padStart(7)}`,
      ),
  ];
}

/** An answered request, and on what. */
interface Answered {
  readonly name: string;
  /** What its intervals rest on. */
  readonly evidence: string;
  readonly request: OwnRequest;
  readonly predicted: Predicted;
  /** What the device measured of this very model, run whole. */
  readonly measured?: readonly MeasuredWhole[];
}

/** Whole models as they were measured: nothing has to be predicted there. */
function measuredLines(measured: readonly MeasuredWhole[]): string[] {
  if (measured.length === 0) return [];
  return [
    "Measured, run whole (interval of 95 %)",
    ...measured.flatMap(({ run, ttft, tpot, interactive }) => [
      `  ${run}`,
      `    TTFT         ${sampled(ttft, seconds)}`,
      `    TPOT         ${sampled(tpot, seconds)}`,
      `    interactive  ${sampled(interactive, seconds)}`,
    ]),
    "",
  ];
}

const figureUnit = (name: string) => (name.endsWith("peak") ? "FLOP/s" : name === "memory" ? "B" : "B/s");
const figureLine = ({ name, value, source, kind, derivation }: UsedFigure) =>
  `  ${name.padEnd(20)} ${scaled(value, figureUnit(name)).padEnd(14)} ${kind}  ${source}${derivation === undefined ? "" : `  (${derivation})`}`;

function text(
  { name, evidence, measured = [], request: { model, weights, prompt, output, batch } }: Answered,
  predicted: Predicted & { status: "predicted" },
  phase: string | undefined,
): string {
  const { prefill, decode, ttft, tpot, interactive, latency, throughput, chips: count } = predicted;
  const line = (name: string, estimate: Estimate | undefined, scale: typeof seconds) =>
    estimate === undefined ? [] : [`${name.padEnd(11)} ${estimated(estimate, scale)}`];
  return [
    `${model._name_or_path}, ${weights.id}, on ${count} × ${name}: ${prompt} tokens in, ${output} out, batch ${batch}`,
    `Value (interval of 90 %, ${evidence})`,
    "",
    ...(phase === "decode" || prefill === undefined ? [] : [...phaseLines("prefill", prefill), ""]),
    ...(phase === "prefill" ? [] : [...phaseLines("decode", decode), ""]),
    ...(phase === undefined
      ? [
          ...line("TTFT", ttft, seconds),
          ...line("TPOT", tpot, seconds),
          ...line("interactive", interactive, seconds),
          ...line("latency", latency, seconds),
          ...line("throughput", throughput, tokenRate),
          "",
        ]
      : []),
    ...measuredLines(measured),
    "Figures of the chip",
    ...predicted.figures.map(figureLine),
    "Assumptions",
    ...predicted.assumptions.map((assumption) => `  ${assumption}`),
  ].join("\n");
}

/** Answers a file of published rows, each in its own metric. */
function answers(path: string) {
  const input = readJson(path, "--rows ");
  if (!Array.isArray(input)) throw usage(`--rows ${path}: not an array of rows`);
  if (input.length > MOST_ROWS) throw usage(`--rows ${path}: more than ${MOST_ROWS} rows`);
  return input.map((row: unknown, i) => {
    const outcome = v.safeParse(publishedRowSchema, row);
    if (!outcome.success) {
      const [issue] = outcome.issues;
      throw usage(`--rows ${path}: [${i}].${v.getDotPath(issue) ?? ""}: ${issue.message}`);
    }
    return answer(outcome.output);
  });
}

function answer(row: PublishedRow): ({ id: string } & Estimate) | { id: string; error: string } {
  const outcome = caseOf(row, chip(row.chipId));
  return "error" in outcome
    ? { id: row.id, error: outcome.error }
    : { id: row.id, ...answerOf(outcome, calibration) };
}

/** Predicts one request, or every row of a file. */
export async function predictCommand(words: readonly string[], options: Options): Promise<ExitCode> {
  const { json, prediction } = options;
  const [word] = words;
  if (word !== undefined) throw usage(`predict takes options only, not "${word.slice(0, 40)}"`);
  if (prediction.rows !== undefined) {
    const found = answers(prediction.rows);
    const lines = found.map((each) =>
      "error" in each
        ? `${each.id}  ${each.error}`
        : `${each.id}  ${each.value.toPrecision(4)} (${each.low.toPrecision(4)} … ${each.high.toPrecision(4)})`,
    );
    process.stdout.write(`${json ? JSON.stringify(found, null, 2) : lines.join("\n")}\n`);
    return ExitCode.done;
  }
  const { phase } = prediction;
  if (phase !== undefined && phase !== "prefill" && phase !== "decode")
    throw usage(`--phase is prefill or decode, not ${phase.slice(0, 40)}`);
  const { result } = prediction;
  const answered = result === undefined ? predictedOnChip(options) : await predictedOn(result, options);
  const { predicted } = answered;
  if (predicted.status === "not-predicted") throw usage(predicted.reason);
  if (phase === "prefill" && predicted.prefill === undefined)
    throw usage(predicted.assumptions.at(-1) ?? "prompts not predicted");
  process.stdout.write(
    `${json ? JSON.stringify({ ...predicted, ...(answered.measured !== undefined && { measured: answered.measured }) }, null, 2) : text(answered, predicted, phase)}\n`,
  );
  return ExitCode.done;
}
