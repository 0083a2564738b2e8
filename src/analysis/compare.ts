// Is B faster than A? Asked of two results, cell by cell, and answered only where the intervals allow it.

import type { Measurement, Result } from "../result";
import type { OrderStatistics } from "../timing";
import { callName } from "../workloads";
import { compareForwards, type ForwardComparison, loneForwards } from "./compare_forwards";
import { type Difference, differences } from "./differences";
import { type Estimate, secondsPerCall, secondsPerDispatch } from "./estimate";
import { odditiesOf } from "./oddities";
import { isSlowed, wander } from "./throttling";

export type Verdict = "faster" | "slower" | "same" | "cannot tell";

/** A difference below this share is nobody's business (Criterion's noise threshold). */
export const MATTERS = 0.01;

/** Where any difference is certainly smaller than this, two cells are the same. */
const SAME = 0.03;

/** From 95 % intervals to 99 % ones: verdicts come by the dozen, and each wrong one costs somebody a day. */
const TO_99 = 2.5758 / 1.96;

/** How B's time relates to A's: below 1 is faster. */
export interface Ratio extends Estimate {
  readonly verdict: Verdict;
}

/** What a logarithm of a ratio and its two error bars come down to. */
function judged(log: number, below: number, above: number): Ratio {
  const [value, low, high] = [log, log - below, log + above].map(Math.exp) as [number, number, number];
  const verdict =
    high < 1 / (1 + MATTERS)
      ? "faster"
      : low > 1 + MATTERS
        ? "slower"
        : high < 1 + SAME && low > 1 / (1 + SAME)
          ? "same"
          : "cannot tell";
  return { value, low, high, verdict };
}

/** A median with its 95 % interval. */
export type Middle = Pick<OrderStatistics, "median" | "low" | "high">;

/** Error bars of the logarithm of a ratio of medians, downwards and upwards. */
function barsOf(a: Middle, b: Middle): { below: number; above: number } {
  return {
    below: Math.hypot(Math.log(b.median / b.low), Math.log(a.high / a.median)),
    above: Math.hypot(Math.log(b.high / b.median), Math.log(a.median / a.low)),
  };
}

/**
 * The ratio of two independent medians with a 99 % interval: error bars are combined in the logarithm (the method
 * of variance estimates recovery: Zou & Donner, Statistics in Medicine 27:10, 2008). `wandering` is how much both
 * devices' own speeds wandered, as a standard deviation in the logarithm.
 */
export function ratioOf(a: Middle, b: Middle, wandering = 0): Ratio {
  const { below, above } = barsOf(a, b);
  const extra = 1.96 * wandering;
  return judged(
    Math.log(b.median / a.median),
    TO_99 * Math.hypot(below, extra),
    TO_99 * Math.hypot(above, extra),
  );
}

export interface CellComparison {
  readonly name: string;
  readonly dtype: string;
  /** Seconds per call. */
  readonly a: Estimate;
  readonly b: Estimate;
  readonly ratio: Ratio;
  /** Why nothing is said about it although the intervals might. */
  readonly doubt: string | undefined;
  /** What else was not the same about the two, or odd about one: it may explain the difference. */
  readonly remarks: readonly string[];
}

/** A cell, or a whole model, that only one side measured. */
export interface LoneCell {
  readonly name: string;
  /** What became of it on the other side. */
  readonly elsewhere: string;
  /** It was tried there and gave no time. */
  readonly failed: boolean;
}

export interface Comparison {
  /** Of the environment and the protocol: to be read before any verdict. */
  readonly differences: readonly Difference[];
  readonly cells: readonly CellComparison[];
  /** Of whole models that both ran; they are no part of the whole below, which has their kernels. */
  readonly forwards: readonly ForwardComparison[];
  readonly onlyA: readonly LoneCell[];
  readonly onlyB: readonly LoneCell[];
  /** How much both devices' own speeds wandered, as a standard deviation: part of every interval. */
  readonly wandering: number;
  /** The geometric mean over the cells that both sides have, without the doubtful ones; undefined without any. */
  readonly overall: { readonly ratio: Ratio; readonly cells: number } | undefined;
}

const nameOf = ({ call, dtype }: Pick<Measurement, "call" | "dtype">) => `${callName(call)} ${dtype}`;

/** Measured cells by name; the last of a name counts. Probes have shapes of their own on each run and are left out. */
function cellsOf({ outcomes, workloads }: Result): Map<string, Measurement> {
  const asked = new Set(workloads.flatMap(({ steps }) => steps.map(({ call }) => callName(call))));
  return new Map(
    outcomes.flatMap((outcome) =>
      outcome.status === "measured" && asked.has(callName(outcome.call)) ? [[nameOf(outcome), outcome]] : [],
    ),
  );
}

