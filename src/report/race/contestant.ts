// An entry with what it answers to a question, in tokens per second and in money.

import { withoutCached } from "../../analysis/cached_prompt";
import type { Assumptions } from "../../analysis/economics/assumptions";
import { type TokenEconomics, tokenEconomics } from "../../analysis/economics/token_economics";
import type { Predicted } from "../../analysis/predict";
import { type Architecture, architecture } from "../../analysis/prediction/architecture";
import type { Model } from "../../analysis/prediction/pass_time";
import { weightFormat } from "../../analysis/prediction/weight_format";
import type { RaceEntry } from "./entry";
import type { Question } from "./question";

export type Prediction = Extract<Predicted, { status: "predicted" }>;

export interface Contestant {
  readonly entry: RaceEntry;
  /** Chips that work together. */
  readonly chips: number;
  readonly predicted: Predicted;
  /** Undefined where nothing was predicted. */
  readonly economics: TokenEconomics | undefined;
}

/** One whose speed is known. */
export type Runner = Contestant & { readonly predicted: Prediction; readonly economics: TokenEconomics };

export const isRunner = (each: Contestant): each is Runner => each.predicted.status === "predicted";

/** Bytes of one number in the KV cache. */
const CACHE_BYTES = 2;

/** The model of a question. Throws a RangeError on ids that `parseQuestion` would have refused. */
export function modelOf({ model: id, weights: format }: Question): Model {
  const model: Architecture | undefined = architecture(id);
  const weights = weightFormat(format);
  if (model === undefined || weights === undefined)
    throw new RangeError(`${id} in ${format}: no such model or format of weights`);
  return { architecture: model, weights, cacheBytes: CACHE_BYTES };
}

/** The chips that work together on a question. */
export const chipsOf = (entry: RaceEntry, question: Question, model: Model): number =>
  question.chips === "auto"
    ? entry.chipsFor(model, (question.prompt + question.output) * question.batch)
    : question.chips;

/** What an entry answers, the cached part of the prompt not read again. */
export function ask(entry: RaceEntry, question: Question, model: Model, chips: number): Predicted {
  const { prompt, cached, output, batch, stack } = question;
  const of = (tokens: number) =>
    entry.predict({
      model: model.architecture,
      weights: model.weights,
      cacheBytes: model.cacheBytes,
      prompt: tokens,
      output,
      batch,
      chips,
      ...(stack !== "usual" && { stack }),
    });
  return cached === 0 ? of(prompt) : withoutCached(of(prompt), of(cached), of(prompt - cached), question);
}

/** Prices and power that the user gave are those of the user's own hardware: reference chips keep their sourced ones. */
export const assumptionsFor = (entry: RaceEntry, assumptions: Assumptions): Assumptions =>
  entry.origin === "reference" ? { ...assumptions, given: {} } : assumptions;

/** Asks one entry. */
export function contestant(entry: RaceEntry, question: Question): Contestant {
  const model = modelOf(question);
  const chips = chipsOf(entry, question, model);
  const predicted = ask(entry, question, model, chips);
  if (predicted.status !== "predicted") return { entry, chips, predicted, economics: undefined };
  const output = predicted.decode.tokensPerSecond;
  const economics = tokenEconomics(
    // Where prompts are not predicted nobody reads what they would cost.
    { input: predicted.prefill?.tokensPerSecond ?? output, output },
    chips,
    entry.chip,
    assumptionsFor(entry, question.assumptions),
  );
  return { entry, chips, predicted, economics };
}

/** What charts and tables of few chips show: hardware of one's own, measured or added, then what the question picks. */
export function pickedOf(entries: readonly RaceEntry[], { pick }: Question): RaceEntry[] {
  const own = entries.filter(({ origin }) => origin !== "reference");
  const chosen = pick.flatMap((id) => entries.find((each) => each.id === id) ?? []);
  return [...new Set([...own, ...chosen])];
}
