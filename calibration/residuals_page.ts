// docs/residuals.md: how far off predictions are of chips that the fit had not seen.

import { type Calibration, categories, kinship } from "../src/analysis/prediction/calibration";
import { figureOf } from "../src/analysis/prediction/row_answer";
import type { Case } from "../src/analysis/prediction/row_case";
import { percent, significant } from "../src/units";
import { coverage, errors, type Residual } from "./validate";

/** What else the rows show of the worst ones, by id. */
const explained: Readonly<Record<string, string>> = {
  "p244-a100-80gb-sxm": "a short prompt: the overhead of a release of 2023, on three chips",
  "p249-b200": "56 % of Offline (p248), where Llama 2 70B reaches 98 %: the limit on latency binds",
  "p271-mi300x": "36 % of Server (p273), where a B200's Interactive reaches 60 % (p250, p252)",
  "p293-h100-sxm": "1.6 times an L40S of the same round (p290), at four times its bandwidth",
  "p328-inferentia2": "24 cores exchange activations at a cost that no other chip here shows",
  "p330-inferentia2": "24 cores exchange activations at a cost that no other chip here shows",
  "p342-inferentia2": "a batch of eight costs half as much again as one, which no other runtime shows",
  "p344-inferentia2": "a batch of eight costs half as much again as one, which no other runtime shows",
  "p355-tpu-v7-ironwood": "slower than with answers eight times as long (p356)",
  "p364-wormhole-n150": "0.8 ms per layer, in a batch of 32: no second chip was measured so",
  "p369-wormhole-n300": "as long as a 7B model takes on half of the chips (p373)",
  "p376-strix-halo-8060s": "its peak counts dual issue, which kernels rarely reach",
  "p378-strix-halo-8060s": "its peak counts dual issue, which kernels rarely reach",
  "p381-rtx-4090": "faster than the same model on an RTX 5090 (p382)",
  "p382-rtx-5090": "slower than the same model on an RTX 4090 (p381)",
  "p387-apple-m1-ultra": "a small model on two dies",
  "p407-rx-6700-xt": "2.4 times the same card's Vulkan (p409)",
  "p410-rx-6700-xt": "the pull request that began the Vulkan back end",
  "p431-rtx-4090": "no second chip was measured with f32 weights",
  "p432-rtx-4090": "derived from a prompt in micro-batches of two",
  "p433-rtx-5090": "derived from a prompt in micro-batches of one",
  "p439-cerebras-wse3":
    "twice as fast as the vendor's 70B model three months before (p438); speculative decoding is not modelled",
  "p446-b200": "25,320 tokens/s of 256 sequences are 99 each, and not the 72 that the source names",
  "p452-rtx-5090": "one dispatch per operator: the prior of a browser's launches is all there is to go by",
  "p453-rtx-5090": "one dispatch per operator: the prior of a browser's launches is all there is to go by",
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
    kin: calibration.chips[kinship(each.category, each.setting.traits)] ?? 0,
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
      ["chip apart", apart],
      ["row apart", random],
      ["seen", seen],
    ] as const;
    for (const [name, residuals] of sets) {
      const { n, median, p90 } = errors(residuals, category);
      const held = percent(coverage(residuals, calibration.spread, category));
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