/** The cells of one side that the other does not have, with what became of them there. */
function lone(inA: ReadonlyMap<string, unknown>, inB: ReadonlyMap<string, unknown>, b: Result): LoneCell[] {
  return [...inA.keys()]
    .filter((name) => !inB.has(name))
    .map((name) => {
      const outcome = b.outcomes.findLast((each) => nameOf(each) === name);
      if (outcome?.status === "failed") return { name, elsewhere: `failed: ${outcome.error}`, failed: true };
      const elsewhere = outcome?.status === "skipped" ? `skipped: ${outcome.reason}` : "not measured";
      return { name, elsewhere, failed: false };
    });
}

type Sides = readonly (readonly [side: "A" | "B", result: Result, cell: Measurement])[];

/** Why times of two cells do not bear a verdict: the first reason that is found. */
function doubtOf(sides: Sides): string | undefined {
  const [clockOfA, clockOfB] = sides.map(([, , { clock }]) => clock);
  for (const [side, result, cell] of sides) {
    if (cell.hidden) return `the page of ${side} was hidden meanwhile`;
    if (isSlowed(result, cell)) return `the device of ${side} was slowed down meanwhile`;
    if (odditiesOf(cell).includes("drift")) return `the speed of ${side} changed meanwhile`;
    if (secondsPerDispatch(cell).count < 2) return `${side} is a single sample`;
  }
  return clockOfA === clockOfB ? undefined : `timed by ${clockOfA} in A and by ${clockOfB} in B`;
}

function remarksOf(sides: Sides): string[] {
  const [a, b] = sides.map(([, , cell]) => cell) as [Measurement, Measurement];
  const parts = ({ pieces }: Measurement) =>
    pieces > 1 ? `1 of ${Number(pieces.toPrecision(3))} parts` : "whole";
  return [
    ...(a.tuning === b.tuning || a.tuning === "" || b.tuning === ""
      ? []
      : [`tuned as ${a.tuning} in A and as ${b.tuning} in B`]),
    ...(a.pieces === b.pieces ? [] : [`measured ${parts(a)} in A and ${parts(b)} in B`]),
    ...sides.flatMap(([side, , cell]) =>
      odditiesOf(cell).flatMap((oddity) =>
        oddity === "two speeds"
          ? [`${side} ran at two speeds`]
          : oddity === "outliers"
            ? [`${side} was interrupted often`]
            : [],
      ),
    ),
  ];
}

/** All that can be said about two results: what differs first, then each cell, then the whole. Pure and quick. */
export function compareResults(a: Result, b: Result): Comparison {
  const [inA, inB] = [cellsOf(a), cellsOf(b)];
  const wandering = Math.hypot(wander(a), wander(b));
  const cells: CellComparison[] = [];
  const logs: { log: number; below: number; above: number }[] = [];
  for (const [name, cellA] of inA) {
    const cellB = inB.get(name);
    if (cellB === undefined) continue;
    const sides: Sides = [
      ["A", a, cellA],
      ["B", b, cellB],
    ];
    const doubt = doubtOf(sides);
    const [timeA, timeB] = [secondsPerCall(cellA), secondsPerCall(cellB)];
    const [middleA, middleB] = [
      { ...timeA, median: timeA.value },
      { ...timeB, median: timeB.value },
    ];
    const ratio = ratioOf(middleA, middleB, wandering);
    if (doubt === undefined) logs.push({ log: Math.log(ratio.value), ...barsOf(middleA, middleB) });
    cells.push({
      name: callName(cellA.call),
      dtype: cellA.dtype,
      a: timeA,
      b: timeB,
      ratio: doubt === undefined ? ratio : { ...ratio, verdict: "cannot tell" },
      doubt,
      remarks: remarksOf(sides),
    });
  }
  const count = logs.length;
  const mean = logs.reduce((sum, { log }) => sum + log, 0) / count;
  // What wanders wanders for all cells of a run alike: averaging does not help against it.
  const bar = (side: "below" | "above") =>
    TO_99 * Math.hypot(Math.hypot(...logs.map((each) => each[side])) / count, 1.96 * wandering);
  return {
    differences: differences(a, b),
    cells,
    forwards: compareForwards(a, b, (ofA, ofB) => ratioOf(ofA, ofB, wandering)),
    onlyA: [...lone(inA, inB, b), ...loneForwards(a, b)],
    onlyB: [...lone(inB, inA, a), ...loneForwards(b, a)],
    wandering,
    overall: count === 0 ? undefined : { ratio: judged(mean, bar("below"), bar("above")), cells: count },
  };
}
