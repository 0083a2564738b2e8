// What a training step has to move and compute.

import { type KernelName, workOf } from "../kernels";
import type { Work } from "../kernels/kernel";
import type { TrainingPass, TrainingPhase } from "./training_pass";

/**
 * Of these kernels' FLOP what is not done already: attention's way back is five products of heads' vectors, the scores once
 * more, dP, dQ, dK and dV (FlashAttention-2, arXiv 2307.08691), however often they are made.
 */
const NEEDED: Partial<Record<KernelName, number>> = { attention_stats: 0, attention_dkv: 1 / 2 };

/** FLOP that a step needs, and bytes that its kernels read and write, by what it does. */
export function trainingWork({ dispatches }: Pick<TrainingPass, "dispatches">): Record<TrainingPhase, Work> {
  const of = (phase: TrainingPhase): Work => {
    let [flops, bytes] = [0, 0];
    for (const each of dispatches) {
      if (each.phase !== phase) continue;
      const work = workOf(each.call, each.dtype);
      flops += work.flops * (NEEDED[each.call.kernel] ?? 1);
      bytes += work.bytes;
    }
    return { flops, bytes };
  };
  return { forward: of("forward"), backward: of("backward"), optimiser: of("optimiser") };
}
