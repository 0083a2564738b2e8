// A self-test in words: what the instruments resolve here, and whether they told right from wrong.

import { judgeSelfTest, type SelfTestCells } from "../analysis/self_test";
import { byteRate, duration, estimated, percent, share } from "../units";
import type { Table } from "./report_types";
import { cell } from "./wording";

/** The last column of a row: whether the answer was right, or nothing where there is none to get wrong. */
const right = (is: boolean) => (is ? "right" : "wrong");

/** The table of a self-test; its note is the verdict. */
export function selfTestTable(test: SelfTestCells): Table {
  const { clockStep, timestampQuantum, completionFloor, submitCost, dispatchCost } = test.instruments;
  const { copyRate, same, planted, wandered, resolves, sound } = judgeSelfTest(test);
  const change = (ratio: { value: number; low: number; high: number }) =>
    estimated({ value: ratio.value - 1, low: ratio.low - 1, high: ratio.high - 1 }, share);
  const rows: [string, string, string][] = [
    ["step of the clock", duration(clockStep), ""],
    [
      "step of GPU timestamps",
      timestampQuantum === null ? "no timestamps: wall clock only" : duration(timestampQuantum),
      "",
    ],
    ["empty submit to completion", duration(completionFloor), ""],
    ["submit of one empty kernel to completion", duration(submitCost), ""],
    ["one more empty kernel", duration(dispatchCost), ""],
    ["copy of 16 MiB, read and written", estimated(copyRate, byteRate), "every byte right"],
    [
      "the same kernel twice",
      `${same.verdict}: ${change(same)}`,
      right(same.verdict !== "faster" && same.verdict !== "slower"),
    ],
    [
      "a kernel with 10 % more to do",
      `${planted.verdict}: ${change(planted)}`,
      right(planted.verdict === "slower"),
    ],
    ["the device's own speed wandered by", percent(wandered), ""],
    ["smallest difference one pair of cells can tell", percent(resolves), ""],
  ];
  return {
    title: "Self-test of the instruments",
    note: sound
      ? `The instruments work here: a planted slow-down was found, and none was seen where there is none. Differences below about ${percent(resolves)} cannot be told at this effort.`
      : "Do not trust small differences measured here: the instruments gave a wrong answer, or none, on work whose answer is known. Close other programs, let the device cool, and try again.",
    columns: ["what", "here", "answer"],
    rows: rows.map((row) => row.map((text) => cell(text))),
  };
}
