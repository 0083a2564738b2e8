// What words with --weights mean, and how a written text is shown.

import { describe, expect, test } from "vitest";
import { textOrder } from "../../src/cli/commands/write_text";
import { markdown } from "../../src/report/markdown";
import { plainText, textReport } from "../../src/report/text_report";
import { defaultPrompt, type TextResult } from "../../src/text_result";
import { resultOf } from "./result_fixture";

const folder = new URL("../fixtures/tiny-llama", import.meta.url).pathname;
const order = (...words: string[]) => textOrder(folder, words, undefined);

test("without words: the usual prompt, what is closest to the files, as many tokens as are usual", () => {
  expect(order()).toEqual({
    name: "tiny-llama",
    prompt: defaultPrompt,
    dtypes: [],
    most: null,
    memory: 2 ** 30,
    measure: null,
  });
  expect(textOrder(`${folder}/model.safetensors`, [], "Hello").name).toBe("tiny-llama");
  expect(textOrder(folder, [], "Hello").prompt).toBe("Hello");
});

test("types, tokens and memory are the text's", () => {
  expect(order("dtype=f32,q8_0", "tg=7", "memory=4GiB")).toMatchObject({
    dtypes: ["f32", "q8_0"],
    most: 7,
    memory: 2 ** 32,
    measure: null,
  });
});

test.each([
  [["pp=16"], { pp: [16], tg: [128], depth: [0], batch: [1] }],
  [["depth=0,64", "batch=2", "tg=4,8"], { pp: [512], tg: [4, 8], depth: [0, 64], batch: [2] }],
  [["forward=on"], { pp: [512], tg: [128] }],
  [["preset=quick"], { preset: "quick" }],
])("%j asks for a measurement as well", (words, measure) => {
  expect(order(...words)).toMatchObject({ most: null, measure });
});

describe("refused", () => {
  test.each([
    [["model=llama-3.2-1b"], "model= does not go with --weights"],
    [["kernel=matmul"], "kernel= does not go with --weights"],
    [["tg=1,2"], "tg= with --weights is one number"],
    [["tg=0"], "tg= with --weights is one number"],
    [["dtype=q5_0"], "q5_0"],
  ])("%j", (words, says) => {
    expect(() => order(...words)).toThrow(says);
  });
});

const { device, host } = resultOf({});
const result: TextResult = {
  tool: { version: "0", commit: "0" },
  createdAt: "2026-01-01T00:00:00Z",
  host,
  device,
  model: {
    name: "tiny",
    architecture: "llama",
    storedAs: "BF16",
    layers: 2,
    hidden: 64,
    vocabulary: 294,
    context: 128,
  },
  prompt: "A",
  remarks: ["The files name no token that ends a text."],
  texts: [
    {
      dtype: "f32",
      promptTokens: [0, 1, 2, 3],
      tokens: [4, 5, 6],
      text: " b",
      ended: false,
      secondsToLoad: 2,
      secondsToFirstToken: 0.5,
      secondsPerToken: [0.3, 0.1, 0.2],
      bytes: 2 ** 20,
      matrixBytes: 2 ** 19,
    },
  ],
  measured: null,
};

test("the report has the speeds: four tokens in half a second, then one each 0.2 s", () => {
  const text = markdown(textReport(result));
  expect(text).toContain(
    "| f32  | 4             | 3, cut  | 500 ms | 8.00 tokens/s | 200 ms | 5.00 tokens/s | 2.00 s  |",
  );
  expect(text).toContain("The files name no token that ends a text.");
});

test("a terminal gets text and nothing that steers it", () => {
  expect(plainText("a\u001b[31mb\u0007\u0000\u202ec\td\r\ne\rf")).toBe(
    "a\ufffd[31mb\ufffd\ufffd\ufffdc\td\ne\nf",
  );
  expect(plainText("naïve 👩‍🚀 ½")).toBe("naïve 👩‍🚀 ½");
});
