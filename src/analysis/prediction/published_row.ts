// Rows of published measurements: what was run, as the table says it, and what the model predicts for it.

import * as v from "valibot";
import type { Chip } from "../../chips/chip";
import type { Estimate } from "../estimate";
import { architectureNamed } from "./architecture_names";
import type { Calibration, Category } from "./calibration";
import { capacityOf } from "./chip_figures";
import type { Efficiencies } from "./efficiency";
import { halfWidth, within } from "./interval";
import { decodeTerms, type Model, promptTerms, totalSeconds } from "./pass_time";
import { sequencesThatFit, servedTokensPerSecond } from "./serving";
import { type Setting, settingOf, USABLE_MEMORY, weightBytesOf } from "./setting";
import { stackNamed } from "./stack";
import { weightFormatNamed, weightFormats } from "./weight_format";

const amount = v.nullish(v.pipe(v.number(), v.finite(), v.minValue(0), v.maxValue(1e9)));
const text = v.pipe(v.string(), v.maxLength(500));

/** A row of calibration/published.json. What is not needed to predict it is kept as it is. */
export const publishedRowSchema = v.looseObject({
  id: v.pipe(text, v.nonEmpty()),
  chipId: text,
  chips: v.nullish(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(100_000))),
  model: text,
  paramsB: v.nullish(v.pipe(v.number(), v.finite(), v.gtValue(0), v.maxValue(100_000))),
  activeParamsB: v.nullish(v.pipe(v.number(), v.finite(), v.gtValue(0), v.maxValue(100_000))),
  weightDtype: v.nullish(text),
  promptTokens: amount,
  outputTokens: amount,
  batchOrConcurrency: amount,
  phase: v.picklist(["prefill", "decode", "end-to-end"]),
  metric: v.picklist(["tokens/s", "ttft_ms", "tpot_ms", "tokens/s/user"]),
  value: v.nullish(v.number()),
  software: v.nullish(text),
  regime: v.nullish(text),
  date: v.nullish(text),
  system: v.nullish(text),
});
export type PublishedRow = v.InferOutput<typeof publishedRowSchema>;

/** Batched decoding and whole requests are served; one sequence is decoded. */
export function categoryOf(row: PublishedRow): Category {
  if (row.phase === "end-to-end") return "serving";
  const batched = (row.batchOrConcurrency ?? 1) > 1 || /batched|per-user/.test(row.regime ?? "");
  if (batched) return "serving";
  return row.phase === "prefill" ? "prefill" : "decode";
}

/** A row made ready: everything that does not depend on efficiencies. */
export interface Case {
  readonly row: PublishedRow;
  readonly category: Category;
  readonly setting: Setting;
  readonly input: number;
  readonly output: number;
  readonly batch: number;
  /** Groups of chips that work side by side, each on requests of its own. */
  readonly replicas: number;
  readonly assumptions: readonly string[];
  /** What of the row was not stated and matters: batch, lengths, precision, number of chips. */
  readonly unknowns: number;
}

/** Tokens of a prompt in the data sets of MLPerf Inference; means of what the rules name, declared as assumptions. */
const promptsOf: readonly (readonly [RegExp, number, string])[] = [
  [/405b/i, 9428, "Llama 3.1 405B long-context set of MLPerf: mean prompt of about 9,400 tokens"],
  [/llama.?3.*8b/i, 778, "CNN/DailyMail: mean prompt of about 780 tokens"],
  [/llama.?2.*70b/i, 294, "OpenOrca: mean prompt of about 294 tokens"],
  [/mixtral/i, 300, "OpenOrca, GSM8K and MBXP mixed: mean prompt of about 300 tokens"],
  [/deepseek/i, 800, "DeepSeek-R1's mix of MLPerf: mean prompt of about 800 tokens"],
];
const USUAL_PROMPT = 512;
const USUAL_ANSWER = 256;

const scenarioOf = (software: string): string => {
  const scenario = /(Offline|Server|Interactive) scenario/.exec(software)?.[1];
  if (scenario !== undefined) return scenario;
  return /trtllm-bench/.test(software) ? "throughput" : "none";
};

const eraOf = ({ date }: PublishedRow) => ((date ?? "2025") < "2025" ? "before 2025" : "since 2025");
const hostOf = ({ system }: PublishedRow) => (/\b(Raspberry )?Pi \d/.test(system ?? "") ? "slow" : "usual");

/** The fewest chips, a power of two, that hold the weights and leave some memory for caches. */
function chipsPerReplica(model: Model, capacity: number, chips: number): number {
  let each = 1;
  while (each < chips && weightBytesOf(model) > 0.7 * USABLE_MEMORY * capacity * each) each *= 2;
  return Math.min(each, chips);
}

