// How long one pass takes: reading, arithmetic, unpacking, overhead and communication, each over what calibration says
// that a runtime reaches of the chip's figures. docs/model.md states each formula once.

import type { Architecture } from "./architecture";
import { type Efficiencies, quantity, type Traits } from "./efficiency";
import { decodeWork, type PassWork, promptWork } from "./operators";
import type { WeightFormat } from "./weight_format";

/** What a pass runs on: `chips` chips that share every layer. Base units. */
export interface Machine {
  readonly chips: number;
  readonly bandwidth: number;
  /** Matrix peak in the weights' arithmetic; undefined where nobody has published one. */
  readonly matrixPeak: number | undefined;
  /** The 16-bit peak, which attention is computed at. */
  readonly attentionPeak: number | undefined;
  readonly vectorPeak: number | undefined;
  /** byte/s that a chip sends. */
  readonly link: number;
}

export interface Model {
  readonly architecture: Architecture;
  readonly weights: WeightFormat;
  /** Bytes of one number in the KV cache. */
  readonly cacheBytes: number;
}

/** Seconds that a pass is made of; they add up to its time. */
export interface Terms {
  readonly weightsRead: number;
  readonly cacheRead: number;
  /** Matrix products, as far as reading the weights does not hide them. */
  readonly arithmetic: number;
  readonly attention: number;
  /** Of packed weights, as far as reading them does not hide it. */
  readonly unpacking: number;
  /** What lies between matrix products: norms, rotations, gates, rounding to narrow formats. */
  readonly activations: number;
  readonly overhead: number;
  readonly communication: number;
}
export type Term = keyof Terms;

export const totalSeconds = (terms: Terms): number =>
  terms.weightsRead +
  terms.cacheRead +
  terms.arithmetic +
  terms.attention +
  terms.unpacking +
  terms.activations +
  terms.overhead +
  terms.communication;

/** Bytes of the weights that a pass reads once. */
const bytesRead = (work: PassWork, { bits, outsideBits = bits }: WeightFormat): number =>
  (work.expertWeights * bits + work.otherWeights * outsideBits) / 8;

/**
 * What a second kind of work adds to the reading that it overlaps with: nearly nothing if it is much shorter, nearly all
 * that it is longer, and between them some of both, as kernels never overlap perfectly (a norm of order 3).
 */
const beyond = (work: number, reading: number): number => Math.cbrt(work ** 3 + reading ** 3) - reading;

/** Bytes of an activation that chips exchange. */
const ACTIVATION_BYTES = 2;

/**
 * All-reduces of a pass: two per layer (after attention and after the feed-forward), each sends 2·(n − 1)/n of the
 * activations (ring all-reduce) and waits for log2(n) steps.
 */
function communication(
  model: Architecture,
  { chips, link }: Machine,
  tokens: number,
  latency: number,
): number {
  if (chips <= 1) return 0;
  const bytes = tokens * model.hidden_size * ACTIVATION_BYTES;
  const each = latency * Math.log2(chips) + (2 * ((chips - 1) / chips) * bytes) / link;
  return 2 * model.num_hidden_layers * each;
}

/** How much longer a single-board computer's core takes to launch a kernel: single-thread scores of a Cortex-A76 and a desktop. */
const SLOW_HOST = 4;

/** Seconds to write one token for each of `batch` sequences that hold `context` tokens. */
export function decodeTerms(
  { architecture, weights, cacheBytes }: Model,
  machine: Machine,
  traits: Traits,
  known: Efficiencies,
  context: number,
  batch: number,
): Terms {
  const { chips, bandwidth, matrixPeak, vectorPeak } = machine;
  const work = decodeWork(architecture, context, batch);
  const get = (name: Parameters<typeof quantity>[0]) => quantity(name, traits, known);
  const weightsRead = bytesRead(work, weights) / (chips * bandwidth * get("weightBandwidth"));
  const unpacking =
    weights.packed && vectorPeak !== undefined
      ? ((work.expertWeights + work.otherWeights) * get("unpacking")) / (chips * vectorPeak)
      : 0;
  const multiplying =
    matrixPeak === undefined ? 0 : work.matrixFlops / (chips * matrixPeak * get("decodeArithmetic"));
  // The same cores do both, and hide both behind the reading together.
  const computing = multiplying + unpacking;
  const share = computing > 0 ? beyond(computing, weightsRead) / computing : 0;
  return {
    weightsRead,
    cacheRead: (work.cacheNumbers * cacheBytes) / (chips * bandwidth * get("cacheBandwidth")),
    arithmetic: share * multiplying,
    // One query per head gives a GPU too little to do, unless kernels split its keys, as servers' do.
    attention: traits.engine === "ggml" ? work.attentionFlops / (chips * get("queryAttention")) : 0,
    unpacking: share * unpacking,
    activations: 0,
    overhead:
      architecture.num_hidden_layers * get("decodeOverhead") * (traits.host === "slow" ? SLOW_HOST : 1),
    communication: communication(architecture, machine, batch, get("collective")),
  };
}

/** Attention over a prompt reaches less of the peak than matrix products do: its rows are short and its softmax is not counted. */
const ATTENTION_SHARE = 0.4;

/** Tokens that a runtime on GGML takes through the model at once (llama.cpp's -ub); servers take whole prompts. */
const MICRO_BATCH = 512;

/** Seconds to read `sequences` prompts of `tokens` tokens in one pass; undefined where no peak is published. */
export function promptTerms(
  { architecture, weights, cacheBytes }: Model,
  machine: Machine,
  traits: Traits,
  known: Efficiencies,
  tokens: number,
  sequences: number,
): Terms | undefined {
  const { chips, bandwidth, matrixPeak, attentionPeak } = machine;
  if (matrixPeak === undefined || attentionPeak === undefined) return undefined;
  const work = promptWork(architecture, tokens, sequences);
  const get = (name: Parameters<typeof quantity>[0]) => quantity(name, traits, known);
  const layers = architecture.num_hidden_layers;
  const share = get("prefillArithmetic");
  const perFlop = 1 / (matrixPeak * share) + 1 / get("saturation");
  const passes = traits.engine === "ggml" ? Math.max(1, (tokens * sequences) / MICRO_BATCH) : 1;
  const weightsRead = (passes * bytesRead(work, weights)) / (chips * bandwidth * get("weightBandwidth"));
  const multiplying = (work.matrixFlops * perFlop) / chips;
  return {
    weightsRead,
    cacheRead: (work.cacheNumbers * cacheBytes) / (chips * bandwidth),
    arithmetic: beyond(multiplying, weightsRead),
    attention: work.attentionFlops / (chips * attentionPeak * share * ATTENTION_SHARE),
    unpacking: 0,
    activations:
      (tokens * sequences * layers * architecture.hidden_size * get("activations")) / (chips * bandwidth),
    overhead: passes * layers * get("promptOverhead"),
    communication: communication(architecture, machine, tokens * sequences, get("collective")),
  };
}
