// Models that were run whole: what they took, beside the sum of their kernels in the same result and the device's roof.

import type { ForwardCase, ForwardSamples, MeasuredForward } from "../forward_result";
import type { Result } from "../result";
import { quantile, seriesInterval } from "../statistics";
import type { OrderStatistics } from "../timing";
import { decodeId, prefillId } from "../workloads";
import { type Estimate, fiveDigits, orderStatistics, rateOf } from "./estimate";
import { measuredRoof, type Roof } from "./roofline";
import { type Throughput, throughputs } from "./throughput";

/** Seconds of steps: what reports read, and what a link keeps. */
export interface StepStatistics extends OrderStatistics {
  readonly p90: number;
  readonly p99: number;
}

const known = new WeakMap<ForwardSamples, StepStatistics>();

function computed(samples: readonly number[]): StepStatistics {
  const sorted = [...samples].sort((a, b) => a - b);
  return {
    ...orderStatistics(samples, seriesInterval),
    p90: fiveDigits(quantile(sorted, 0.9)),
    p99: fiveDigits(quantile(sorted, 0.99)),
  };
}

/** The statistics of raw samples, or those that a link kept. */
export function stepStatistics(times: ForwardSamples): StepStatistics {
  if (times.kind === "order-statistics") {
    const { kind: _, ...statistics } = times;
    return statistics;
  }
  const found = known.get(times) ?? computed(times.seconds);
  known.set(times, found);
  return found;
}

/** Seconds that were measured, that the kernels add up to, and that nothing on this device is faster than. */
export interface Compared {
  readonly measured: Estimate;
  /** Undefined where a kernel has no time. */
  readonly kernels: number | undefined;
  /** The kernels take this at most: prompts are measured one at a time, and several together take no longer than one after another. */
  readonly kernelsAtMost: boolean;
  /** Undefined where no roof was measured. */
  readonly roofline: number | undefined;
}

/** The part of a step that goes into dispatches of one label. */
export interface BreakdownPart {
  readonly label: string;
  readonly kernel: string;
  readonly count: number;
  readonly seconds: number;
  /** Of the step. */
  readonly share: number;
}

/** A model that was run whole. */
export interface WholeModel {
  readonly run: MeasuredForward;
  /** From the submit of the prompts to their first tokens: TTFT. */
  readonly firstToken: Compared;
  /** A step without the CPU: TPOT. */
  readonly perToken: Compared & { readonly statistics: StepStatistics };
  /** A step with its token read back before the next. */
  readonly interactive: StepStatistics;
  /** A step after `seconds` of them without a pause; undefined where the plan asked for none. */
  readonly sustained: { readonly seconds: number; readonly statistics: StepStatistics } | undefined;
  /** Over all sequences. */
  readonly promptTokensPerSecond: Estimate;
  readonly tokensPerSecond: Estimate;
  readonly interactiveTokensPerSecond: Estimate;
  /** Seconds per step that reading the token back adds; zero or less where noise hides it. */
  readonly readBack: number;
  /** Seconds per step by the wall clock beyond the GPU's own; undefined where only the wall clock was there. */
  readonly harness: number | undefined;
  /** FLOP/s of the prompt, and bytes/s of weights and KV cache of a step. */
  readonly flopsPerSecond: Estimate;
  readonly bytesPerSecond: Estimate;
  readonly roof: Roof | undefined;
  readonly bytes: number;
  /** Longest first; empty where there were no timestamps. */
  readonly breakdown: readonly BreakdownPart[];
}

/** Work in six digits: a link keeps as many, and so shows what its result showed. */
export const sixDigits = (value: number): number => Number(value.toPrecision(6));

const estimateOf = ({ median, low, high }: OrderStatistics): Estimate => ({ value: median, low, high });

/** Bytes that have to cross the memory bus: what passes between kernels may stay in a cache. */
const trafficOf = ({ weights, cache }: MeasuredForward["decode"]["work"]): number =>
  sixDigits(weights) + sixDigits(cache);