/** Reads what a row says, and fills in what it does not, saying so. The reason, where that cannot be done. */
export function caseOf(row: PublishedRow, chip: Chip | undefined): Case | { readonly error: string } {
  if (chip === undefined) return { error: `unknown chip "${row.chipId.slice(0, 80)}"` };
  const named = architectureNamed(row.model, row.paramsB, row.activeParamsB);
  if (named === undefined)
    return { error: `model "${row.model.slice(0, 80)}": not known, and no paramsB says its size` };
  const assumptions = named.assumed === undefined ? [] : [named.assumed];
  let unknowns = named.assumed === undefined ? 0 : 1;
  const software = row.software ?? "";
  const stack = stackNamed(software);
  const capacity = capacityOf(chip)?.value;
  const category = categoryOf(row);
  const architecture = named.model;

  let weights = weightFormatNamed(row.weightDtype ?? "");
  if (weights === undefined) {
    const wide = { architecture, weights: weightFormats.bf16, cacheBytes: 2 };
    const fits = capacity === undefined || weightBytesOf(wide) < 0.8 * capacity * (row.chips ?? 1);
    weights = fits ? weightFormats.bf16 : weightFormats.fp8;
    unknowns++;
    assumptions.push(`format of weights not stated: ${weights.id} assumed`);
  }
  const cacheBytes = stack === "tensorrt-llm" && weights.arithmetic !== "fp16" ? 1 : 2;
  const model: Model = { architecture, weights, cacheBytes };

  let chips = row.chips ?? undefined;
  if (chips === undefined) {
    if (capacity === undefined)
      return { error: `chips: not stated, and ${chip.name} has no verified capacity` };
    chips = Math.ceil(weightBytesOf(model) / (USABLE_MEMORY * capacity));
    unknowns++;
    assumptions.push(`number of chips not stated: ${chips}, which hold the weights`);
  }

  let input = row.promptTokens ?? undefined;
  let output = row.outputTokens ?? undefined;
  if (input === undefined) {
    const known = category === "serving" ? promptsOf.find(([pattern]) => pattern.test(row.model)) : undefined;
    input = known?.[1] ?? (row.phase === "decode" ? 0 : USUAL_PROMPT);
    if (row.phase !== "decode") {
      unknowns++;
      assumptions.push(known?.[2] ?? `prompt not stated: ${input} tokens assumed`);
    }
  }
  if (output === undefined || (row.phase !== "prefill" && output === 0))
    output = row.phase === "decode" && (row.promptTokens ?? 0) > 0 ? 1 : USUAL_ANSWER;

  const scenario = scenarioOf(software);
  const mlperf = ["Offline", "Server", "Interactive"].includes(scenario);
  const each = mlperf && capacity !== undefined ? chipsPerReplica(model, capacity, chips) : chips;
  let batch = row.batchOrConcurrency ?? undefined;
  if (batch === undefined || batch === 0) {
    if (row.phase !== "end-to-end") batch = 1;
    else {
      if (capacity === undefined)
        return { error: `batch: not stated, and ${chip.name} has no verified capacity` };
      batch = Math.max(1, sequencesThatFit(model, capacity, each, input + output));
      unknowns++;
      assumptions.push(`batch not stated: ${batch}, as many as memory holds, ${each} chip(s) to a replica`);
    }
  }
  const setting = settingOf({
    chip,
    chips: each,
    model,
    stack,
    scenario,
    era: eraOf(row),
    host: hostOf(row),
  });
  if ("missing" in setting) return { error: setting.missing };
  if (row.phase !== "decode" && setting.machine.matrixPeak === undefined)
    return { error: `no verified ${weights.arithmetic} peak for ${chip.name}: not predicted` };
  return {
    row,
    category,
    setting,
    input,
    output,
    batch,
    replicas: chips / each,
    assumptions: [...assumptions, ...setting.assumptions],
    unknowns,
  };
}

/** The figure that a row asks for, in its own metric. */
export function figureOf(
  { row, setting, input, output, batch, replicas }: Case,
  known: Efficiencies,
): number {
  const { model, machine, traits } = setting;
  if (row.phase === "end-to-end") {
    return replicas * (servedTokensPerSecond(setting, known, input, output, batch) ?? Number.NaN);
  }
  if (row.phase === "prefill") {
    const terms = promptTerms(model, machine, traits, known, Math.max(1, Math.round(input)), batch);
    const seconds = terms === undefined ? Number.NaN : totalSeconds(terms);
    return row.metric === "ttft_ms" ? 1e3 * seconds : (input * batch) / seconds;
  }
  const context = Math.round(input + output / 2);
  const seconds = totalSeconds(decodeTerms(model, machine, traits, known, context, batch));
  if (row.metric === "tpot_ms") return 1e3 * seconds;
  return (row.metric === "tokens/s/user" ? 1 : batch) / seconds;
}

/** A row's figure with its interval of 90 %. */
export const answerOf = (each: Case, { efficiencies, ...known }: Calibration): Estimate =>
  within(figureOf(each, efficiencies), halfWidth(known, each.category, each.setting.traits, each.unknowns));
