// What whole models that a device ran tell about those that it did not: what lies between the kernels of a step, how much
// longer a prompt takes than its products and attention, and what reading a token back adds.

import { forwardId, type MeasuredForward } from "../forward_result";
import type { Result } from "../result";
import { median } from "../statistics";
import { knownModel } from "../workloads";
import type { Estimate } from "./estimate";
import { stepStatistics } from "./forward";

/** What the kernels of a run add up to, in seconds, and the calls that a step makes. */
export interface KernelSums {
  readonly step: number;
  readonly dispatches: number;
  readonly reading: number;
}

export interface WholeCosts {
  /** Runs that it is from. */
  readonly runs: number;
  /** Seconds per dispatch of a step beyond products and attention. */
  readonly perDispatch: number;
  /** How many times their kernels prompts took; the interval spans the runs, or that of the only one. */
  readonly prompts: Estimate;
  /** Seconds that reading a token back adds to a step. */
  readonly readBack: number;
}

const measuredIn = ({ forwards }: Result): MeasuredForward[] =>
  forwards.filter((each) => each.status === "measured");

/**
 * The costs that lie around kernels on a result's device, from what was run whole in a type; undefined where nothing was.
 * `sumsOf` is undefined where a run's kernels were not measured. `without` leaves a model's own runs out.
 */
export function wholeCosts(
  result: Result,
  dtype: string,
  sumsOf: (run: MeasuredForward) => KernelSums | undefined,
  without?: string,
): WholeCosts | undefined {
  const found = measuredIn(result).flatMap((run) => {
    const sums = run.dtype === dtype && run.model !== without ? sumsOf(run) : undefined;
    if (sums === undefined || run.hidden) return [];
    const [step, interactive] = [stepStatistics(run.decode.times), stepStatistics(run.interactive)];
    const first = stepStatistics(run.prefill.times);
    return [
      {
        perDispatch: Math.max(0, step.median - sums.step) / sums.dispatches,
        prompts: [first.median, first.low, first.high].map((time) => Math.max(1, time / sums.reading)),
        readBack: Math.max(0, interactive.median - step.median),
      },
    ];
  });
  if (found.length === 0) return undefined;
  const prompts = found.map((each) => each.prompts);
  const only = prompts.length === 1;
  return {
    runs: found.length,
    perDispatch: median(found.map((each) => each.perDispatch)),
    prompts: {
      value: median(prompts.map(([value]) => value!)),
      low: Math.min(...prompts.map(([value, low]) => (only ? low! : value!))),
      high: Math.max(...prompts.map(([value, , high]) => (only ? high! : value!))),
    },
    readBack: median(found.map((each) => each.readBack)),
  };
}

/** A whole model as it was measured: seconds. */
export interface MeasuredWhole {
  readonly run: string;
  readonly ttft: Estimate;
  readonly tpot: Estimate;
  readonly interactive: Estimate;
}

/** What a result measured of a model, by its name, that was run whole in a type with so many sequences: nothing has to be predicted there. */
export function measuredWhole(
  result: Result,
  { name, dtype, batch }: { readonly name: string; readonly dtype: string; readonly batch: number },
): MeasuredWhole[] {
  const estimate = (times: MeasuredForward["interactive"]): Estimate => {
    const { median: value, low, high } = stepStatistics(times);
    return { value, low, high };
  };
  return measuredIn(result)
    .filter(
      (run) => knownModel(run.model)?._name_or_path === name && run.dtype === dtype && run.batch === batch,
    )
    .map((run) => ({
      run: forwardId(run),
      ttft: estimate(run.prefill.times),
      tpot: estimate(run.decode.times),
      interactive: estimate(run.interactive),
    }));
}
