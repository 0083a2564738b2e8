// A written text with its speeds, as a report. The text itself is not part of it: it goes wherever text goes.

import { median } from "../statistics";
import type { TextResult, WrittenText } from "../text_result";
import { duration, memory, tokenRate, written } from "../units";
import { deviceName } from "./device_name";
import type { Report } from "./report_types";
import { cell } from "./wording";

const row = (text: WrittenText) => {
  const { dtype, promptTokens, tokens, ended, secondsPerToken: steps } = text;
  const step = steps.length === 0 ? undefined : median(steps);
  return [
    dtype,
    String(promptTokens.length),
    `${tokens.length}${ended ? "" : ", cut"}`,
    duration(text.secondsToFirstToken),
    written(promptTokens.length / text.secondsToFirstToken, tokenRate),
    step === undefined ? "" : duration(step),
    step === undefined ? "" : written(1 / step, tokenRate),
    duration(text.secondsToLoad),
    memory(text.bytes),
  ].map((each) => cell(each));
};

/** How fast the texts of a model from files were written. */
export function textReport({ model, device, host, remarks, texts }: TextResult): Report {
  const { software } = device;
  return {
    title: `${model.name}, from files`,
    subtitle: `On ${deviceName({ device, host })}: ${model.architecture}, ${model.layers} layers of ${model.hidden}, ${model.vocabulary} tokens, context ${model.context}, stored as ${model.storedAs}`,
    software: software !== null,
    warnings: [
      ...(software === null ? [] : [`The adapter is a CPU (${software}): these are a CPU's numbers.`]),
      ...remarks,
    ],
    headlines: [],
    tables: [
      {
        title: "Greedy text",
        note: "TTFT from the submit of the prompt to its first token on the CPU, read a second time; TPOT the median from submit to token, each token on the CPU before the next step.",
        columns: [
          "type",
          "prompt tokens",
          "written",
          "TTFT",
          "prompt",
          "TPOT",
          "answer",
          "loading",
          "GPU memory",
        ],
        rows: texts.map(row),
      },
    ],
    comparisons: [],
    rooflines: [],
  };
}

/** A text for a terminal: without what would move its cursor, colour it, or turn the order of its letters around. */
export const plainText = (text: string): string =>
  text.replace(/\r\n?/g, "\n").replace(/(?![\n\t])[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, "\ufffd");
