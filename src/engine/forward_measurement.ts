// What a run of a whole model is asked for and what it says: plain data.

import type { CacheType, DType } from "../kernels/elements";
import type { ForwardWork, Fusions, ModelConfig, Sampling } from "../workloads";
import { bytesByRole, type ForwardPlan, type PlannedBuffer } from "./forward_plan";

/** How often and how long. */
export interface ForwardAmount {
  /** Steps of decode in a row without the CPU; and so many with each token read back. */
  readonly generate: number;
  readonly interactive: number;
  /** How often the prompt is read. */
  readonly repetitions: number;
  /** Seconds of writing without a pause after which steps are timed once more; 0 for not at all. */
  readonly sustain: number;
}

/** What to run: there is room for all of it. */
export interface ForwardRun extends ForwardAmount {
  readonly model: ModelConfig;
  readonly dtype: DType;
  /** How the KV cache is stored. */
  readonly cache: CacheType;
  /** Sequences, all alike. */
  readonly batch: number;
  /** Tokens in the KV cache of each sequence before: random numbers, as no speed depends on what they are. */
  readonly depth: number;
  /** Tokens of each prompt; from 1 on. */
  readonly prompt: number;
  /** Tokens of a prompt that one pass reads at most, as llama.cpp's ubatch: no dispatch gets longer than that makes it. */
  readonly chunk: number;
  readonly sampling: Sampling;
  readonly fused: Fusions;
  /** Bytes for weights: a larger model's layers take turns with as many as fit. */
  readonly memory: number;
}

/** What a run will take, exactly, before any of it is allocated. */
export interface ForwardMemory {
  readonly bytes: number;
  readonly byRole: Readonly<Record<PlannedBuffer["role"], number>>;
  readonly residentLayers: number;
  readonly ofLayers: number;
}

/** Seconds of many steps, one number each, in time order, none dropped. */
export interface ForwardTimes {
  /** The GPU's own clock, from the end of one step to the end of the next; or the wall clock, over `grouped` steps each. */
  readonly clock: "timestamp-query" | "wall";
  readonly samples: readonly number[];
  readonly grouped: number;
  /** All of it by the wall clock, from the first submit to the last completion. */
  readonly wall: number;
  readonly steps: number;
}

export interface ForwardMeasurement {
  readonly memory: ForwardMemory;
  /** From the submit of the prompt to its first sampled token on the CPU. */
  readonly prefill: {
    readonly secondsToFirstToken: readonly number[];
    readonly tokens: number;
    readonly dispatches: number;
    readonly work: ForwardWork;
  };
  /** Steps that follow each other on the GPU. `work` is that of the step in the middle. */
  readonly decode: ForwardTimes & {
    readonly dispatches: number;
    readonly stepsPerSubmit: number;
    readonly work: ForwardWork;
  };
  /** Steps whose token is read back before the next is submitted: seconds from submit to token. */
  readonly interactive: readonly number[];
  /** Steps after `seconds` of writing without a pause; null where none were asked for. */
  readonly sustained: { readonly seconds: number; readonly samples: readonly number[] } | null;
  /** One step, each dispatch timed by itself: longest label first; null without timestamps. Passes cost time: shares count. */
  readonly breakdown:
    | readonly {
        readonly label: string;
        readonly kernel: string;
        readonly count: number;
        readonly seconds: number;
      }[]
    | null;
  /** The tokens of the first sequence that were written: what was computed, not only how fast. */
  readonly written: readonly number[];
}

/** What a plan takes. */
export const memoryOf = (plan: ForwardPlan): ForwardMemory => ({
  bytes: plan.bytes,
  byRole: bytesByRole(plan),
  residentLayers: plan.passes[0]?.options.residentLayers ?? 0,
  ofLayers: plan.passes[0]?.model.num_hidden_layers ?? 0,
});
