// Kinds of requests as data: how much is read, how much of that is in a cache already, how much is written.

import type { DType } from "../kernels/elements";
import { decode, kvCacheBytes, type ModelConfig, prefill, type Workload } from "../workloads";

export interface Scenario {
  readonly id: string;
  readonly title: string;
  /** Tokens of context before the first one is written. */
  readonly prompt: number;
  /** Of these, tokens at its beginning whose keys and values another request has left. */
  readonly cachedPrompt: number;
  /** Tokens to write. */
  readonly output: number;
  readonly note: string;
}

export const scenarios = [
  {
    id: "chat",
    title: "Chat",
    prompt: 1024,
    cachedPrompt: 0,
    output: 128,
    note: "about the medians of Azure's conversation trace of 2023, 1,020 and 129 (Splitwise, arXiv 2311.18677)",
  },
  {
    id: "summarise",
    title: "Summarise a document",
    prompt: 8192,
    cachedPrompt: 0,
    output: 256,
    note: "32 tokens read for each written",
  },
  {
    id: "reasoning",
    title: "Reasoning",
    prompt: 1024,
    cachedPrompt: 0,
    output: 1280,
    note: "a chat that thinks: ten times its output",
  },
  {
    id: "long-reasoning",
    title: "Long reasoning",
    prompt: 1024,
    cachedPrompt: 0,
    output: 12_800,
    note: "a hundred times a chat's output",
  },
  {
    id: "agent",
    title: "A turn of an agent",
    prompt: 51_200,
    cachedPrompt: 50_176,
    output: 512,
    note: "input to output 100:1 as Manus reports (manus.im, 2025-07-18); the history is in the cache, the last tool's answer is not",
  },
] as const satisfies readonly Scenario[];

/** Tokens that have to be read: the prompt without what is cached. Throws a RangeError where nothing is left to read. */
export function freshPrompt({ id, prompt, cachedPrompt }: Scenario): number {
  if (!(Number.isInteger(cachedPrompt) && cachedPrompt >= 0 && cachedPrompt < prompt))
    throw new RangeError(
      `${id} has ${cachedPrompt} of ${prompt} prompt tokens cached: at least one has to be read`,
    );
  return prompt - cachedPrompt;
}

/** Prefill of one request and decode of a batch of them. */
export function scenarioWorkloads(
  id: string,
  model: ModelConfig,
  scenario: Scenario,
  batch: number,
): { readonly prefill: Workload; readonly decode: Workload } {
  return {
    prefill: prefill(id, model, freshPrompt(scenario), scenario.cachedPrompt),
    decode: decode(id, model, scenario.output, scenario.prompt, batch),
  };
}

/** Bytes of keys and values of the prompt: what decode elsewhere has to be sent. */
export const promptCacheBytes = (model: ModelConfig, { prompt }: Scenario, dtype: DType): number =>
  kvCacheBytes(model, prompt, dtype);
