// Each kernel call on its own, as two tables: its burst speed and how far to trust it; and what it takes cold,
// cached and under load.

import { cellName, type MeasuredCell, measuredCell } from "../analysis/cells";
import { type Estimate, statisticsOf } from "../analysis/estimate";
import { slowdown } from "../analysis/throttling";
import { tuningOf } from "../analysis/tuning";
import type { Measurement, Result, Stop } from "../result";
import { outliers } from "../statistics";
import { samplesOf, type Timing } from "../timing";
import { byteRate, duration, estimated, flopRate, percent, seconds, significant, written } from "../units";
import type { Cell, Table } from "./report_types";
import { cell } from "./wording";

/** A measured cell with its figures, in the result that it is part of. */
interface Row extends MeasuredCell {
  readonly result: Result;
  readonly measured: Measurement;
}

/** A column's heading, and what it says of a measured cell. */
type Column = readonly [heading: string, of: (row: Row) => Cell];

/** Why sampling stopped, in a word; nothing where nobody recorded it. */
const stopWords: Readonly<Record<Stop, string>> = {
  precise: "precise",
  noise: "stable noise",
  time: "time",
  rounds: "rounds",
  unknown: "",
};

/** Tukey's outliers, mild / severe; a link has no samples to count them in. */
function outlierText({ timing, clock }: Measurement): string {
  if (timing.kind !== "spans") return "";
  const { mild, severe } = outliers(samplesOf(timing, clock));
  return `${mild} / ${severe}`;
}

function tuningCell({ result, measured }: Row): Cell {
  const reused = tuningOf(result, measured)?.reused ?? false;
  return cell(measured.tuning, reused ? "known before this run, and not searched for in it" : undefined);
}

function deviceText(result: Result, measured: Measurement): string {
  const slower = slowdown(result, measured);
  return slower === undefined ? "" : percent(slower);
}

const head: readonly Column[] = [
  ["call", ({ measured }) => cell(cellName(measured))],
  ["type", ({ measured }) => cell(measured.dtype)],
];

const cellColumns: readonly Column[] = [
  ...head,
  ["tuning", tuningCell],
  [
    "part",
    ({ measured: { pieces }, piece }) => cell(pieces > 1 ? `1 / ${significant(pieces)}` : "whole", piece),
  ],
  ["time per call", (row) => cell(estimated(row.seconds, seconds))],
  [
    "rate",
    ({ intensity, bytesPerSecond, flopsPerSecond }) =>
      cell(intensity < 4 ? written(bytesPerSecond, byteRate) : written(flopsPerSecond, flopRate)),
  ],
  ["samples", ({ perDispatch }) => cell(String(perDispatch.count))],
  [
    "spread",
    ({ perDispatch: { lowerQuartile, upperQuartile, median } }) =>
      cell(percent((upperQuartile - lowerQuartile) / median), "interquartile range / median"),
  ],
  [
    "outliers",
    ({ measured }) => cell(outlierText(measured), "beyond 1.5 / 3 interquartile ranges; none is dropped"),
  ],
  ["stopped by", ({ measured }) => cell(stopWords[measured.stopped])],
  ["clock", ({ measured }) => cell(measured.clock)],
  ["device slower", ({ result, measured }) => cell(deviceText(result, measured))],
  [
    "error",
    ({ measured: { check } }) =>
      cell(
        check.tolerance === 0 ? "exact" : percent(check.error / check.tolerance),
        `${check.elements} elements compared`,
      ),
  ],
  // 0 stands for what nobody recorded.
  ["checked", ({ measured: { check } }) => cell(check.coverage === 0 ? "" : percent(check.coverage))],
  ["output", ({ measured: { check } }) => cell(check.hash)],
];

/** A row of a cell that has no time: its text stands in the third column. */
const untimed = (name: string, dtype: string, text: string): Cell[] =>
  cellColumns.map((_, i) => cell([name, dtype, text][i] ?? ""));

/** One row for all calls of a type that were skipped for the same reason. */
function skippedRows({ outcomes }: Result): Cell[][] {
  const counts = new Map<string, { dtype: string; reason: string; count: number }>();
  for (const outcome of outcomes) {
    if (outcome.status !== "skipped") continue;
    const { dtype, reason } = outcome;
    const known = counts.get(`${dtype} ${reason}`);
    counts.set(`${dtype} ${reason}`, { dtype, reason, count: (known?.count ?? 0) + 1 });
  }
  return [...counts.values()].map(({ dtype, reason, count }) =>
    untimed(count === 1 ? "1 call" : `${count} calls`, dtype, `skipped: ${reason}`),
  );
}

