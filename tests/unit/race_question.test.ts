import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { defaults, givens } from "../../src/analysis/economics/assumption_table";
import { parseAssumptions } from "../../src/analysis/economics/assumptions";
import { architecture, architectureIds } from "../../src/analysis/prediction/architecture";
import { stacks } from "../../src/analysis/prediction/stack";
import { weightFormatIds } from "../../src/analysis/prediction/weight_format";
import { chips } from "../../src/chips";
import { chipClasses } from "../../src/chips/chip";
import {
  bounds,
  defaultQuestion,
  MOST_PICKED,
  parseQuestion,
  parseQuestionWords,
  type Question,
  questionPairs,
  questionWordNames,
  questionWords,
  roles,
  sortKeys,
  withKnown,
} from "../../src/report/race/question";

const ids = chips.map(({ id }) => id);

const parse = (words: string): Question => {
  const outcome = parseQuestionWords(words.split(" ").filter(Boolean), ids);
  if (!outcome.ok) throw new Error(outcome.problem);
  return outcome.question;
};
const problem = (words: string) => {
  const outcome = parseQuestionWords(words.split(" "), ids);
  return outcome.ok ? "" : outcome.problem;
};

const within = ([low, high]: readonly [number, number]) => fc.integer({ min: low, max: Math.min(high, 1e9) });

/** The words of assumptions that may be given, each with a value of its range. */
const assumed = fc
  .uniqueArray(fc.constantFrom(...Object.entries({ ...defaults, ...givens })), {
    selector: ([key]) => key,
    maxLength: 4,
  })
  .chain((some) => {
    const words = some.map(
      ([
        key,
        {
          range: [low, high],
        },
      ]) => fc.integer({ min: Math.ceil(low), max: Math.floor(high) }).map((value) => `${key}=${value}`),
    );
    return fc.tuple(...words);
  })
  .map((words) => {
    const outcome = parseAssumptions(words.join(","));
    if (!outcome.ok) throw new Error(outcome.problem);
    return outcome.assumptions;
  });

const question: fc.Arbitrary<Question> = fc.constantFrom(...architectureIds).chain((model) => {
  const longest = architecture(model)!.max_position_embeddings;
  return fc.integer({ min: 1, max: longest - 2 }).chain((prompt) =>
    fc.record({
      model: fc.constant(model),
      weights: fc.constantFrom(...weightFormatIds),
      prompt: fc.constant(prompt),
      cached: fc.integer({ min: 0, max: prompt - 1 }),
      output: fc.integer({ min: 2, max: longest - prompt }),
      batch: within(bounds.batch),
      chips: fc.oneof(fc.constant("auto" as const), within(bounds.chips)),
      stack: fc.constantFrom("usual" as const, ...stacks),
      class: fc.uniqueArray(fc.constantFrom(...chipClasses)),
      role: fc.uniqueArray(fc.constantFrom(...roles)),
      sort: fc.record({ by: fc.constantFrom(...sortKeys), descending: fc.boolean() }),
      pick: fc.uniqueArray(fc.constantFrom(...ids), { maxLength: MOST_PICKED }),
      prefill: fc.constantFrom(...ids),
      decode: fc.constantFrom(...ids),
      training: within(bounds.training),
      requests: within(bounds.requests),
      demand: within(bounds.demand),
      assumptions: assumed,
    }),
  );
});

test("the words of any question read back as the same question", () => {
  fc.assert(
    fc.property(question, (given) => {
      expect(parse(questionWords(given))).toEqual(given);
      expect(parseQuestion(questionPairs(given), ids)).toEqual({ ok: true, question: given });
    }),
    { numRuns: 300 },
  );
});

test("defaults need no words, and only what differs is written", () => {
  expect(questionPairs(defaultQuestion)).toEqual([]);
  expect(parse("")).toEqual(defaultQuestion);
  expect(questionWords(parse("batch=8 model=llama-3.1-8b pue=1.1 training=2e13"))).toBe(
    "batch=8 training=2e13 pue=1.1",
  );
});

test("a scenario stands for its lengths, and lengths replace its own", () => {
  expect(parse("scenario=agent")).toMatchObject({ prompt: 51_200, cached: 50_176, output: 512 });
  expect(parse("output=300 scenario=summarise")).toMatchObject({ prompt: 8192, cached: 0, output: 300 });
  expect(questionWords(parse("prompt=8192 output=256"))).toBe("scenario=summarise");
});

describe("what cannot be asked is refused in one line", () => {
  test.each([
    ["modle=x", 'unknown word "modle": did you mean model'],
    ["electricty=1", 'unknown word "electricty": did you mean electricity'],
    ["model=llama-3.1-8c", 'unknown model "llama-3.1-8c": did you mean llama-3.1-8b'],
    ["pick=h100-sxm,h10-sxm", 'unknown chip "h10-sxm": did you mean h100-sxm'],
    ["weights=q4", 'unknown format of weights "q4": did you mean q4_0'],
    ["class=gpu", "unknown class"],
    ["sort=-decod", 'unknown column "decod": did you mean decode'],
    ["scenario=chats", 'unknown scenario "chats": did you mean chat'],
    ["batch=0", "batch=0: a whole number from 1 to 1024"],
    ["batch=1.5", "batch=1.5: a whole number from 1 to 1024"],
    ["batch=1e99", "batch=1e99: a whole number"],
    ["chips=many", "chips=many: a whole number from 1 to 10000"],
    ["training=1", "training=1: a whole number from 1e6 to 1e16"],
    ["pue=9", "pue=9: power usage effectiveness with air cooling is a number from 1 to 3"],
    ["prompt=200000", "prompt + output 200128: llama-3.1-8b takes at most 131072 tokens"],
    ["cached=1024", "cached=1024: at least one of the 1024 prompt tokens has to be read"],
    [`pick=${ids.slice(0, 13).join(",")}`, "pick: 13 chips; 12 at most"],
  ])("%s", (words, line) => {
    expect(problem(words)).toContain(line);
    expect(problem(words)).not.toContain("\n");
  });

  test("whatever is typed, nothing is thrown and the answer is one line", () => {
    const word = fc.oneof(fc.constantFrom(...questionWordNames), fc.string());
    fc.assert(
      fc.property(fc.array(fc.tuple(word, fc.string({ maxLength: 200 }))), (pairs) => {
        const outcome = parseQuestion(pairs, ids);
        if (!outcome.ok) expect(outcome.problem).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
      }),
      { numRuns: 500 },
    );
  });
});

test("chips that are no more leave the question", () => {
  const asked = parse("pick=b200,h100-sxm prefill=b200");
  const left = ids.filter((id) => id !== "b200");
  expect(withKnown(asked, left)).toMatchObject({ pick: ["h100-sxm"], prefill: left[0] });
});
