// The work of a pass, operator by operator: the steps of the engine's own workloads, weighed with formats, experts and
// latent attention that the engine has no kernels for.

import { workOf } from "../../kernels";
import { decode, prefill, type Workload } from "../../workloads";
import {
  type Architecture,
  attentionInputWeights,
  cachedNumbers,
  expertsOf,
  workloadConfig,
} from "./architecture";

/** FLOP of matrix products and of attention, weights that are read, and numbers read from the KV cache. */
export interface PassWork {
  readonly matrixFlops: number;
  readonly attentionFlops: number;
  /** Weights, not bytes: those of experts, and all others. */
  readonly expertWeights: number;
  readonly otherWeights: number;
  readonly cacheNumbers: number;
}

/**
 * Experts of a layer that `tokens` tokens wake together, if each picks `perToken` of `total` by itself: all but those
 * that nobody picks, E·(1 − (1 − k/E)^B).
 */
export const activeExperts = (total: number, perToken: number, tokens: number): number =>
  total * (1 - (1 - perToken / total) ** tokens);

function work(model: Architecture, workload: Workload, tokens: number): PassWork {
  const experts = expertsOf(model);
  let matrixFlops = 0;
  let attentionFlops = 0;
  let expertWeights = 0;
  let otherWeights = 0;
  let cacheNumbers = 0;
  const layers = model.num_hidden_layers;
  const denseShare = experts === undefined ? 1 : experts.denseLayers / layers;
  const passes = workload.phase === "decode" ? workload.tokens / workload.batch : 1;
  for (const { label, call, count: calls } of workload.steps) {
    const count = calls / passes;
    if (call.kernel === "attention") {
      const { shape } = call;
      attentionFlops += count * workOf(call, "f16").flops;
      const keys = Math.min(shape.keys, shape.window + shape.queries - 1);
      cacheNumbers += count * shape.batch * keys * cachedNumbers(model);
      continue;
    }
    if (call.kernel !== "matmul" && call.kernel !== "matvec") continue;
    const { M, N, K } = call.shape;
    const isExpert = label === "gate_up_proj" || label === "down_proj";
    const size = label === "qkv_proj" ? attentionInputWeights(model) : N * K;
    const dense = isExpert ? denseShare : 1;
    matrixFlops += 2 * M * size * count * dense;
    otherWeights += size * count * dense;
    if (isExpert && experts !== undefined) {
      const expert = (label === "gate_up_proj" ? 2 : 1) * experts.intermediate * model.hidden_size;
      const read = activeExperts(experts.total, experts.perToken, tokens) + experts.shared;
      matrixFlops += 2 * M * expert * (experts.perToken + experts.shared) * experts.layers;
      expertWeights += expert * read * experts.layers;
    }
  }
  return { matrixFlops, attentionFlops, expertWeights, otherWeights, cacheNumbers };
}

/** One token for each of `batch` sequences that hold `context` tokens. */
export const decodeWork = (model: Architecture, context: number, batch: number): PassWork =>
  work(model, decode(model._name_or_path, workloadConfig(model), 1, context, batch), batch);

/** `sequences` prompts of `tokens` tokens, in one pass. */
export function promptWork(model: Architecture, tokens: number, sequences: number): PassWork {
  const one = prefill(model._name_or_path, workloadConfig(model), tokens, 0);
  const each = work(model, one, tokens * sequences);
  return {
    matrixFlops: each.matrixFlops * sequences,
    attentionFlops: each.attentionFlops * sequences,
    expertWeights: each.expertWeights,
    otherWeights: each.otherWeights,
    cacheNumbers: each.cacheNumbers * sequences,
  };
}
