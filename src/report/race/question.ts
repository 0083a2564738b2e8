// What is asked of the chips. One parser for the address of the page (chips.html?model=llama-3.1-8b&batch=8) and for the
// command line's words (model=llama-3.1-8b batch=8); assumptions of the economics are words like the others.

import { defaults, givens } from "../../analysis/economics/assumption_table";
import {
  type Assumptions,
  assumptionWords,
  defaultAssumptions,
  parseAssumptions,
} from "../../analysis/economics/assumptions";
import { architecture, architectureIds } from "../../analysis/prediction/architecture";
import { type Stack, stacks } from "../../analysis/prediction/stack";
import { weightFormatIds } from "../../analysis/prediction/weight_format";
import { type Scenario, scenarios } from "../../analysis/scenarios";
import { type Chip, chipClasses } from "../../chips/chip";
import { shown, unknownName } from "../../names";

export const roles = ["training", "inference", "both"] as const satisfies readonly Chip["role"][];

/** Columns of the compare table, in their order. */
export const sortKeys = [
  "chip",
  "class",
  "role",
  "chips",
  "prefill",
  "decode",
  "ttft",
  "tpot",
  "throughput",
  "watt",
  "input-cost",
  "output-cost",
  "basis",
] as const;
export type SortKey = (typeof sortKeys)[number];

export interface Question {
  /** An id that `architecture` knows, and one that `weightFormat` knows. */
  readonly model: string;
  readonly weights: string;
  /** Tokens of each prompt, how many of them are in a cache, and tokens to write. */
  readonly prompt: number;
  readonly cached: number;
  readonly output: number;
  /** Sequences that are worked on together. */
  readonly batch: number;
  /** `auto`: as few as hold the model and its caches. */
  readonly chips: "auto" | number;
  /** `usual`: what people run on such a chip. */
  readonly stack: "usual" | Stack;
  /** What the compare table shows; everything where empty. */
  readonly class: readonly Chip["class"][];
  readonly role: readonly Chip["role"][];
  readonly sort: { readonly by: SortKey; readonly descending: boolean };
  /** Ids of the chips in charts and in the tables of few chips. */
  readonly pick: readonly string[];
  /** Ids of the chips that share the work: one reads, one writes. */
  readonly prefill: string;
  readonly decode: string;
  /** Tokens that the model is trained on, and requests over its life. */
  readonly training: number;
  readonly requests: number;
  /** Output tokens per second that have to be served. */
  readonly demand: number;
  readonly assumptions: Assumptions;
}

export const MOST_PICKED = 12;

export const defaultQuestion: Question = {
  model: "llama-3.1-8b",
  weights: "q4_0",
  prompt: 1024,
  cached: 0,
  output: 128,
  batch: 1,
  chips: "auto",
  stack: "usual",
  class: [],
  role: [],
  sort: { by: "decode", descending: true },
  pick: ["h100-sxm", "b200", "mi355x", "groq-lpu-v1", "cerebras-wse3", "rtx-4090"],
  prefill: "b200",
  decode: "cerebras-wse3",
  training: 15e12,
  requests: 1e10,
  demand: 1e6,
  assumptions: defaultAssumptions,
};

/** The least and the greatest value of each word that is a number. */
export const bounds = {
  prompt: [1, 2 ** 24],
  cached: [0, 2 ** 24],
  output: [2, 2 ** 24],
  batch: [1, 1024],
  chips: [1, 10_000],
  training: [1e6, 1e16],
  requests: [1, 1e15],
  demand: [1, 1e12],
} as const;
type NumberWord = keyof typeof bounds;

class BadWord extends Error {}

function whole(word: NumberWord, given: string): number {
  const [low, high] = bounds[word];
  const value = /^\d{1,18}(\.\d{1,6})?(e\+?\d{1,2})?$/i.test(given) ? Number(given) : Number.NaN;
  if (Number.isInteger(value) && value >= low && value <= high) return value;
  throw new BadWord(`${word}=${shown(given)}: a whole number from ${written(low)} to ${written(high)}`);
}

