// Two results side by side in words: what differs, then each cell, then the whole.

import {
  type CellComparison,
  type Comparison,
  type LoneCell,
  MATTERS,
  type Ratio,
  type Verdict,
} from "../analysis/compare";
import type { ForwardComparison } from "../analysis/compare_forwards";
import type { Result } from "../result";
import { estimated, percent, sampled, seconds, significant } from "../units";
import { deviceName } from "./device_name";
import type { Headline, Report, Table } from "./report_types";
import { cell } from "./wording";

/** The devices' own wandering is worth a word from this on. */
const WANDERING = 0.01;

/** A normal distribution's 99 % lie within so many standard deviations. */
const Z99 = 2.5758;

const verdicts: readonly Verdict[] = ["slower", "faster", "same", "cannot tell"];

/** "1.07 (1.06 … 1.08)" */
const ratioText = ({ value, low, high }: Ratio) =>
  `${significant(value)} (${significant(low)} … ${significant(high)})`;

const nameOf = ({ name, dtype }: CellComparison) => `${name} ${dtype}`;

const figureOf = ({ name, figure }: ForwardComparison) => `${name} ${figure}`;

/** The first of a list and how many more. */
function firstOf(names: readonly string[]): string {
  const [first = "", ...others] = names;
  return others.length === 0 ? first : `${first} and ${others.length} more`;
}

/** What A and B are, and everything that is not the same about them. */
function sidesTable({ differences }: Comparison, a: Result, b: Result): Table {
  const rows = [
    ["A and B", deviceName(a), deviceName(b)],
    ["measured", a.createdAt, b.createdAt],
    ...differences.map(({ what, a: ofA, b: ofB }) => [what, ofA, ofB]),
  ];
  return {
    title: "What differs",
    note:
      differences.length === 0
        ? "Nothing that was recorded: environment and protocol are the same."
        : "Of the environment and the protocol; all else that was recorded is the same. A verdict below is on all of it together.",
    columns: ["what", "A", "B"],
    rows: rows.map((row) => row.map((text) => cell(text))),
  };
}

/** Why there is no verdict although nothing speaks against the cells. */
function whyUndecided({ value, low, high }: Ratio, wandering: number): string {
  // Half of the interval's variance, or more, is the devices' wandering.
  const width = Math.log(high / low) / 2;
  if (2 * (Z99 * wandering) ** 2 > width ** 2)
    return `the devices' own speed wandered by ${percent(wandering)}`;
  if (low > 1 || high < 1)
    return `${value > 1 ? "slower" : "faster"}, but perhaps by less than ${percent(MATTERS)}`;
  return `noise: anything between ${percent(low)} and ${percent(high)} of A's time is possible`;
}

function whyOf(
  { ratio, doubt, remarks }: Pick<CellComparison, "ratio" | "doubt" | "remarks">,
  wandering: number,
): string {
  const why = doubt ?? (ratio.verdict === "cannot tell" ? whyUndecided(ratio, wandering) : undefined);
  return [...(why === undefined ? [] : [why]), ...remarks].join("; ");
}

function cellsTable({ cells, wandering }: Comparison): Table {
  return {
    title: "Cells",
    note: "Seconds per call with 95 % intervals; below 1, B is faster. A verdict needs all of the ratio's 99 % interval: beyond 1 % for faster or slower, within 3 % for the same.",
    columns: ["call", "type", "A", "B", "B / A (99 %)", "B is", "why, and what else"],
    rows: cells.map((each) =>
      [
        each.name,
        each.dtype,
        estimated(each.a, seconds),
        estimated(each.b, seconds),
        ratioText(each.ratio),
        each.ratio.verdict,
        whyOf(each, wandering),
      ].map((text) => cell(text)),
    ),
  };
}

/** Whole models, figure by figure; undefined where not both sides have one. */
function forwardsTable({ forwards, wandering }: Comparison): Table | undefined {
  if (forwards.length === 0) return undefined;
  return {
    title: "Whole models",
    note:
      "Seconds with 95 % intervals, judged as cells are. Steps of one run follow each other: their intervals are those of groups of neighbours, " +
      "so that what disturbs many in a row is not taken for many proofs.",
    columns: ["model", "figure", "A", "B", "B / A (99 %)", "B is", "why, and what else"],
    rows: forwards.map((each) =>
      [
        each.name,
        each.figure,
        sampled(each.a, seconds),
        sampled(each.b, seconds),
        ratioText(each.ratio),
        each.ratio.verdict,
        whyOf(each, wandering),
      ].map((text) => cell(text)),
    ),
  };
}

type Fact = readonly [what: string, value: string];

const loneRows = (here: "A" | "B", there: "A" | "B", cells: readonly LoneCell[]): Fact[] =>
  cells.map(({ name, elsewhere }) => [`only in ${here}`, `${name} (${there}: ${elsewhere})`]);

