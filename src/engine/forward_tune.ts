// The best choice for each kind of call of a forward pass, searched for on synthetic weights before the model takes
// the memory.

import { type AnyCall, kernelOf } from "../kernels";
import type { Choice } from "../kernels/choices";
import type { DType } from "../kernels/elements";
import { bytesOf } from "../kernels/kernel";
import type { Result, TuningRecord } from "../result";
import type { ForwardPass } from "../workloads";
import type { Gpu } from "./device";
import { efforts } from "./effort";
import { type Choose, firstFitting } from "./forward_plan";
import { isStreamed } from "./pieces";
import { fittingStarts, unfit } from "./pipeline";
import type { Session } from "./session";
import type { Timer } from "./timer";
import { tune } from "./tune";
import { allocateWeights, streamedBy } from "./weights";

/** Weights that candidates are timed on: more than a call streams at once, and than most caches hold. */
const TUNING_BYTES = 2 ** 26;

/** What a call may stream of them, so that it rotates through some places. */
const MOST_STREAMED = TUNING_BYTES / 4;

/** What is worth a search beyond the starts: nearly all time is spent there. */
const SEARCHED: ReadonlySet<string> = new Set([
  ...["matmul", "matvec", "swiglu", "attention", "attention_q8_0", "sink_attention"],
  ...["expert_matvec", "expert_swiglu", "expert_matmul"],
  ...["matmul_nn", "matmul_tn", "attention_dq", "attention_dkv"],
]);

export const isSearched = ({ kernel }: AnyCall): boolean => SEARCHED.has(kernel);

const bytesStreamed = ({ kernel, shape }: AnyCall, dtype: DType): number =>
  kernelOf(kernel)
    .operands(shape, dtype)
    .filter(isStreamed)
    .reduce((sum, operand) => sum + bytesOf(operand), 0);

/** A part of the call, of the same class, that streams no more than it may; the call where it cannot be divided. */
function small(call: AnyCall, dtype: DType): AnyCall {
  const kernel = kernelOf(call.kernel);
  const parts = Math.ceil(bytesStreamed(call, dtype) / MOST_STREAMED);
  return parts <= 1 || kernel.split === undefined
    ? call
    : { ...call, shape: kernel.split(call.shape, parts) };
}

/**
 * Searches for `seconds` for each kind of product and of attention, and among the starts for everything else. Throws
 * where nothing computes a call.
 */
export async function tuneForward(
  gpu: Gpu,
  timer: Timer,
  passes: readonly Pick<ForwardPass, "dispatches">[],
  { seconds, note = () => {} }: { readonly seconds: number; readonly note?: (label: string) => void },
): Promise<{ choose: Choose; records: TuningRecord[] }> {
  const found = new Map<string, Choice>();
  const records: TuningRecord[] = [];
  const keyOf = ({ kernel, shape }: AnyCall, dtype: DType) =>
    `${kernel} ${dtype} ${kernelOf(kernel).shapeClass(shape)}`;
  const wanted = new Map<string, { call: AnyCall; dtype: DType }>();
  for (const { call, dtype } of passes.flatMap(({ dispatches }) => dispatches))
    if (!wanted.has(keyOf(call, dtype))) wanted.set(keyOf(call, dtype), { call, dtype });

  for (const dtype of new Set([...wanted.values()].map((each) => each.dtype))) {
    const calls = [...wanted.values()].flatMap((each) => (each.dtype === dtype ? [each.call] : []));
    const weights = await allocateWeights(gpu, dtype, TUNING_BYTES, streamedBy(calls, dtype));
    try {
      for (const [key, each] of wanted) {
        if (each.dtype !== dtype) continue;
        const call = small(each.call, dtype);
        const from = fittingStarts(gpu, call.kernel, call.shape, dtype);
        const [only, ...others] = from;
        // A table that is looked up in is no matrix to stream: how its few rows are copied matters little.
        const tooMuch = bytesStreamed(call, dtype) > TUNING_BYTES / 2;
        if (only !== undefined && (others.length === 0 || tooMuch)) {
          found.set(key, only);
          continue;
        }
        note(`choosing ${key}`);
        const { choice, record } = await tune(gpu, timer, weights, call, dtype, {
          from,
          seconds: isSearched(call) ? seconds : 0,
        });
        found.set(key, choice);
        records.push(record);
      }
    } finally {
      weights.destroy();
    }
  }
  return {
    records,
    choose(call, dtype) {
      const chosen = found.get(keyOf(call, dtype));
      // What is best for another shape of the class may not suit this one.
      if (chosen !== undefined && unfit(gpu, kernelOf(call.kernel), chosen, call.shape, dtype) === undefined)
        return chosen;
      const [start] = fittingStarts(gpu, call.kernel, call.shape, dtype);
      if (start === undefined)
        throw new Error(`${call.kernel}: nothing computes it in ${dtype} on this device`);
      return start;
    },
  };
}

/** What a run has found or known for kernels of a call's class, where it suits the call too. */
const knownChoice =
  (gpu: Gpu, { tunings }: Pick<Result, "tunings">) =>
  (...[call, dtype]: Parameters<Choose>): Choice | undefined => {
    const kernel = kernelOf(call.kernel);
    const shapeClass = kernel.shapeClass(call.shape);
    return tunings.flatMap((each) =>
      each.kernel === call.kernel &&
      each.dtype === dtype &&
      each.shapeClass === shapeClass &&
      each.choice !== null &&
      unfit(gpu, kernel, each.choice, call.shape, dtype) === undefined
        ? [each.choice]
        : [],
    )[0];
  };

/**
 * The choices that this run has found for its kernels, and what is searched for beside them; `tried` is what is timed in
 * place of a dispatch, of the same class.
 */
export async function choosing<D extends ForwardPass["dispatches"][number]>(
  { gpu, timer }: Session,
  result: Result,
  passes: readonly { readonly dispatches: readonly D[] }[],
  tried: (dispatch: D) => D = (dispatch) => dispatch,
): Promise<Choose> {
  const known = knownChoice(gpu, result);
  const effort = efforts[result.plan.preset];
  let others: Choose = firstFitting(gpu);
  if (effort.search) {
    const unknown = passes.map(({ dispatches }) => ({
      dispatches: dispatches.filter(({ call, dtype }) => known(call, dtype) === undefined).map(tried),
    }));
    const { choose, records } = await tuneForward(gpu, timer, unknown, { seconds: effort.tuningSeconds });
    result.tunings.push(...records);
    others = choose;
  }
  return (call, dtype) => known(call, dtype) ?? others(call, dtype);
}
