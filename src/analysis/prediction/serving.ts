// Many requests at once: how many sequences the memory holds, and what a server that keeps them all going delivers.

import { cachedNumbers } from "./architecture";
import { type Efficiencies, quantity } from "./efficiency";
import { decodeTerms, type Model, promptTerms, totalSeconds } from "./pass_time";
import { type Setting, USABLE_MEMORY, weightBytesOf } from "./setting";

/** Bytes that one token adds to the KV cache. Windows are not counted: servers keep the pages of all layers alike. */
export const cacheBytesPerToken = ({ architecture, cacheBytes }: Model): number =>
  architecture.num_hidden_layers * cachedNumbers(architecture) * cacheBytes;

/** Sequences that a server takes on at most, however much memory is left: the default of trtllm-bench is 2048. */
export const MOST_SEQUENCES = 1024;

/** Sequences of `tokens` tokens whose cache fits beside the weights; 0 where not even the weights fit. */
export function sequencesThatFit(model: Model, capacity: number, chips: number, tokens: number): number {
  const left = USABLE_MEMORY * capacity * chips - weightBytesOf(model);
  return Math.max(0, Math.min(MOST_SEQUENCES, Math.floor(left / (cacheBytesPerToken(model) * tokens))));
}

/** Chips that hold the weights and one sequence of `tokens` tokens. */
export const chipsToHold = (model: Model, capacity: number, tokens: number): number =>
  Math.ceil((weightBytesOf(model) + cacheBytesPerToken(model) * tokens) / (USABLE_MEMORY * capacity));

/** Tokens that a server takes through the model in one pass over prompts. */
const PROMPT_PASS = 2048;

/**
 * Output tokens per second of `batch` sequences that are kept going on chips that share every layer: each reads its
 * prompt, then writes its answer with the others, B·out / (B·prefill + out·step(B, in + out/2)).
 */
export function servedTokensPerSecond(
  { model, machine, traits }: Setting,
  known: Efficiencies,
  input: number,
  output: number,
  batch: number,
): number | undefined {
  const together = Math.max(1, Math.min(batch, Math.round(PROMPT_PASS / input)));
  const prompt = promptTerms(model, machine, traits, known, input, together);
  if (prompt === undefined) return undefined;
  const step = totalSeconds(decodeTerms(model, machine, traits, known, input + Math.ceil(output / 2), batch));
  const reading = (batch * totalSeconds(prompt)) / together;
  return (quantity("serving", traits, known) * batch * output) / (reading + output * step);
}
