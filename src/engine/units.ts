// What a run is made of: probes, the calls of its workloads, whole models; and which of them an earlier run got to.

import { caseOf, type ForwardCase, forwardCases, forwardName } from "../forward_result";
import type { Call } from "../kernels";
import type { DType } from "../kernels/elements";
import { type Probe, probesOf } from "../kernels/probes";
import type { Plan } from "../plan";
import type { Result } from "../result";
import { type TrainingCase, trainingCaseOf, trainingCases, trainingName } from "../training_result";
import { callName } from "../workloads";
import { firstCalls } from "./roof";

/** One piece of work that succeeds or fails by itself. A probe finds its own call. */
export type Unit =
  | { readonly kind: "probe"; readonly probe: Probe; readonly dtype: DType; readonly call: Call }
  | { readonly kind: "call"; readonly dtype: DType; readonly call: Call }
  | { readonly kind: "forward"; readonly forward: ForwardCase }
  | { readonly kind: "training"; readonly training: TrainingCase };

/** Every distinct call of the plan's workloads, in the order in which they come. */
export function callsOf({ workloads }: Result): Call[] {
  const calls = new Map(workloads.flatMap(({ steps }) => steps.map(({ call }) => [callName(call), call])));
  return [...calls.values()];
}

/** What the probes of a plan's types have to find, each once, before what is computed in the type; then whole models, and those to train. */
export function unitsOf(plan: Plan, calls: readonly Call[]): Unit[] {
  const probed = new Set<string>();
  const cells = plan.dtype.flatMap((dtype): Unit[] => {
    const probes = probesOf(dtype).filter((each) => {
      const key = `${each.probe} ${each.dtype}`;
      return !probed.has(key) && probed.add(key);
    });
    return [
      ...probes.map((each): Unit => ({ kind: "probe", ...each, call: firstCalls[each.probe] })),
      ...calls.map((call): Unit => ({ kind: "call", dtype, call })),
    ];
  });
  return [
    ...cells,
    ...forwardCases(plan).map((forward): Unit => ({ kind: "forward", forward })),
    ...trainingCases(plan).map((training): Unit => ({ kind: "training", training })),
  ];
}

/** Whether an earlier run got to a unit, with whatever outcome. */
export function isDone(
  { outcomes, forwards, trainings }: Result,
  calls: readonly Call[],
): (unit: Unit) => boolean {
  const asked = new Set(calls.map(callName));
  const run = new Set(forwards.map((each) => forwardName(caseOf(each))));
  const trained = new Set(trainings.map((each) => trainingName(trainingCaseOf(each))));
  return (unit) => {
    if (unit.kind === "forward") return run.has(forwardName(unit.forward));
    if (unit.kind === "training") return trained.has(trainingName(unit.training));
    return outcomes.some(
      (outcome) =>
        outcome.dtype === unit.dtype &&
        (unit.kind === "call"
          ? callName(outcome.call) === callName(unit.call)
          : outcome.call.kernel === unit.probe && !asked.has(callName(outcome.call))),
    );
  };
}

/** What is being done, for whoever waits. */
export function labelOf(unit: Unit): string {
  if (unit.kind === "forward") return `running ${forwardName(unit.forward)}`;
  if (unit.kind === "training") return `training ${trainingName(unit.training)}`;
  return unit.kind === "call"
    ? `measuring ${callName(unit.call)} ${unit.dtype}`
    : `measuring the roof: ${unit.probe} ${unit.dtype}`;
}
