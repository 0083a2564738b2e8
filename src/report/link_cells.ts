// Links: cells as numbers. Schema 1 had one row per cell; since then there is one column per figure.

import { fromOffsets, offsetsOf, secondsPerDispatch } from "../analysis/estimate";
import { odditiesOf } from "../analysis/oddities";
import { type Measurement, type Outcome, stops } from "../result";
import { oddities } from "../timing";
import { type Call, digits, isArray, transposed } from "./link_tables";

const MIB = 2 ** 20;

/** No cell has a reading of this number: where there was none. */
const NO_READING = 20_000;

/** Circumstances of a cell: zeros, mostly. Readings come in pairs, right after those of the cell before. */
function packCircumstances(cell: Measurement, expected: number): number[] {
  const odd = odditiesOf(cell).reduce((mask, each) => mask | (1 << oddities.indexOf(each)), 0);
  const { coverage } = cell.check;
  return [
    stops.indexOf(cell.stopped),
    odd,
    2 * cell.repeats + Number(cell.hidden),
    cell.readings === null ? NO_READING : cell.readings[0] - expected,
    // 0 means that nobody recorded it, and is no rounding.
    coverage === 0 ? 0 : Math.max(1, Math.round(100 * coverage)),
  ];
}

function unpackCircumstances(packed: readonly unknown[], expected: number) {
  const [stop = 0, odd = 0, begun = 0, reading = 0, coverage = 0] = packed.map(Number);
  const first = reading + expected;
  return {
    stopped: stops[stop],
    odd: oddities.filter((_, i) => (odd >> i) & 1),
    repeats: begun >> 1,
    hidden: begun % 2 === 1,
    readings: reading === NO_READING ? null : ([first, first + 1] as const),
    coverage: coverage / 100,
  };
}

/** The reading that the cell after this one is expected to begin with. */
const following = (readings: readonly [number, number] | null, expected: number) =>
  readings === null ? expected : readings[1] + 1;

function packMeasurement(cell: Measurement, place: (call: Call) => number, expected: number): unknown[] {
  const { call, dtype, tuning, piece, pieces, rotation, clock, check, compileSeconds } = cell;
  const statistics = secondsPerDispatch(cell);
  const { count, median } = statistics;
  // The median has five digits: a whole number and an exponent are shorter than "0.0046951".
  const [mantissa = "", exponent] = median.toExponential(4).split("e");
  const called = place(call);
  return [
    clock === "wall" ? "w" : "t",
    called,
    dtype,
    tuning,
    place(piece) - called,
    pieces,
    Math.round(rotation / MIB),
    digits(check.elements, 2),
    // The error is read as a share of what rounding explains.
    check.tolerance === 0 ? 0 : Math.round((100 * check.error) / check.tolerance),
    digits(check.tolerance, 2),
    Math.round(1000 * compileSeconds),
    count,
    Number(mantissa.replace(".", "")),
    Number(exponent),
    ...offsetsOf(statistics),
    ...packCircumstances(cell, expected),
  ];
}

const timeOf = (count: unknown, digits: unknown, exponent: unknown, offsets: readonly unknown[]) => ({
  kind: "order-statistics" as const,
  ...fromOffsets(Number(count), Number(`${digits}e${Number(exponent) - 4}`), offsets.map(Number)),
});

function unpackMeasurement(packed: readonly unknown[], calls: readonly unknown[], expected: number) {
  const [mark, call, dtype, tuning, piece, pieces, rotation, ...more] = packed;
  const [elements, error, tolerance, compileMillis, count, digits, exponent, ...rest] = more;
  const { odd, coverage, ...circumstances } = unpackCircumstances(rest.slice(4), expected);
  return {
    status: "measured",
    call: calls[Number(call)],
    dtype,
    tuning,
    piece: calls[Number(call) + Number(piece)],
    pieces,
    rotation: Number(rotation) * MIB,
    clock: mark === "w" ? "wall" : "timestamp-query",
    timing: { ...timeOf(count, digits, exponent, rest.slice(0, 4)), odd },
    ...circumstances,
    warmup: null,
    firstRun: null,
    cacheHot: null,
    sustained: null,
    check: { elements, coverage, error: (Number(error) * Number(tolerance)) / 100, tolerance, hash: "" },
    compileSeconds: Number(compileMillis) / 1000,
  };
}

/** Outcomes as the columns of those that were measured, and the others with their places among all. */
export function packOutcomes(outcomes: readonly Outcome[], place: (call: Call) => number): unknown[] {
  const rows: unknown[][] = [];
  const others: unknown[][] = [];
  let expected = 0;
  for (const [index, outcome] of outcomes.entries()) {
    if (outcome.status === "measured") {
      rows.push(packMeasurement(outcome, place, expected));
      expected = following(outcome.readings, expected);
    } else {
      const text = outcome.status === "failed" ? outcome.error : outcome.reason;
      others.push([index, outcome.status[0], place(outcome.call), outcome.dtype, text]);
    }
  }
  return [transposed(rows), others];
}

/** Why a cell has no time. */
function unpackOther(mark: unknown, call: unknown, dtype: unknown, text: unknown): unknown {
  return mark === "s"
    ? { status: "skipped", call, dtype, reason: text }
    : { status: "failed", call, dtype, error: text };
}

/** Anything at all -> what may be outcomes; undefined where it is not even of the form of `packOutcomes`. */
export function unpackOutcomes(packed: unknown, calls: readonly unknown[]): unknown[] | undefined {
  const [columns, others] = isArray(packed) ? packed : [];
  if (!isArray(columns) || !columns.every(isArray) || !isArray(others)) return undefined;
  // Columns as long as the first one: no more rows times columns than there are numbers.
  if (columns.some(({ length }) => length !== columns[0]?.length)) return undefined;
  let expected = 0;
  const outcomes: unknown[] = transposed(columns).map((row) => {
    const outcome = unpackMeasurement(row, calls, expected);
    expected = following(outcome.readings, expected);
    return outcome;
  });
  for (const other of others) {
    const [index, mark, call, dtype, text] = isArray(other) ? other : [];
    outcomes.splice(Number(index), 0, unpackOther(mark, calls[Number(call)], dtype, text));
  }
  return outcomes;
}

/** A row of schema 1 -> what may be an outcome of it. */
export function unpackRow(packed: unknown, calls: readonly unknown[]): unknown {
  if (!isArray(packed)) return undefined;
  const [mark, call, dtype, ...rest] = packed;
  if (mark === "s" || mark === "f") return unpackOther(mark, calls[Number(call)], dtype, rest[0]);
  const [tuning, piece, pieces, rotation, elements, error, tolerance, compileSeconds, ...times] = rest;
  const [count, digits, exponent, ...offsets] = times;
  return {
    status: "measured",
    call: calls[Number(call)],
    dtype,
    tuning,
    piece: calls[Number(piece)],
    pieces,
    rotation: Number(rotation) * MIB,
    clock: mark === "w" ? "wall" : "timestamp-query",
    timing: timeOf(count, digits, exponent, offsets.slice(0, 4)),
    check: { elements, error, tolerance },
    compileSeconds,
  };
}
