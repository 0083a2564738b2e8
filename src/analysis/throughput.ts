// From measured kernel calls to tokens per second of a whole model.

import type { DType } from "../kernels/elements";
import type { Measurement, Outcome, Result } from "../result";
import { callName, type Step, type Workload } from "../workloads";
import { type Estimate, rateOf, secondsPerCall } from "./estimate";
import { measuredRoof, type Roof, workloadWork } from "./roofline";

/** A step of a pass with the time all its calls take. */
export interface StepTime {
  readonly step: Step;
  readonly measurement: Measurement;
  readonly seconds: Estimate;
}

interface Attempt {
  readonly workload: Workload;
  readonly dtype: DType;
  /** The steps that were measured: all of them where it is complete. */
  readonly steps: readonly StepTime[];
}

interface CompleteAttempt extends Attempt {
  readonly complete: true;
  readonly seconds: Estimate;
  /** Absent for single kernel calls, which have no tokens. */
  readonly tokensPerSecond?: Estimate;
  readonly flopsPerSecond: Estimate;
  readonly bytesPerSecond: Estimate;
  readonly roof: Roof | undefined;
}

interface IncompleteAttempt extends Attempt {
  readonly complete: false;
  readonly reason: string;
}

/** What came of a workload in one type. */
export type Throughput = CompleteAttempt | IncompleteAttempt;

/** The outcomes of a result by call and type. */
function outcomesByCall({ outcomes }: Result): Map<string, Outcome> {
  return new Map(outcomes.map((outcome) => [`${callName(outcome.call)} ${outcome.dtype}`, outcome]));
}

const whyMissing = (outcome: Outcome | undefined, step: Step): string => {
  if (outcome === undefined) return `${step.label} was not reached`;
  return outcome.status === "failed"
    ? `${step.label} failed: ${outcome.error}`
    : outcome.status === "skipped"
      ? outcome.reason
      : "";
};

/**
 * Adds up the measured steps of a workload. The interval's ends are added up as well, as if all steps were
 * fast or slow together: it covers more than 95 %. Norms, rotary embeddings, activations and sampling are
 * not among the steps, nor is what a runtime spends between them.
 */
function throughput(
  workload: Workload,
  dtype: DType,
  outcomes: Map<string, Outcome>,
  roof: Roof | undefined,
): Throughput {
  const steps: StepTime[] = [];
  let missing: string | undefined;
  for (const step of workload.steps) {
    const outcome = outcomes.get(`${callName(step.call)} ${dtype}`);
    if (outcome?.status !== "measured") {
      missing ??= whyMissing(outcome, step);
      continue;
    }
    const { value, low, high } = secondsPerCall(outcome);
    const seconds = { value: value * step.count, low: low * step.count, high: high * step.count };
    steps.push({ step, measurement: outcome, seconds });
  }
  if (missing !== undefined) return { complete: false, workload, dtype, steps, reason: missing };
  const seconds = steps.reduce(
    (sum, { seconds: { value, low, high } }) => ({
      value: sum.value + value,
      low: sum.low + low,
      high: sum.high + high,
    }),
    { value: 0, low: 0, high: 0 },
  );
  const { flops, bytes } = workloadWork(workload, dtype);
  return {
    complete: true,
    workload,
    dtype,
    steps,
    seconds,
    ...(workload.tokens > 0 && { tokensPerSecond: rateOf(workload.tokens, seconds) }),
    flopsPerSecond: rateOf(flops, seconds),
    bytesPerSecond: rateOf(bytes, seconds),
    roof,
  };
}

/** Every workload of a result in every type of its plan. Workloads that lost all steps to a filter are left out. */
export function throughputs(result: Result): Throughput[] {
  const outcomes = outcomesByCall(result);
  return result.plan.dtype.flatMap((dtype) => {
    const roof = measuredRoof(result, dtype);
    return result.workloads
      .filter(({ steps }) => steps.length > 0)
      .map((workload) => throughput(workload, dtype, outcomes, roof));
  });
}

/** FLOP per byte of a workload: below a device's ridge point, memory is what it waits for. */
export function intensity(workload: Workload, dtype: DType): number {
  const { flops, bytes } = workloadWork(workload, dtype);
  return bytes === 0 ? 0 : flops / bytes;
}
