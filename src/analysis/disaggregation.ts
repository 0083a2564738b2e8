// Prefill on one kind of hardware and decode on another, the KV cache sent over a link, against either doing both
// (Splitwise, arXiv 2311.18677; DistServe, arXiv 2401.09670). Steady state, requests that are all alike, no queues.

import type { Estimate } from "./estimate";
import { assertEstimate, assertNotNegative, assertPositive, monotone } from "./interval";

/** One copy of the model on the chips that hold it, as somebody predicts or measures it. */
export interface PhaseSpeeds {
  readonly name: string;
  /** Seconds to read this many prompts of the request at once. */
  prefillSeconds(batch: number): Estimate;
  /** Seconds of one decode step of this many sequences, at the request's mean depth. */
  decodeStepSeconds(batch: number): Estimate;
  /** Sequences whose KV cache fits beside the weights. */
  readonly maxBatch: number;
  /** Of all its chips; undefined where nobody has published a price. */
  readonly dollarsPerSecond: number | undefined;
  /** Of all its chips, at the meter; undefined where nobody has published it. */
  readonly watts: number | undefined;
  readonly chips: number;
}

export interface ServedRequest {
  /** Tokens to write; prefill gives the first of them. */
  readonly output: number;
  /** Keys and values of the prompt. */
  readonly kvBytes: number;
}

export interface Link {
  /** byte/s, one way, into one decode unit. */
  readonly bandwidth: number;
  /** Seconds. */
  readonly latency: number;
}

/** What serving in one way comes to. */
export interface Serving {
  readonly fits: true;
  /** Seconds from the request to the first token, when nothing is queued. */
  readonly ttft: Estimate;
  /** Mean seconds per token after the first. */
  readonly tpot: Estimate;
  /** Seconds of the whole request. */
  readonly latency: Estimate;
  /** Prefill units that keep one decode unit busy; 0 where it reads its prompts itself. */
  readonly prefillUnits: Estimate;
  /** Of one decode unit with its prefill units. */
  readonly requestsPerSecond: Estimate;
  /** Output tokens. */
  readonly tokensPerSecond: Estimate;
  readonly chips: Estimate;
  /** What stops more requests: the chips, or the link that feeds the decode unit. */
  readonly bound: "chips" | "link";
  /** Output tokens per dollar and per joule; undefined where a price or a power is not known. */
  readonly tokensPerDollar: Estimate | undefined;
  readonly tokensPerJoule: Estimate | undefined;
}

export type ServingOutcome = Serving | { readonly fits: false; readonly reason: string };

function asserted(request: ServedRequest, batch: number): void {
  if (!Number.isInteger(request.output) || request.output < 2)
    throw new RangeError(`output is ${request.output} tokens: what writes fewer than 2 has no decode`);
  assertPositive("KV cache in bytes", request.kvBytes);
  if (!Number.isInteger(batch) || batch < 1)
    throw new RangeError(`batch is ${batch}: it has to be a whole number from 1 up`);
}

/** Seconds of prefill of one request and of one decode step. */
function speedsOf(prefill: PhaseSpeeds, decode: PhaseSpeeds, batch: number) {
  const [reading, step] = [prefill.prefillSeconds(1), decode.decodeStepSeconds(batch)];
  assertEstimate(`prefill of ${prefill.name}`, reading);
  assertEstimate(`decode step of ${decode.name}`, step);
  return { reading, step };
}

const tooMany = ({ name, maxBatch }: PhaseSpeeds, batch: number): ServingOutcome => ({
  fits: false,
  reason: `${name} holds the KV caches of ${maxBatch} sequences, not of ${batch}`,
});

const known = (value: number | undefined): value is number => value !== undefined;

/**
 * One unit reads and writes. In the time that a request of `batch` others stays, b · prefill + (output - 1) · step, as
 * many are served: prefills of the others make each token later by (b - 1) · prefill / (output - 1).
 */