function known<T extends string>(what: string, given: string, valid: readonly T[]): T {
  const found = valid.find((each) => each === given);
  if (found === undefined) throw new BadWord(unknownName(what, given, valid));
  return found;
}

const list = (given: string) => [...new Set(given.split(",").map((each) => each.trim()))].filter(Boolean);

function sortOf(given: string): Question["sort"] {
  const descending = given.startsWith("-");
  return { by: known("column", descending ? given.slice(1) : given, sortKeys), descending };
}

function picked(given: string, ids: readonly string[]): string[] {
  const found = list(given).map((each) => known("chip", each, ids));
  if (found.length > MOST_PICKED) throw new BadWord(`pick: ${found.length} chips; ${MOST_PICKED} at most`);
  return found;
}

/** Who is asked: the ids that `pick`, `prefill` and `decode` may name. */
type Ids = readonly string[];
type Reader = (given: string, ids: Ids) => Partial<Question>;

const number =
  (word: Exclude<NumberWord, "chips">): Reader =>
  (given) => ({ [word]: whole(word, given) });

const readers = {
  model: (given) => ({ model: known("model", given, architectureIds) }),
  weights: (given) => ({ weights: known("format of weights", given, weightFormatIds) }),
  scenario: (given) => requestOf(scenarioNamed(given)),
  prompt: number("prompt"),
  cached: number("cached"),
  output: number("output"),
  batch: number("batch"),
  chips: (given) => ({ chips: given === "auto" ? given : whole("chips", given) }),
  stack: (given) => ({ stack: known("runtime", given, ["usual", ...stacks] as const) }),
  class: (given) => ({ class: list(given).map((each) => known("class", each, chipClasses)) }),
  role: (given) => ({ role: list(given).map((each) => known("role", each, roles)) }),
  sort: (given) => ({ sort: sortOf(given) }),
  pick: (given, ids) => ({ pick: picked(given, ids) }),
  prefill: (given, ids) => ({ prefill: known("chip", given, ids) }),
  decode: (given, ids) => ({ decode: known("chip", given, ids) }),
  training: number("training"),
  requests: number("requests"),
  demand: number("demand"),
} as const satisfies Readonly<Record<string, Reader>>;
type Word = keyof typeof readers;
const wordNames = Object.keys(readers) as Word[];

const assumptionNames = ["cooling", ...Object.keys(defaults), ...Object.keys(givens)];
export const questionWordNames: readonly string[] = [...wordNames, ...assumptionNames];

function scenarioNamed(given: string): Scenario {
  const id = known(
    "scenario",
    given,
    scenarios.map((each) => each.id),
  );
  const found = scenarios.find((each) => each.id === id);
  if (found === undefined) throw new BadWord(`scenario=${shown(given)}`);
  return found;
}

const requestOf = ({ prompt, cachedPrompt: cached, output }: Scenario) => ({ prompt, cached, output });

/** The request as a scenario: one of the known ones, or "own". */
export function scenarioOf({ prompt, cached, output }: Question): Scenario {
  const found = scenarios.find(
    (each) => each.prompt === prompt && each.cachedPrompt === cached && each.output === output,
  );
  return found ?? { id: "own", title: "As asked", prompt, cachedPrompt: cached, output, note: "" };
}

/** A question, or one line that says what is wrong with the words for it. */
export type QuestionOutcome =
  | { readonly ok: true; readonly question: Question }
  | { readonly ok: false; readonly problem: string };

/** Throws BadWord. */
function validated(question: Question): Question {
  const { model, prompt, cached, output } = question;
  const longest = architecture(model)?.max_position_embeddings ?? 0;
  if (prompt + output > longest)
    throw new BadWord(`prompt + output ${prompt + output}: ${model} takes at most ${longest} tokens`);
  if (cached >= prompt)
    throw new BadWord(`cached=${cached}: at least one of the ${prompt} prompt tokens has to be read`);
  return question;
}