const rowOf = (result: Result, measured: Measurement): Row => ({
  ...measuredCell(measured),
  result,
  measured,
});

/** Every outcome: burst speed, and how far to trust it. */
export function cellTable(result: Result): Table {
  const rows = result.outcomes.flatMap((outcome) => {
    if (outcome.status === "skipped") return [];
    if (outcome.status === "failed")
      return [untimed(cellName(outcome), outcome.dtype, `failed: ${outcome.error}`)];
    const row = rowOf(result, outcome);
    return [cellColumns.map(([, of]) => of(row))];
  });
  return {
    title: "Cells",
    note:
      "One row per kernel call: burst speed, on memory that no cache holds. Stopped by: the interval was narrow enough (precise), more samples would not have narrowed it (stable noise), or the preset's limit. " +
      "Device slower: by how much the reference kernel around the cell was slower than at its best. " +
      "Error: the largest seen against float64 before timing, as a share of what rounding may explain. Checked: workgroups of whose output an element was compared. " +
      "Output: its hash, the same after timing as in a fresh run.",
    columns: cellColumns.map(([heading]) => heading),
    rows: [...rows, ...skippedRows(result)],
  };
}

/** The time of a dispatch in another state of the device. */
const timeOf = (timing: Timing | undefined | null, { clock }: Measurement): Estimate | undefined => {
  if (timing === undefined || timing === null) return undefined;
  const { median: value, low, high } = statisticsOf(timing, clock);
  return { value, low, high };
};

const timeText = (time: Estimate | undefined) => cell(time === undefined ? "" : estimated(time, seconds));

/** A time as a share of the usual one. */
const relative = (time: Estimate | undefined, { perDispatch }: Row) =>
  cell(time === undefined ? "" : percent(time.value / perDispatch.median));

const hot = ({ measured }: Row) => timeOf(measured.cacheHot, measured);
const sustained = ({ measured }: Row) => timeOf(measured.sustained?.timing, measured);

function firstRunCell({ measured: { firstRun } }: Row): Cell {
  if (firstRun === null) return cell("");
  const { wall, gpu, dispatches } = firstRun;
  return cell(
    duration(wall / dispatches),
    gpu === null ? undefined : `${duration(gpu / dispatches)} by GPU timestamps`,
  );
}

const stateColumns: readonly Column[] = [
  ...head,
  ["compile", ({ measured }) => cell(duration(measured.compileSeconds))],
  ["first run", firstRunCell],
  ["cache-cold", (row) => timeText(timeOf(row.measured.timing, row.measured))],
  ["cache-hot", (row) => timeText(hot(row))],
  ["hot / cold", (row) => relative(hot(row), row)],
  ["sustained", (row) => timeText(sustained(row))],
  ["sustained / burst", (row) => relative(sustained(row), row)],
  [
    "after load for",
    ({ measured: { sustained } }) => cell(sustained === null ? "" : duration(sustained.seconds)),
  ],
];

/** What each measured call takes when it is new, when a cache holds its memory, and when the device is hot. */
export function stateTable(result: Result): Table | undefined {
  const measured = result.outcomes.filter((outcome) => outcome.status === "measured");
  if (measured.length === 0) return undefined;
  const rows = measured.map((outcome) => rowOf(result, outcome));
  const cells = stateColumns.map(([, of]) => rows.map(of));
  // What was asked of no cell, or is not in a link, has no column.
  const filled = cells.map((column) => column.some(({ text }) => text !== ""));
  return {
    title: "Cold, cached and sustained",
    note:
      "Seconds per dispatch, which may be a part of the call. First run: the first dispatch of a shader ever, by the wall clock from submit to completion. " +
      "Cache-cold: the burst speed of the table of cells. Cache-hot: on the same memory every time. Sustained: after a load, where the plan asks for one (sustain=10).",
    columns: stateColumns.flatMap(([heading], i) => (filled[i] ? [heading] : [])),
    rows: rows.map((_, row) => cells.flatMap((column, i) => (filled[i] ? [column[row]!] : []))),
  };
}
