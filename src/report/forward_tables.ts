// Models that were run whole, as tables: their figures beside the sums of kernels and the roof, and what they took.

import type { Compared, StepStatistics, WholeModel } from "../analysis/forward";
import { type ForwardCase, forwardId } from "../forward_result";
import type { Result } from "../result";
import { duration, memory, percent, sampled, seconds, significant, tokenRate, written } from "../units";
import type { Cell, Table } from "./report_types";
import { cell, texts } from "./wording";

export const head = (given: ForwardCase): Cell[] => [
  cell(given.model),
  cell(forwardId(given)),
  cell(given.dtype),
];

/** What a group of bars is called that stands for a run. */
export const groupName = (run: ForwardCase): string => `${forwardId(run)} ${run.dtype}`;

/** A time's sum of kernels and roof, and how far above each it is; of a rate the same seen from the other side. */
function besides({ measured, kernels, kernelsAtMost, roofline }: Compared, tokens?: number): string[] {
  const figure = (value: number | undefined, bound = "") => {
    if (value === undefined) return "";
    return `${bound}${tokens === undefined ? duration(value) : written(tokens / value, tokenRate)}`;
  };
  const share = (value: number | undefined, bound = "") =>
    value === undefined ? "" : `${bound}${percent(value / measured.value)}`;
  const most = kernelsAtMost ? "≤ " : "";
  const least = kernelsAtMost ? "≥ " : "";
  return [
    figure(kernels, tokens === undefined ? most : least),
    share(kernels, most),
    figure(roofline),
    share(roofline),
  ];
}

/** A percentile is told from so many steps on. */
const ENOUGH = { p90: 10, p99: 100 };

function rowsOf({ run, firstToken, perToken, interactive, sustained, ...whole }: WholeModel): Cell[][] {
  const besidesStep = ({ median, low, high }: StepStatistics): Compared => ({
    ...perToken,
    measured: { value: median, low, high },
  });
  const readBack = besidesStep(interactive);
  const tails = ({ p90, p99, count }: StepStatistics, grouped: number) => [
    grouped === 1 && count >= ENOUGH.p90 ? duration(p90) : "",
    grouped === 1 && count >= ENOUGH.p99 ? duration(p99) : "",
    String(count),
  ];
  const none = ["", "", ""];
  const sustainedRow = ({ seconds: load, statistics }: NonNullable<WholeModel["sustained"]>) => [
    `TPOT, after ${duration(load)} of writing`,
    sampled(besidesStep(statistics).measured, seconds),
    ...tails(statistics, run.decode.grouped),
    ...besides(besidesStep(statistics)),
  ];
  const { batch, prompt } = run;
  const readings =
    run.prefill.times.kind === "samples" ? run.prefill.times.seconds.length : run.prefill.times.count;
  const rows: readonly (readonly string[])[] = [
    ["TTFT", sampled(firstToken.measured, seconds), "", "", String(readings), ...besides(firstToken)],
    [
      "prompt",
      sampled(whole.promptTokensPerSecond, tokenRate),
      ...none,
      ...besides(firstToken, batch * prompt),
    ],
    [
      "TPOT",
      sampled(perToken.measured, seconds),
      ...tails(perToken.statistics, run.decode.grouped),
      ...besides(perToken),
    ],
    [
      "TPOT, each token read back",
      sampled(readBack.measured, seconds),
      ...tails(interactive, 1),
      ...besides(readBack),
    ],
    ...(sustained === undefined ? [] : [sustainedRow(sustained)]),
    ["answer", sampled(whole.tokensPerSecond, tokenRate), ...none, ...besides(perToken, batch)],
    [
      "answer, each token read back",
      sampled(whole.interactiveTokensPerSecond, tokenRate),
      ...none,
      ...besides(readBack, batch),
    ],
  ];
  return rows.map((row) => [...head(run), ...texts(...row)]);
}

const figureColumns = [
  "model",
  "run",
  "type",
  "figure",
  "run whole",
  "p90",
  "p99",
  "samples",
  "sum of kernels",
  "kernels' share",
  "roofline",
  "of roofline",
];

/** Every whole model's figures, or why it has none; undefined where none was asked for. */
export function wholeModelTable({ forwards }: Result, whole: readonly WholeModel[]): Table | undefined {
  if (forwards.length === 0) return undefined;
  return {
    title: "Whole models, run",
    note:
      "Everything from the embedding to the sampled token, on synthetic weights. TTFT: from the submit of the prompt to its first token on the CPU. " +
      "TPOT: a step of decode that is fed with the token that the one before sampled on the GPU; read back: with each token awaited on the CPU before the next step. " +
      "Run whole: the median (p50) with its interval; p90 from 10 steps on, p99 from 100. Sum of kernels: the products and attention of the table of workloads, at the plan's depth; of several prompts at once, which are measured one at a time, so many times one prompt's, " +
      "and they take that at most (≤). Roofline: weights and KV cache " +
      "at the device's own bandwidth, or FLOP at its compute roof, whichever takes longer; shares are of the measured time.",
    columns: figureColumns,
    rows: forwards.flatMap((each) => {
      const found = whole.find(({ run }) => run === each);
      if (found !== undefined) return rowsOf(found);
      const why = each.status === "measured" ? "" : `${each.status}: ${each.reason}`;
      const row = [...head(each), cell(why)];
      return [figureColumns.map((_, i) => row[i] ?? cell(""))];
    }),
  };
}

/** A time that noise may hide. */
const gained = (value: number) => (value > 0 ? duration(value) : "less than the noise");

/** What each whole model took, and how it was run; undefined where none was. */
export function wholeMemoryTable(whole: readonly WholeModel[]): Table | undefined {
  if (whole.length === 0) return undefined;
  return {
    title: "Whole models: memory, and how they were run",
    note:
      "Memory is exact: planned before anything was allocated, and nothing else was. Steps: how many of the tokens asked for there was time for. " +
      "Layers in memory: where they are not all, they take turns, and a cache may keep what a whole model would read from memory. " +
      "Reading back: what a step with its token on the CPU takes longer. Harness: wall clock per step beyond the GPU's own.",
    columns: [
      "model",
      "run",
      "type",
      "memory",
      "weights",
      "KV cache",
      "activations",
      "layers in memory",
      "prompt in chunks of",
      "steps",
      "steps per submit",
      "dispatches per step",
      "clock",
      "reading back",
      "harness",
    ],
    rows: whole.map(({ run, bytes, readBack, harness }) => {
      const { decode } = run;
      return [
        ...head(run),
        ...texts(
          memory(bytes),
          memory(run.bytes.matrix + run.bytes.vector),
          memory(run.bytes.cache),
          memory(run.bytes.activations + run.bytes.scratch),
          `${run.residentLayers} of ${run.ofLayers}`,
          significant(run.chunk),
          `${decode.steps} of ${run.generate}`,
          String(decode.stepsPerSubmit),
          String(decode.dispatches),
          decode.clock === "wall" && decode.grouped > 1 ? `wall, over ${decode.grouped} steps` : decode.clock,
          gained(readBack),
          harness === undefined ? "" : gained(harness),
        ),
      ];
    }),
  };
}
