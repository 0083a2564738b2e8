// Fusions that depend on how calls are computed, and so are found once that is chosen.

import { kernelOf } from "../kernels";
import { type Choice, variantOf } from "../kernels/choices";
import type { Gpu } from "./device";
import type { PlannedDispatch } from "./forward_plan";
import { unfit } from "./pipeline";

const stagesOf = ({ call, dtype, choice }: PlannedDispatch) =>
  variantOf(kernelOf(call.kernel), choice).stages(choice.tuning, call.shape, dtype);

/** The norm of a dispatch with its rows rounded besides; undefined where there is none. */
function quantising(gpu: Gpu, { call, dtype, choice }: PlannedDispatch): Choice | undefined {
  if (call.kernel !== "add_rms_norm") return undefined;
  const found = { variant: "quantising", tuning: choice.tuning };
  return unfit(gpu, kernelOf(call.kernel), found, call.shape, dtype) === undefined ? found : undefined;
}

/** Whether a dispatch begins by rounding what the norm before it has written. */
function roundsFirst(dispatch: PlannedDispatch, normed: string | undefined): boolean {
  const [first] = stagesOf(dispatch);
  return first?.shader === "quantise" && dispatch.binds.x?.tensor === normed;
}

/**
 * Lets norms round what they give to eight bits where the products after them would do it first: these begin with their
 * second stage then.
 */
export function quantiseInNorms(gpu: Gpu, dispatches: readonly PlannedDispatch[]): PlannedDispatch[] {
  const fused = [...dispatches];
  for (const [at, norm] of dispatches.entries()) {
    const choice = quantising(gpu, norm);
    if (choice === undefined) continue;
    let next = at + 1;
    for (; next < fused.length && roundsFirst(fused[next]!, norm.binds.normed?.tensor); next++)
      fused[next] = { ...fused[next]!, stagesDone: 1 };
    if (next > at + 1) fused[at] = { ...norm, choice };
  }
  return fused;
}