/**
 * Reads a question from `key=value` pairs in any order; a later pair of the same key replaces an earlier one, and what is
 * not given keeps its default. `ids` are those of the chips that there are. Nothing is thrown.
 */
export function parseQuestion(pairs: Iterable<readonly [string, string]>, ids: Ids): QuestionOutcome {
  try {
    const given = new Map<string, string>();
    for (const [key, value] of pairs) given.set(known("word", key, questionWordNames), value.trim());
    const parts = wordNames.map((word) => {
      const value = given.get(word);
      return value === undefined ? {} : readers[word](value, ids);
    });
    const assumed = parseAssumptions(
      assumptionNames.flatMap((key) => (given.has(key) ? [`${key}=${given.get(key)}`] : [])).join(","),
    );
    if (!assumed.ok) throw new BadWord(assumed.problem);
    const usual = withKnown(defaultQuestion, ids);
    const question = { ...Object.assign({}, usual, ...parts), assumptions: assumed.assumptions };
    return { ok: true, question: validated(question) };
  } catch (error) {
    if (error instanceof BadWord) return { ok: false, problem: error.message };
    throw error;
  }
}

/** The question without chips that there are no more. */
export function withKnown(question: Question, ids: Ids): Question {
  const or = (id: string, usual: string) =>
    ids.includes(id) ? id : ids.includes(usual) ? usual : (ids[0] ?? usual);
  return {
    ...question,
    pick: question.pick.filter((each) => ids.includes(each)),
    prefill: or(question.prefill, defaultQuestion.prefill),
    decode: or(question.decode, defaultQuestion.decode),
  };
}

/** Reads command-line words such as "model=llama-3.1-8b" and "batch=8". */
export function parseQuestionWords(words: readonly string[], ids: Ids): QuestionOutcome {
  const pairs = words.map((word): [string, string] => {
    const at = word.indexOf("=");
    return at < 0 ? [word, ""] : [word.slice(0, at), word.slice(at + 1)];
  });
  return parseQuestion(pairs, ids);
}

/** A number as it is read back, with an exponent where that spares many zeros. */
export function written(value: number): string {
  const short = value.toExponential().replace("e+", "e");
  return short.length + 2 < String(value).length ? short : String(value);
}

/** The words that differ from the defaults, in a fixed order: what the address shows. */
export function questionPairs(question: Question): [string, string][] {
  const usual = defaultQuestion;
  const pairs: [string, string][] = [];
  const put = (word: Word, value: string, unless: string) => {
    if (value !== unless) pairs.push([word, value]);
  };
  put("model", question.model, usual.model);
  put("weights", question.weights, usual.weights);
  const { id } = scenarioOf(question);
  if (id !== "own") put("scenario", id, scenarioOf(usual).id);
  else
    for (const word of ["prompt", "cached", "output"] as const)
      put(word, written(question[word]), written(usual[word]));
  put("batch", written(question.batch), written(usual.batch));
  put("chips", question.chips === "auto" ? "auto" : written(question.chips), "auto");
  put("stack", question.stack, usual.stack);
  put("class", question.class.join(","), "");
  put("role", question.role.join(","), "");
  const sort = ({ by, descending }: Question["sort"]) => `${descending ? "-" : ""}${by}`;
  put("sort", sort(question.sort), sort(usual.sort));
  put("pick", question.pick.join(","), usual.pick.join(","));
  put("prefill", question.prefill, usual.prefill);
  put("decode", question.decode, usual.decode);
  for (const word of ["training", "requests", "demand"] as const)
    put(word, written(question[word]), written(usual[word]));
  for (const word of assumptionWords(question.assumptions).split(",").filter(Boolean)) {
    const [key = "", value = ""] = word.split("=");
    pairs.push([key, value]);
  }
  return pairs;
}

/** The question as command-line words: `parseQuestionWords` reads the same question back. */
export const questionWords = (question: Question): string =>
  questionPairs(question)
    .map(([key, value]) => `${key}=${value}`)
    .join(" ");
