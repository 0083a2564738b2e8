// A prompt of which another request has left the beginning in the cache: only the rest is read, at its depth.

import { type Estimate, rateOf } from "./estimate";
import type { Predicted } from "./predict";
import { plus, times } from "./prediction/interval";
import type { Terms } from "./prediction/pass_time";

/**
 * What is predicted of a whole prompt without the reading of its first `cached` tokens: the time of the whole minus the
 * time of what is cached, and no less than reading the rest takes by itself. The interval keeps its width in e-folds: both
 * times are off by the same factor. Throughput is not predicted: a server's mixture of reading and writing is not known.
 */
export function withoutCached(
  whole: Predicted,
  cached: Predicted,
  rest: Predicted,
  request: {
    readonly prompt: number;
    readonly cached: number;
    readonly output: number;
    readonly batch: number;
  },
): Predicted {
  if (whole.status !== "predicted" || whole.prefill === undefined) return whole;
  if (cached.status !== "predicted" || rest.status !== "predicted") return whole;
  if (cached.prefill === undefined || rest.prefill === undefined) return whole;
  const [all, before, alone] = [whole.prefill, cached.prefill, rest.prefill];
  const left = all.seconds.value - before.seconds.value;
  const apart = left > alone.seconds.value;
  const seconds: Estimate = apart ? times(all.seconds, left / all.seconds.value) : alone.seconds;
  const terms = apart ? difference(all.terms, before.terms) : alone.terms;
  const latency = plus(seconds, times(whole.tpot, request.output - 1));
  const fresh = request.prompt - request.cached;
  return {
    ...whole,
    prefill: { seconds, terms, tokensPerSecond: rateOf(fresh * request.batch, seconds) },
    ttft: seconds,
    latency,
    throughput: request.batch === 1 ? rateOf(request.output, latency) : undefined,
    assumptions: [
      ...whole.assumptions,
      `${request.cached} of ${request.prompt} prompt tokens are in the cache`,
    ],
  };
}

const difference = (a: Terms, b: Terms): Terms => ({
  weightsRead: a.weightsRead - b.weightsRead,
  cacheRead: a.cacheRead - b.cacheRead,
  arithmetic: a.arithmetic - b.arithmetic,
  attention: a.attention - b.attention,
  unpacking: a.unpacking - b.unpacking,
  activations: a.activations - b.activations,
  overhead: a.overhead - b.overhead,
  communication: a.communication - b.communication,
});
