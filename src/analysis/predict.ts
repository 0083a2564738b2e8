// What a model would do on a chip that nobody here has: prompt and answer speed, latency and throughput, each with an
// interval and with the terms that it is made of. docs/model.md states the formulae, docs/residuals.md how far off they are.

import type { Chip } from "../chips/chip";
import type { Estimate } from "./estimate";
import type { Architecture } from "./prediction/architecture";
import { capacityOf, type UsedFigure } from "./prediction/chip_figures";
import efficiencies from "./prediction/efficiencies.json";
import { type Category, inflated } from "./prediction/interval";
import { decodeTerms, promptTerms, type Terms, totalSeconds } from "./prediction/pass_time";
import { chipsToHold, servedTokensPerSecond, sequencesThatFit } from "./prediction/serving";
import { precisionOf, settingOf } from "./prediction/setting";
import type { Stack } from "./prediction/stack";
import type { WeightFormat } from "./prediction/weight_format";

export interface PredictionRequest {
  readonly chip: Chip;
  /** Chips that share every layer (tensor parallelism). One, unless stated. */
  readonly chips?: number;
  readonly model: Architecture;
  readonly weights: WeightFormat;
  /** Bytes of one number in the KV cache: 2 unless stated. */
  readonly cacheBytes?: number;
  /** Tokens of the prompt, and of the answer. */
  readonly prompt: number;
  readonly output: number;
  /** Sequences that are worked on together. */
  readonly batch: number;
  /** The runtime; the usual one for the chip unless stated. */
  readonly stack?: Stack;
}

/** One phase of a request: its time, its speed over all sequences, and the seconds it is made of. */
export interface Phase {
  readonly seconds: Estimate;
  readonly tokensPerSecond: Estimate;
  /** They add up to the value of `seconds`. */
  readonly terms: Terms;
}

export type Predicted =
  | {
      readonly status: "predicted";
      /** Reading all prompts of the batch. */
      readonly prefill: Phase;
      /** Writing one token for each sequence, at the answer's mean context. */
      readonly decode: Phase;
      /** Seconds until the first token. */
      readonly ttft: Estimate;
      /** Seconds per token and sequence after it. */
      readonly tpot: Estimate;
      /** Seconds from the prompt to the last token. */
      readonly latency: Estimate;
      /** Output tokens per second of a server that keeps `batch` sequences going. */
      readonly throughput: Estimate;
      readonly chips: number;
      readonly figures: readonly UsedFigure[];
      readonly assumptions: readonly string[];
    }
  | {
      readonly status: "not-predicted";
      readonly reason: string;
      /** Chips that would hold weights and KV cache, where memory is what lacks. */
      readonly chipsToHold?: number;
    };

/** What people run on such a chip. */
export function usualStack(chip: Chip): Stack {
  if (chip.class === "consumer-gpu" || chip.class === "apple-soc" || chip.class === "integrated-gpu")
    return "llama.cpp";
  if (chip.class === "cpu" || chip.class === "mobile") return "llama.cpp";
  if (chip.class === "datacenter-gpu") return chip.vendor === "NVIDIA" ? "tensorrt-llm" : "vllm";
  if (chip.class === "tpu") return "vllm";
  if (/^(wormhole|blackhole)/.test(chip.id)) return "tt-metal";
  return "provider";
}
