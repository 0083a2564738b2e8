// Whole models that differ in one thing only: in how much is in the KV cache, or in how many sequences are written at once.

import { caseOf, type ForwardCase } from "../forward_result";
import type { Estimate } from "./estimate";
import type { WholeModel } from "./forward";
import { type FrontierPoint, frontier } from "./frontier";

/** Groups of at least two runs that are alike in all but one field of their case, each in ascending order of that field. */
function seriesOver(field: "depth" | "batch", whole: readonly WholeModel[]): WholeModel[][] {
  const groups = new Map<string, WholeModel[]>();
  for (const each of whole) {
    const key = JSON.stringify({ ...caseOf(each.run), [field]: null });
    groups.set(key, [...(groups.get(key) ?? []), each]);
  }
  return [...groups.values()]
    .filter((group) => new Set(group.map(({ run }) => run[field])).size > 1)
    .map((group) => group.sort((a, b) => a.run[field] - b.run[field]));
}

/** Runs at several depths, shallow to deep. */
export const depthSeries = (whole: readonly WholeModel[]): WholeModel[][] => seriesOver("depth", whole);

/** Tokens over time, twice: how much is gained for how much waiting (Kleinrock, ICC 1979: power). It is largest at the knee. */
const powerOf = ({ tokensPerSecond, tpot }: FrontierPoint): Estimate => ({
  value: tokensPerSecond.value / tpot.value,
  low: tokensPerSecond.low / tpot.high,
  high: tokensPerSecond.high / tpot.low,
});

/** What batching gives at one depth. */
export interface BatchFrontier {
  /** One of its runs, whose batch does not count. */
  readonly run: ForwardCase;
  readonly points: readonly (FrontierPoint & { readonly whole: WholeModel; readonly pareto: boolean })[];
  readonly knee: {
    readonly batch: number;
    /** Other batches that the samples do not tell from the best one. */
    readonly ties: readonly number[];
  };
}

function batchFrontier(group: readonly WholeModel[]): BatchFrontier {
  const of = new Map(group.map((whole) => [whole.run.batch, whole]));
  const { points, pareto } = frontier([...of.keys()], (batch) => {
    const whole = of.get(batch);
    return whole && { tpot: whole.perToken.measured, tokensPerSecond: whole.tokensPerSecond };
  });
  const powers = points.map((point) => ({ batch: point.batch, power: powerOf(point) }));
  const [best, ...others] = powers.sort((a, b) => b.power.value - a.power.value);
  if (best === undefined) throw new RangeError("a frontier without points");
  return {
    run: caseOf(group[0]!.run),
    points: points.map((point) => ({
      ...point,
      whole: of.get(point.batch)!,
      pareto: pareto.includes(point),
    })),
    knee: {
      batch: best.batch,
      ties: others
        .filter(({ power }) => power.high >= best.power.low)
        .map(({ batch }) => batch)
        .sort((a, b) => a - b),
    },
  };
}

/** What batching gives, for each run that was made with several batches. */
export const batchFrontiers = (whole: readonly WholeModel[]): BatchFrontier[] =>
  seriesOver("batch", whole).map(batchFrontier);
