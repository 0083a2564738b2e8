// How much arithmetic a phase of a request does for each byte that it has to move: where it lies under a roofline.

import type { Work } from "../kernels/kernel";
import { decodeWork, type PassWork, promptWork } from "./prediction/operators";
import type { Model } from "./prediction/pass_time";

/** FLOP and bytes of either phase. */
export interface PhaseWork {
  readonly prefill: Work;
  readonly decode: Work;
}

export interface PhaseRequest {
  /** Tokens of each prompt, and how many of them are in a cache. */
  readonly prompt: number;
  readonly cached: number;
  readonly output: number;
  readonly batch: number;
}

const work = (
  { matrixFlops, attentionFlops, expertWeights, otherWeights, cacheNumbers }: PassWork,
  { weights: { bits, outsideBits = bits }, cacheBytes }: Model,
): Work => ({
  flops: matrixFlops + attentionFlops,
  bytes: (expertWeights * bits + otherWeights * outsideBits) / 8 + cacheNumbers * cacheBytes,
});

/**
 * FLOP and bytes of reading all prompts of a batch, and of writing one token for each of its sequences at the answer's mean
 * context. Weights count once, as if all of a phase were one pass; activations count as staying on the chip.
 */
export function phaseWork(model: Model, { prompt, cached, output, batch }: PhaseRequest): PhaseWork {
  const whole = work(promptWork(model.architecture, prompt, batch), model);
  const known = cached === 0 ? 0 : work(promptWork(model.architecture, cached, batch), model).flops;
  return {
    prefill: { flops: whole.flops - known, bytes: whole.bytes },
    decode: work(decodeWork(model.architecture, prompt + Math.ceil(output / 2), batch), model),
  };
}
