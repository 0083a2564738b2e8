// What a model would do on a chip that nobody here has: prompt and answer speed, latency and throughput, each with an
// interval and with the terms that it is made of. docs/model.md states the formulae, docs/residuals.md how far off they are.

import type { Chip } from "../chips/chip";
import { type Estimate, rateOf } from "./estimate";
import type { Architecture } from "./prediction/architecture";
import { type Calibration, calibration } from "./prediction/calibration";
import { capacityOf, memoryKind, type UsedFigure } from "./prediction/chip_figures";
import { halfWidth, plus, times, within } from "./prediction/interval";
import { decodeTerms, type Model, promptTerms, type Terms, totalSeconds } from "./prediction/pass_time";
import { chipsToHold, sequencesThatFit, servedTokensPerSecond } from "./prediction/serving";
import { settingOf } from "./prediction/setting";
import { type Stack, usualStack } from "./prediction/stack";
import type { WeightFormat } from "./prediction/weight_format";

export interface PredictionRequest {
  readonly chip: Chip;
  /** Chips that share every layer (tensor parallelism). One, unless stated. */
  readonly chips?: number;
  readonly model: Architecture;
  readonly weights: WeightFormat;
  /** Bytes of one number in the KV cache: 2 unless stated. */
  readonly cacheBytes?: number;
  /** Tokens of each prompt, and of each answer. */
  readonly prompt: number;
  readonly output: number;
  /** Sequences that are worked on together. */
  readonly batch: number;
  /** The runtime; the usual one for the chip unless stated. */
  readonly stack?: Stack;
}

/** One phase of a request: its time, its speed over all sequences, and the seconds it is made of. */
export interface Phase {
  readonly seconds: Estimate;
  readonly tokensPerSecond: Estimate;
  /** They add up to the value of `seconds`. */
  readonly terms: Terms;
}

/** Estimates are intervals of 90 %: nine of ten chips that the calibration had not seen lay inside. */
export type Predicted =
  | {
      readonly status: "predicted";
      /** Reading all prompts of the batch; undefined where the chip has no verified peak. */
      readonly prefill: Phase | undefined;
      /** Writing one token for each sequence, at the answer's mean context. */
      readonly decode: Phase;
      /** Seconds until the first token of all sequences. */
      readonly ttft: Estimate | undefined;
      /** Seconds per token and sequence after it. */
      readonly tpot: Estimate;
      /** The same with each token read back before the next step: known of devices that ran models whole. */
      readonly interactive?: Estimate;
      /** Seconds from the prompt to the last token. */
      readonly latency: Estimate | undefined;
      /** Output tokens per second of a server that keeps `batch` sequences going. */
      readonly throughput: Estimate | undefined;
      readonly chips: number;
      readonly stack: Stack;
      readonly figures: readonly UsedFigure[];
      readonly assumptions: readonly string[];
    }
  | {
      readonly status: "not-predicted";
      readonly reason: string;
      /** Chips that would hold weights and KV cache, where memory is what lacks. */
      readonly chipsToHold?: number;
    };

const MOST_CHIPS = 10_000;
const MOST_SEQUENCES = 65_536;

/** The first of a request's numbers that makes no sense, and what would. */
export function problemOf({
  model,
  prompt,
  output,
  batch,
  chips = 1,
}: Omit<PredictionRequest, "chip">): string | undefined {
  const longest = model.max_position_embeddings;
  const bounds: readonly (readonly [string, number, number])[] = [
    ["prompt", prompt, longest],
    ["output", output, longest],
    ["batch", batch, MOST_SEQUENCES],
    ["chips", chips, MOST_CHIPS],
  ];
  for (const [name, value, most] of bounds)
    if (!Number.isInteger(value) || value < 1 || value > most)
      return `${name} ${value}: a whole number from 1 to ${most}`;
  if (prompt + output > longest)
    return `prompt + output ${prompt + output}: ${model._name_or_path} takes at most ${longest} tokens`;
  return undefined;
}

/**
 * Predicts a request. Never guesses a figure: a chip without a verified memory bandwidth, or whose memory is too small,
 * is not predicted and the reason says why.
 */
export function predict(request: PredictionRequest, by: Calibration = calibration): Predicted {
  const { chip, chips = 1, weights, prompt, output, batch } = request;
  const problem = problemOf(request);
  if (problem !== undefined) return { status: "not-predicted", reason: problem };
  const stack = request.stack ?? usualStack(chip);
  const model: Model = { architecture: request.model, weights, cacheBytes: request.cacheBytes ?? 2 };
  const setting = settingOf({ chip, chips, model, stack });
  if ("missing" in setting) return { status: "not-predicted", reason: setting.missing };

  const assumptions = [...setting.assumptions];
  const capacity = capacityOf(chip)?.value;
  const length = prompt + output;
  if (capacity === undefined)
    assumptions.push(`${chip.name} has no verified memory size: taken to hold the model`);
  else if (
    sequencesThatFit(model, capacity, chips, length) < 1 ||
    chipsToHold(model, capacity, length * batch) > chips
  ) {
    const needed = chipsToHold(model, capacity, length * batch);
    return {
      status: "not-predicted",
      reason: `${request.model._name_or_path} in ${weights.id} with ${batch} × ${length} tokens does not fit into ${chips} × ${chip.name}: needs ${needed} chips`,
      chipsToHold: needed,
    };
  }

  const { machine, traits } = setting;
  const known = by.efficiencies;
  const half = (category: "decode" | "prefill" | "serving") => halfWidth(by, category, traits);
  const context = prompt + Math.ceil(output / 2);
  const stepTerms = decodeTerms(model, machine, traits, known, context, batch);
  const tpot = within(totalSeconds(stepTerms), half(batch > 1 ? "serving" : "decode"));
  if (machine.matrixPeak === undefined)
    assumptions.push(
      `no verified ${weights.arithmetic} peak for ${chip.name}: prompts not predicted, decoding taken as bound by memory`,
    );

  const promptParts = promptTerms(model, machine, traits, known, prompt, batch);
  const ttft = promptParts && within(totalSeconds(promptParts), half(batch > 1 ? "serving" : "prefill"));
  const latency = ttft && plus(ttft, times(tpot, output - 1));
  const served = servedTokensPerSecond(setting, known, prompt, output, batch);
  // One request at a time is no serving: its speed is that of the request.
  const throughput =
    batch === 1
      ? latency && rateOf(output, latency)
      : served === undefined
        ? undefined
        : within(served, half("serving"));
  return {
    status: "predicted",
    prefill: ttft &&
      promptParts && {
        seconds: ttft,
        tokensPerSecond: rateOf(prompt * batch, ttft),
        terms: promptParts,
      },
    decode: { seconds: tpot, tokensPerSecond: rateOf(batch, tpot), terms: stepTerms },
    ttft,
    tpot,
    latency,
    throughput,
    chips,
    stack,
    figures: setting.figures,
    assumptions: [
      `runtime ${stack}`,
      `KV cache of ${model.cacheBytes} bytes per number`,
      ...(memoryKind(chip) === "SRAM"
        ? ["each layer lies on chips of its own, which read one after another"]
        : []),
      ...assumptions,
    ],
  };
}
