// Whole models at several depths and with several sequences at once: as curves, each with its table.

import { type Estimate, rateOf } from "../analysis/estimate";
import type { WholeModel } from "../analysis/forward";
import { type BatchFrontier, batchFrontiers, depthSeries } from "../analysis/forward_series";
import { forwardId } from "../forward_result";
import { duration, memory, type ScaleOf, sampled, seconds, tokenRate } from "../units";
import type { Cell, Lines, Table } from "./report_types";
import { drawn, texts } from "./wording";

type Curve = { readonly chart: Lines; readonly table: Table };
type Line = Lines["lines"][number];

/** A figure with its interval as text, and for programs in base units. */
const figure = (estimate: Estimate, scaleOf: ScaleOf): Cell => ({
  text: sampled(estimate, scaleOf),
  number: { ...estimate, unit: scaleOf(1).unit },
});

const interactiveOf = ({ interactive: { median, low, high } }: WholeModel): Estimate => ({
  value: median,
  low,
  high,
});

/** The runs of a list but for what they differ in: "llama-3.2-1b pp512+tg128 @ b8 f32". */
const nameOf = ({ run }: WholeModel, without: { depth?: 0; batch?: 1 }) =>
  `${run.model} ${forwardId({ ...run, ...without })} ${run.dtype}`;

/** Milliseconds per token over what is in the KV cache before. */
function depthCurve(series: readonly WholeModel[]): Curve {
  const [first] = series;
  if (first === undefined) throw new RangeError("a series without runs");
  const name = nameOf(first, { depth: 0 });
  const { factor, unit } = seconds(Math.max(...series.map(({ perToken }) => perToken.measured.value)));
  const at = (whole: WholeModel, what: string, estimate: Estimate) => ({
    x: whole.run.depth,
    y: drawn(estimate.value / factor),
    low: drawn(estimate.low / factor),
    high: drawn(estimate.high / factor),
    label: `depth ${whole.run.depth}: ${sampled(estimate, seconds)} ${what}`,
  });
  const bound = (whole: WholeModel, what: string, value: number | undefined) =>
    value === undefined ? [] : [at(whole, what, { value, low: value, high: value })];
  const lines: Line[] = [
    {
      name: "measured",
      own: true,
      points: series.map((each) => at(each, "per token", each.perToken.measured)),
    },
    {
      name: "each token read back",
      own: false,
      points: series.map((each) => at(each, "per token read back", interactiveOf(each))),
    },
    {
      name: "sum of kernels",
      own: false,
      points: series.flatMap((each) => bound(each, "of kernels", each.perToken.kernels)),
    },
    {
      name: "roofline",
      own: false,
      points: series.flatMap((each) => bound(each, "at the device's own bandwidth", each.perToken.roofline)),
    },
  ];
  const title = `Decode against depth: ${name}`;
  return {
    chart: {
      kind: "lines",
      id: title,
      title,
      x: "tokens in the KV cache before the prompt",
      y: `${unit} per token (TPOT)`,
      scale: "linear",
      lines: lines.filter(({ points }) => points.length > 0),
    },
    table: {
      title,
      note:
        "Seconds per token of each sequence. Measured: free-running, the median with its interval. Roofline: weights and KV cache at the device's own " +
        "bandwidth. The sum of kernels is at the plan's depth; a whole model writes behind its prompt as well.",
      columns: [
        "depth",
        "TPOT",
        "each token read back",
        "answer",
        "sum of kernels",
        "roofline",
        "KV cache read per step",
      ],
      rows: series.map((each) => [
        ...texts(String(each.run.depth)),
        figure(each.perToken.measured, seconds),
        figure(interactiveOf(each), seconds),
        figure(each.tokensPerSecond, tokenRate),
        ...texts(
          ...[each.perToken.kernels, each.perToken.roofline].map((value) =>
            value === undefined ? "" : duration(value),
          ),
          memory(each.run.decode.work.cache),
        ),
      ]),
    },
  };
}

/** "b8", and which others may be it as well. */
function kneeText({ knee: { batch, ties } }: BatchFrontier): string {
  return ties.length === 0 ? `batch ${batch}` : `batch ${batch} (or ${ties.join(", ")}: not told apart)`;
}

function frontierRows(each: BatchFrontier): Cell[][] {
  return each.points.map(({ batch, whole, tpot, tokensPerSecond, pareto }) => {
    return [
      ...texts(String(each.run.depth), String(batch)),
      figure(tpot, seconds),
      figure(tokensPerSecond, tokenRate),
      figure(rateOf(1, tpot), tokenRate),
      figure(interactiveOf(whole), seconds),
      ...texts(
        pareto ? "yes" : "no",
        batch === each.knee.batch ? kneeText(each) : each.knee.ties.includes(batch) ? "perhaps" : "",
      ),
    ];
  });
}

/** Latency per token against tokens per second of all sequences together, a line for each depth. */
function frontierCurve(name: string, frontiers: readonly BatchFrontier[]): Curve {
  const slowest = Math.max(...frontiers.flatMap(({ points }) => points.map(({ tpot }) => tpot.value)));
  const { factor, unit } = seconds(slowest);
  const knees = frontiers.map((each) =>
    frontiers.length === 1 ? kneeText(each) : `${kneeText(each)} at depth ${each.run.depth}`,
  );
  const title = `Batch frontier: ${name}`;
  return {
    chart: {
      kind: "lines",
      id: title,
      title: `${title}; the knee is ${knees.join(", ")}`,
      x: `${unit} per token of each sequence (TPOT)`,
      y: "tokens/s of all sequences",
      lines: frontiers.map(({ run, points, knee }) => ({
        name: `depth ${run.depth}`,
        own: run.depth === frontiers[0]?.run.depth,
        points: points.map(({ batch, tpot, tokensPerSecond: rate }) => ({
          x: drawn(tpot.value / factor),
          y: drawn(rate.value),
          low: drawn(rate.low),
          high: drawn(rate.high),
          mark: batch === knee.batch ? `b${batch}, knee` : `b${batch}`,
          label: `batch ${batch}: ${sampled(rate, tokenRate)} at ${sampled(tpot, seconds)} per token`,
        })),
      })),
    },
    table: {
      title,
      note:
        "Free-running. On the frontier: no other batch is at least as good in both and better in one. The knee is the batch with the most tokens/s over " +
        "latency: up to there throughput grew by more than the wait for each token did, beyond it by less.",
      columns: [
        "depth",
        "batch",
        "TPOT",
        "all sequences",
        "each sequence",
        "TPOT, each token read back",
        "on the frontier",
        "knee",
      ],
      rows: frontiers.flatMap(frontierRows),
    },
  };
}

/** Every curve that the whole models of a result make. */
export function forwardCurves(whole: readonly WholeModel[]): Curve[] {
  const frontiers = new Map<string, BatchFrontier[]>();
  for (const each of batchFrontiers(whole)) {
    const name = nameOf(each.points[0]!.whole, { depth: 0, batch: 1 });
    frontiers.set(name, [...(frontiers.get(name) ?? []), each]);
  }
  return [
    ...depthSeries(whole).map(depthCurve),
    ...[...frontiers].map(([name, list]) => frontierCurve(name, list)),
  ];
}
