// docs/residuals.md: how far off predictions are of chips that the fit had not seen.

import { type Calibration, categories } from "../src/analysis/prediction/calibration";
import { figureOf } from "../src/analysis/prediction/row_answer";
import type { Case } from "../src/analysis/prediction/row_case";
import { percent, significant } from "../src/units";
import { coverage, errors, type Residual } from "./validate";

/** Why the worst rows are off, as far as anybody can tell: by id. */
const explained: Readonly<Record<string, string>> = {
  "p452-rtx-5090": "one dispatch per operator from Python: the floor is the launch, known to a factor of two",
  "p453-rtx-5090": "one dispatch per operator from Python: the floor is the launch, known to a factor of two",
  "p381-rtx-4090": "faster than the same runtime's rows on slower and on faster cards; host not known",
  "p382-rtx-5090": "slower than the same run on an RTX 4090: another host",
  "p387-apple-m1-ultra": "two dies; small matrices leave half of the bandwidth unused",
  "p432-rtx-4090": "derived from a prompt in micro-batches of two",
  "p433-rtx-5090": "a prompt in micro-batches of one: launches overlap, which decoding does not do",
  "p410-rx-6700-xt": "the first version of the Vulkan back end",
  "p407-rx-6700-xt": "no other ROCm row of its generation to learn from",
  "p369-wormhole-n300": "slower than the 8B model on half of the card; not tuned yet at that release",
  "p439-cerebras-wse3": "speculative decoding, which the source does not state and the model does not know",
  "p293-h100-sxm": "a fifth of what other H100 submissions reach",
  "p355-tpu-v7-ironwood": "slower than with eight times the answer's length: a run below its saturation",
  "p249-b200": "Server scenario of a reasoning model: bound by its limit on latency",
};

const cell = (row: Case["row"]) =>
  `${row.id} | ${row.model} ${row.weightDtype ?? ""} | ${(row.software ?? "").replaceAll("|", "/")}`;

/** Markdown: per category the errors and coverage, the worst rows, every row, and the rows that are not predicted. */
export function residualsPage(outcome: {
  readonly calibration: Calibration;
  readonly cases: readonly Case[];
  readonly left: readonly { readonly id: string; readonly error: string }[];
  readonly apart: readonly Residual[];
  readonly random: readonly Residual[];
}): string {
  const { calibration, cases, left, apart, random } = outcome;
  const seen = cases.map((each) => ({
    each,
    log: Math.log(figureOf(each, calibration.efficiencies) / (each.row.value ?? Number.NaN)),
  }));
  const lines = [
    "# Residuals",
    "",
    "Written by `npm run calibrate`; do not edit. Predicted over measured for the rows of `calibration/published.json`.",
    "*Chip apart*: the whole chip was held out of the fit. *Row apart*: a fifth of all rows was. *Seen*: nothing was.",
    "Errors are |predicted / measured − 1|; coverage is the share of rows inside the interval of 90 %.",
    "",
    "| category | rows | | median | 90th percentile | coverage |",
    "|---|--:|---|--:|--:|--:|",
  ];
  for (const category of categories) {
    const sets = [
      ["chip apart", apart, 1],
      ["row apart", random, 0],
      ["seen", seen, 0],
    ] as const;
    for (const [name, residuals, isApart] of sets) {
      const { n, median, p90 } = errors(residuals, category);
      const held = percent(coverage(residuals, calibration, category, isApart));
      lines.push(`| ${category} | ${n} | ${name} | ${percent(median)} | ${percent(p90)} | ${held} |`);
    }
  }
  lines.push(
    "",
    "## The worst, chip apart",
    "",
    "| row | model | software | predicted / measured | why |",
    "|---|---|---|--:|---|",
  );
  const bySize = [...apart].sort((a, b) => Math.abs(b.log) - Math.abs(a.log));
  for (const category of categories)
    for (const { each, log } of bySize.filter((it) => it.each.category === category).slice(0, 6))
      lines.push(`| ${cell(each.row)} | ${significant(Math.exp(log))} | ${explained[each.row.id] ?? ""} |`);
  lines.push(
    "",
    "## Every row",
    "",
    "| row | model | software | metric | measured | predicted, chip apart | ratio |",
    "|---|---|---|---|--:|--:|--:|",
  );
  const byId = [...apart].sort((a, b) => (a.each.row.id < b.each.row.id ? -1 : 1));
  for (const { each, log } of byId) {
    const measured = each.row.value ?? Number.NaN;
    lines.push(
      `| ${cell(each.row)} | ${each.row.metric} | ${significant(measured)} | ${significant(measured * Math.exp(log))} | ${significant(Math.exp(log))} |`,
    );
  }
  lines.push("", "## Not predicted", "", "| row | reason |", "|---|---|");
  for (const { id, error } of left) lines.push(`| ${id} | ${error} |`);
  return `${lines.join("\n")}\n`;
}