const rooflineOf = (work: MeasuredForward["decode"]["work"], roof: Roof | undefined): number | undefined =>
  roof && Math.max(sixDigits(work.flops) / roof.flops, trafficOf(work) / roof.bandwidth);

/** The sums of kernels that a whole model is compared with: of its prompt, and of its answer. */
function sumsOf(given: ForwardCase, all: readonly Throughput[]) {
  const { model, dtype, prompt, generate, depth, batch } = given;
  const secondsOf = (id: string): number | undefined => {
    const found = all.find(
      (each) => each.workload.model === model && each.workload.id === id && each.dtype === dtype,
    );
    return found?.complete ? found.seconds.value : undefined;
  };
  const decode = secondsOf(decodeId(generate, depth, batch));
  const prefill = secondsOf(prefillId(prompt, depth));
  return { prefill: prefill && batch * prefill, step: decode && decode / generate };
}

function breakdownOf({ breakdown }: MeasuredForward): BreakdownPart[] {
  const parts = (breakdown ?? []).map((each) => ({ ...each, seconds: fiveDigits(each.seconds) }));
  const total = parts.reduce((sum, { seconds }) => sum + seconds, 0);
  return total === 0 ? [] : parts.map((each) => ({ ...each, share: each.seconds / total }));
}

function wholeModel(run: MeasuredForward, all: readonly Throughput[], roof: Roof | undefined): WholeModel {
  const { prefill, decode, batch, prompt } = run;
  const sums = sumsOf(run, all);
  const firstToken = estimateOf(stepStatistics(prefill.times));
  const statistics = stepStatistics(decode.times);
  const perToken = estimateOf(statistics);
  const interactive = stepStatistics(run.interactive);
  return {
    run,
    firstToken: {
      measured: firstToken,
      kernels: sums.prefill,
      kernelsAtMost: batch > 1,
      roofline: rooflineOf(prefill.work, roof),
    },
    perToken: {
      measured: perToken,
      kernels: sums.step,
      kernelsAtMost: false,
      roofline: rooflineOf(decode.work, roof),
      statistics,
    },
    interactive,
    sustained: run.sustained
      ? { seconds: fiveDigits(run.sustained.seconds), statistics: stepStatistics(run.sustained.times) }
      : undefined,
    promptTokensPerSecond: rateOf(batch * prompt, firstToken),
    tokensPerSecond: rateOf(batch, perToken),
    interactiveTokensPerSecond: rateOf(batch, estimateOf(interactive)),
    readBack: interactive.median - statistics.median,
    harness: decode.clock === "wall" ? undefined : fiveDigits(decode.wall) / decode.steps - statistics.median,
    flopsPerSecond: rateOf(sixDigits(prefill.work.flops), firstToken),
    bytesPerSecond: rateOf(trafficOf(decode.work), perToken),
    roof,
    bytes: Object.values(run.bytes).reduce((sum, bytes) => sum + bytes, 0),
    breakdown: breakdownOf(run),
  };
}

/** Every model of a result that was run whole. */
export function wholeModels(result: Result, all: readonly Throughput[] = throughputs(result)): WholeModel[] {
  return result.forwards.flatMap((each) =>
    each.status === "measured" ? [wholeModel(each, all, measuredRoof(result, each.dtype))] : [],
  );
}

/** The first whole model that did what a workload counts: read one such prompt, or wrote such answers. */
export const wholeOf = (
  { workload, dtype }: Throughput,
  whole: readonly WholeModel[],
): WholeModel | undefined =>
  whole.find(({ run }) => {
    if (run.model !== workload.model || run.dtype !== dtype) return false;
    return workload.phase === "prefill"
      ? run.batch === 1 && workload.id === prefillId(run.prompt, run.depth)
      : workload.id === decodeId(run.generate, run.depth, run.batch);
  });