export function colocated(unit: PhaseSpeeds, request: ServedRequest, batch: number): ServingOutcome {
  asserted(request, batch);
  if (batch > unit.maxBatch) return tooMany(unit, batch);
  const { reading, step } = speedsOf(unit, unit, batch);
  const steps = request.output - 1;
  const latency = monotone((up) => batch * up(reading) + steps * up(step));
  const requestsPerSecond = monotone((_, down) => batch / down(latency));
  const tokensPer = (amount: number) => monotone((up) => (request.output * up(requestsPerSecond)) / amount);
  return {
    fits: true,
    ttft: reading,
    tpot: monotone((up) => up(step) + ((batch - 1) * up(reading)) / steps),
    latency,
    prefillUnits: { value: 0, low: 0, high: 0 },
    requestsPerSecond,
    tokensPerSecond: tokensPer(1),
    chips: { value: unit.chips, low: unit.chips, high: unit.chips },
    bound: "chips",
    tokensPerDollar: known(unit.dollarsPerSecond) ? tokensPer(unit.dollarsPerSecond) : undefined,
    tokensPerJoule: known(unit.watts) ? tokensPer(unit.watts) : undefined,
  };
}

/**
 * Prefill units feed one decode unit, as many as keep it busy: prefill · rate, a fraction where many decode units share
 * them. The rate is the slower of batch / ((output - 1) · step) and the link's bandwidth / kvBytes. The cache is sent
 * after the prompt was read and before the first token counts. A request costs its prefill on the one and its share of
 * the other.
 */
export function disaggregated(
  prefill: PhaseSpeeds,
  decode: PhaseSpeeds,
  request: ServedRequest,
  link: Link,
  batch: number,
): ServingOutcome {
  asserted(request, batch);
  assertPositive("bandwidth of the link", link.bandwidth);
  assertNotNegative("latency of the link", link.latency);
  if (batch > decode.maxBatch) return tooMany(decode, batch);
  const { reading, step } = speedsOf(prefill, decode, batch);
  const steps = request.output - 1;
  const linkRate = link.bandwidth / request.kvBytes;
  const rateAt = (stepSeconds: number) => Math.min(batch / (steps * stepSeconds), linkRate);
  const ttft = monotone((up) => up(reading) + request.kvBytes / link.bandwidth + link.latency);
  const requestsPerSecond = monotone((_, down) => rateAt(down(step)));
  const prefillUnits = monotone((up, down) => up(reading) * rateAt(down(step)));
  /** Output tokens for an amount that prefill and decode units spend each second. */
  const tokensPer = (prefilling: number, decoding: number) =>
    monotone((_, down) => request.output / (down(reading) * prefilling + decoding / rateAt(down(step))));
  return {
    fits: true,
    ttft,
    tpot: step,
    latency: monotone((up) => up(ttft) + steps * up(step)),
    prefillUnits,
    requestsPerSecond,
    tokensPerSecond: monotone((up) => request.output * up(requestsPerSecond)),
    chips: monotone((up) => up(prefillUnits) * prefill.chips + decode.chips),
    bound: linkRate < batch / (steps * step.value) ? "link" : "chips",
    tokensPerDollar:
      known(prefill.dollarsPerSecond) && known(decode.dollarsPerSecond)
        ? tokensPer(prefill.dollarsPerSecond, decode.dollarsPerSecond)
        : undefined,
    tokensPerJoule:
      known(prefill.watts) && known(decode.watts) ? tokensPer(prefill.watts, decode.watts) : undefined,
  };
}

/** The three ways to serve a request with two kinds of hardware, at the same batch. */
export const servingWays = (
  a: PhaseSpeeds,
  b: PhaseSpeeds,
  request: ServedRequest,
  link: Link,
  batch: number,
): { readonly onA: ServingOutcome; readonly onB: ServingOutcome; readonly fromAToB: ServingOutcome } => ({
  onA: colocated(a, request, batch),
  onB: colocated(b, request, batch),
  fromAToB: disaggregated(a, b, request, link, batch),
});