/** How many got each verdict, without those that none got. */
const counts = (judged: readonly { readonly ratio: Ratio }[]): { verdict: Verdict; count: number }[] =>
  verdicts
    .map((verdict) => ({ verdict, count: judged.filter(({ ratio }) => ratio.verdict === verdict).length }))
    .filter(({ count }) => count > 0);

/** What is said instead of a verdict on all cells together, where whole models have verdicts of their own. */
const insteadOfCells = ({ cells }: Comparison) =>
  `${cells.length === 0 ? "no cells" : "every cell that is in both is doubtful"}; see Whole models`;

const countsText = (judged: readonly { readonly ratio: Ratio }[]): string =>
  counts(judged)
    .map(({ verdict, count }) => `${count} ${verdict}`)
    .join(", ");

function overallTable(comparison: Comparison): Table {
  const { overall, cells, forwards, onlyA, onlyB } = comparison;
  const whole: Fact[] =
    overall === undefined
      ? [["B is", forwards.length > 0 ? insteadOfCells(comparison) : "cannot tell: no cell can be compared"]]
      : [
          ["B is", overall.ratio.verdict],
          ["B / A (99 %)", ratioText(overall.ratio)],
          ["cells in it", `${overall.cells} of ${cells.length}`],
        ];
  const rows: Fact[] = [
    ...whole,
    ...counts(cells).map(({ verdict, count }): Fact => [`cells: ${verdict}`, String(count)]),
    ...counts(forwards).map(
      ({ verdict, count }): Fact => [`figures of whole models: ${verdict}`, String(count)],
    ),
    ...loneRows("A", "B", onlyA),
    ...loneRows("B", "A", onlyB),
  ];
  return {
    title: "Overall",
    note: "The geometric mean over the cells that both have, without those that nothing is said about for a reason of their own.",
    columns: ["what", "value"],
    rows: rows.map((row) => row.map((text) => cell(text))),
  };
}

function headline(comparison: Comparison): Headline {
  const { overall, cells, forwards, wandering } = comparison;
  const about = { workload: "B against A", phase: "kernel", dtype: "" } as const;
  const slowerFigures = forwards.filter((each) => each.ratio.verdict === "slower").map(figureOf);
  if (overall === undefined && forwards.length > 0)
    return {
      ...about,
      main: insteadOfCells(comparison),
      mainValue: 1,
      rate: "figures of whole models, each with a verdict of its own",
      share: countsText(forwards),
      meaning: slowerFigures.length > 0 ? `slower: ${firstOf(slowerFigures)}` : "no figure is slower",
    };
  if (overall === undefined)
    return {
      ...about,
      main: "cannot tell",
      mainValue: 1,
      rate: cells.length === 0 ? "no cell is in both" : "every cell that is in both is doubtful",
      share: "the table of cells says why",
      meaning: "nothing can be compared",
    };
  const { ratio } = overall;
  const slower = [...slowerFigures, ...cells.filter((each) => each.ratio.verdict === "slower").map(nameOf)];
  return {
    ...about,
    main: `${ratio.verdict}: ${ratioText(ratio)} times A's time`,
    mainValue: ratio.value,
    rate: `the geometric mean of ${overall.cells} of ${cells.length} cells, with its 99 % interval`,
    share: countsText(cells),
    meaning:
      slower.length > 0
        ? `slower: ${firstOf(slower)}`
        : ratio.verdict === "cannot tell"
          ? whyUndecided(ratio, wandering)
          : "no cell is slower",
  };
}

function warnings({ differences, onlyA, wandering }: Comparison, a: Result, b: Result): string[] {
  const onCpu = [...(a.device.software === null ? [] : ["A"]), ...(b.device.software === null ? [] : ["B"])];
  const failed = onlyA.filter((each) => each.failed).map(({ name }) => name);
  const found: (string | false)[] = [
    onCpu.length > 0 && `Measured on a CPU, by a software adapter: ${onCpu.join(" and ")}.`,
    differences.length > 0 &&
      `A and B are not the same in: ${differences.map(({ what }) => what).join(", ")}. A verdict is on all of that together.`,
    failed.length > 0 && `Measured in A and failed in B: ${firstOf(failed)}.`,
    wandering >= WANDERING &&
      `The devices' own speed wandered by ${percent(wandering)} during the runs: differences below about ${percent(Z99 * wandering)} cannot be told.`,
  ];
  return found.filter((each) => each !== false);
}

/** Everything there is to say about two results beside each other. Pure. */
export function comparisonReport(comparison: Comparison, a: Result, b: Result): Report {
  return {
    title: "B against A",
    subtitle: `A: ${deviceName(a)}, ${a.createdAt.slice(0, 10)} · B: ${deviceName(b)}, ${b.createdAt.slice(0, 10)}`,
    software: a.device.software !== null || b.device.software !== null,
    warnings: warnings(comparison, a, b),
    headlines: [headline(comparison)],
    tables: [
      sidesTable(comparison, a, b),
      forwardsTable(comparison),
      cellsTable(comparison),
      overallTable(comparison),
    ].filter((table) => table !== undefined),
    comparisons: [],
    rooflines: [],
  };
}
