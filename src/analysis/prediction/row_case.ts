// A published row made ready to predict: what it says is read, what it leaves open is filled in and said.

import type { Chip } from "../../chips/chip";
import type { Architecture } from "./architecture";
import { architectureNamed } from "./architecture_names";
import type { Category } from "./calibration";
import { capacityOf } from "./chip_figures";
import type { Model } from "./pass_time";
import {
  categoryOf,
  eraOf,
  hostOf,
  type PublishedRow,
  runsReplicas,
  type Subject,
  scenarioOf,
  subjectOf,
} from "./published_row";
import { sequencesThatFit } from "./serving";
import { type Setting, settingOf, USABLE_MEMORY, weightBytesOf } from "./setting";
import { type Stack, stackNamed } from "./stack";
import { type WeightFormat, weightFormatNamed, weightFormats } from "./weight_format";

/** Everything about a row that does not depend on efficiencies. */
export interface Case {
  readonly row: PublishedRow;
  readonly subject: Subject;
  readonly category: Category;
  readonly setting: Setting;
  /** Tokens of each prompt and answer. */
  readonly input: number;
  readonly output: number;
  readonly batch: number;
  /** Groups of chips that work side by side, each on requests of its own. */
  readonly replicas: number;
  readonly assumptions: readonly string[];
  /** How many things of the row that decide its figure were not stated. */
  readonly unknowns: number;
}

/**
 * Mean prompts of MLPerf Inference's data sets, as its rules and submissions describe them. Assumptions: no row states
 * its own.
 */
const promptsOf: readonly (readonly [RegExp, number, string])[] = [
  [/405b/i, 9400, "MLPerf's long-context set for Llama 3.1 405B, about 9,400 tokens"],
  [/llama.?3.*8b|gpt-?j/i, 778, "CNN/DailyMail, about 778 tokens"],
  [/llama.?2.*70b/i, 294, "OpenOrca, about 294 tokens"],
  [/mixtral/i, 300, "OpenOrca, GSM8K and MBXP mixed, about 300 tokens"],
  [/deepseek/i, 800, "MLPerf's mix for DeepSeek-R1, about 800 tokens"],
];
/** Tokens where nothing is said and no data set is known. */
const USUAL_PROMPT = 512;
const USUAL_ANSWER = 256;

/** Collects what was filled in. */
class Notes {
  readonly assumptions: string[] = [];
  unknowns = 0;

  assume(what: string): void {
    this.assumptions.push(what);
    this.unknowns++;
  }
}

function weightsOf(
  { weightDtype, chips }: PublishedRow,
  architecture: Architecture,
  capacity: number | undefined,
  notes: Notes,
): WeightFormat {
  const stated = weightFormatNamed(weightDtype ?? "");
  if (stated !== undefined) return stated;
  const wide = weightBytesOf({ architecture, weights: weightFormats.bf16, cacheBytes: 2 });
  const fits = capacity === undefined || wide < USABLE_MEMORY * capacity * (chips ?? 1);
  const format = fits ? weightFormats.bf16 : weightFormats.fp8;
  notes.assume(`format of weights not stated: ${format.id}`);
  return format;
}

/** TensorRT-LLM keeps the cache of narrow models in eight bits; the others in sixteen. */
const cacheBytesOf = (stack: Stack, weights: WeightFormat): number =>
  stack === "tensorrt-llm" && (weights.arithmetic === "fp8" || weights.arithmetic === "fp4") ? 1 : 2;

function lengthsOf(row: PublishedRow, subject: Subject, notes: Notes): { input: number; output: number } {
  const { promptTokens, outputTokens, model } = row;
  let input = promptTokens ?? undefined;
  if (input === undefined && subject === "step") input = 0;
  if (input === undefined) {
    const known = runsReplicas(row) ? promptsOf.find(([pattern]) => pattern.test(model)) : undefined;
    input = known?.[1] ?? USUAL_PROMPT;
    notes.assume(`prompt not stated: ${known?.[2] ?? `${input} tokens`}`);
  }
  const stated = outputTokens ?? 0;
  if (stated > 0 || subject === "prompt") return { input, output: Math.max(1, stated) };
  // A step at a stated depth needs no answer's length; otherwise a short answer is written.
  return { input, output: subject === "step" && input > 0 ? 1 : USUAL_ANSWER };
}

/** The fewest chips, a power of two, that hold the weights and leave some memory for caches. */
function chipsPerReplica(model: Model, capacity: number, chips: number): number {
  const WEIGHTS_SHARE = 0.7;
  let each = 1;
  while (each < chips && weightBytesOf(model) > WEIGHTS_SHARE * USABLE_MEMORY * capacity * each) each *= 2;
  return Math.min(each, chips);
}

const shown = (text: string) => text.slice(0, 80);

/** Reads what a row says. The reason, where it cannot be predicted. */
export function caseOf(row: PublishedRow, chip: Chip | undefined): Case | { readonly error: string } {
  if (chip === undefined) return { error: `unknown chip "${shown(row.chipId)}"` };
  const subject = subjectOf(row);
  if (subject === undefined)
    return { error: `phase "${shown(row.phase)}" with metric "${shown(row.metric)}": not known` };
  const named = architectureNamed(row.model, row.paramsB, row.activeParamsB);
  if (named === undefined)
    return { error: `model "${shown(row.model)}": not known, and no paramsB says its size` };

  const notes = new Notes();
  if (named.assumed !== undefined) notes.assume(named.assumed);
  const stack = stackNamed(row.software ?? "");
  const capacity = capacityOf(chip)?.value;
  const weights = weightsOf(row, named.model, capacity, notes);
  const model: Model = { architecture: named.model, weights, cacheBytes: cacheBytesOf(stack, weights) };

  let chips = row.chips ?? undefined;
  if (chips === undefined) {
    if (capacity === undefined)
      return { error: `number of chips not stated, and ${chip.name} has no verified memory size` };
    chips = Math.ceil(weightBytesOf(model) / (USABLE_MEMORY * capacity));
    notes.assume(`number of chips not stated: ${chips}, which hold the weights`);
  }

  const { input, output } = lengthsOf(row, subject, notes);
  if (subject !== "step" && input < 1)
    return { error: `promptTokens ${input}: a prompt has one token at least` };
  const each = runsReplicas(row) && capacity !== undefined ? chipsPerReplica(model, capacity, chips) : chips;
  let batch = row.batchOrConcurrency ?? 0;
  if (batch < 1 && subject !== "served") batch = 1;
  if (batch < 1) {
    if (capacity === undefined)
      return { error: `batch not stated, and ${chip.name} has no verified memory size` };
    batch = Math.max(1, sequencesThatFit(model, capacity, each, input + output));
    notes.assume(`batch not stated: ${batch}, as many as fit on ${each} chip${each > 1 ? "s" : ""}`);
  }

  const host = hostOf(row);
  if (host === "slow") notes.assumptions.push("on a single-board computer: launches take four times as long");
  const setting = settingOf({
    chip,
    chips: each,
    model,
    stack,
    scenario: scenarioOf(row),
    era: eraOf(row),
    host,
  });
  if ("missing" in setting) return { error: setting.missing };
  if (subject !== "step" && setting.machine.matrixPeak === undefined)
    return { error: `no verified ${weights.arithmetic} peak for ${chip.name}: not predicted` };
  return {
    row,
    subject,
    category: categoryOf(row),
    setting,
    input: Math.round(input),
    output: Math.round(output),
    batch: Math.round(batch),
    replicas: chips / each,
    assumptions: [...notes.assumptions, ...setting.assumptions],
    unknowns: notes.unknowns,
  };
}
