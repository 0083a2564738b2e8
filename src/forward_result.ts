// Models that were run whole: which ones a plan asks for, and what came of each. Units: seconds, bytes, FLOP.

import * as v from "valibot";
import { positive, seconds, text, whole } from "./bounds";
import { type CacheType, cacheOf, cacheTypes, type DType } from "./kernels/elements";
import { dtypeSchema, type Plan, type Preset } from "./plan";
import { clockSchema, orderStatisticsSchema } from "./timing";
import { decodeId, prefillId } from "./workloads";

export const MAX_FORWARDS = 64;

/** Samples of one kind; more are not taken. */
const MAX_FORWARD_SAMPLES = 4096;

const caseFields = {
  model: text,
  dtype: dtypeSchema,
  /** Tokens of each prompt. */
  prompt: v.pipe(whole(2 ** 20), v.minValue(1)),
  /** Tokens that each answer was asked to have; fewer may have been written. */
  generate: v.pipe(whole(2 ** 20), v.minValue(1)),
  /** Tokens in the KV cache before. */
  depth: whole(2 ** 24),
  /** Sequences. */
  batch: v.pipe(whole(1024), v.minValue(1)),
  /** How the KV cache is stored. */
  kv: v.picklist(cacheTypes),
  /** Whether kernels that can do several things at once did. */
  fused: v.boolean(),
};

/** What a result of samples thinned for a link keeps of them: what reports read. */
const thinnedSchema = v.strictObject({
  kind: v.literal("order-statistics"),
  ...orderStatisticsSchema.entries,
  p90: positive,
  p99: positive,
});

/** Samples in time order, none dropped; or what a link keeps of them. */
export const timesSchema = v.variant("kind", [
  v.strictObject({
    kind: v.literal("samples"),
    seconds: v.pipe(v.array(positive), v.minLength(1), v.maxLength(MAX_FORWARD_SAMPLES)),
  }),
  thinnedSchema,
]);

const amount = v.pipe(v.number(), v.finite(), v.minValue(0), v.maxValue(1e30));

/** FLOP, and bytes by what they are: weights, the KV cache, what passes from kernel to kernel. */
const workSchema = v.strictObject({ flops: amount, weights: amount, cache: amount, activations: amount });

const dispatches = v.pipe(whole(1e7), v.minValue(1));
const memory = whole(2 ** 50);

/** Bytes by what they are for: what was planned, and exactly that was allocated. */
const bytesSchema = v.strictObject({
  matrix: memory,
  vector: memory,
  table: memory,
  cache: memory,
  state: memory,
  activations: memory,
  scratch: memory,
  control: memory,
});

const count = v.pipe(whole(1e6), v.minValue(1));

const measuredSchema = v.strictObject({
  status: v.literal("measured"),
  ...caseFields,
  /** Tokens of each prompt that one pass read at most. */
  chunk: v.pipe(whole(2 ** 20), v.minValue(1)),
  /** Layers whose weights were in memory at once; the others took theirs in turn. */
  residentLayers: count,
  ofLayers: count,
  bytes: bytesSchema,
  prefill: v.strictObject({
    /** From the submit of the prompts to their first sampled tokens on the CPU. */
    times: timesSchema,
    dispatches,
    work: workSchema,
  }),
  /** Steps that follow each other on the GPU, each fed with the token that the one before sampled there. */
  decode: v.strictObject({
    /** The GPU's own clock, from the end of a step to that of the next; or the wall clock over `grouped` steps each. */
    clock: clockSchema,
    /** Seconds per step. */
    times: timesSchema,
    grouped: count,
    steps: count,
    stepsPerSubmit: count,
    /** All steps by the wall clock, from the first submit to the last completion. */
    wall: positive,
    dispatches,
    /** Of the step in the middle. */
    work: workSchema,
  }),
  /** Seconds of steps whose token was read back before the next was submitted. */
  interactive: timesSchema,
  /** One step, each dispatch timed by itself, summed up by what it is in the model; null without timestamps. */
  breakdown: v.nullable(
    v.pipe(v.array(v.strictObject({ label: text, kernel: text, count, seconds })), v.maxLength(64)),
  ),
  /** The steps of decode that came after `seconds` of them without a pause; null where the plan asks for none. */
  sustained: v.nullable(v.strictObject({ seconds: positive, times: timesSchema })),
  /** The page was hidden meanwhile: browsers slow such pages down. */
  hidden: v.boolean(),
});

const without = { ...caseFields, reason: text };

export const forwardSchema = v.variant("status", [
  measuredSchema,
  v.strictObject({ status: v.literal("skipped"), ...without }),
  v.strictObject({ status: v.literal("failed"), ...without }),
]);

const caseSchema = v.strictObject(caseFields);

/** A model to be run whole: what identifies it in a result. */
export type ForwardCase = Readonly<v.InferOutput<typeof caseSchema>>;
export type ForwardOutcome = v.InferOutput<typeof forwardSchema>;
export type MeasuredForward = v.InferOutput<typeof measuredSchema>;
export type ForwardSamples = v.InferOutput<typeof timesSchema>;

/** Seconds that a run of one whole model is meant to take, once it is tuned and its weights are made. */
export const forwardSeconds: Readonly<Record<Preset, number>> = {
  smoke: 1,
  quick: 5,
  standard: 15,
  rigorous: 60,
};

/** What a plan's words for the KV cache mean beside weights of a type, each once. */
const cachesOf = ({ kv }: Plan, dtype: DType): CacheType[] => [
  ...new Set(kv.map((word) => (word === "auto" ? cacheOf[dtype] : word))),
];

/** Every whole model that a plan asks for, or these instead of its own. Where it asks for no prompt or no answer, one token stands for it. */
export function forwardCases(plan: Plan, models: readonly string[] = plan.model): ForwardCase[] {
  if (!plan.forward) return [];
  const orOne = (list: readonly number[]) => (list.length === 0 ? [1] : list);
  return plan.dtype.flatMap((dtype) =>
    models.flatMap((model) =>
      plan.depth.flatMap((depth) =>
        orOne(plan.pp).flatMap((prompt) =>
          orOne(plan.tg).flatMap((generate) =>
            plan.batch.flatMap((batch) =>
              cachesOf(plan, dtype).flatMap((kv) =>
                plan.fused.map((fused) => ({ model, dtype, prompt, generate, depth, batch, kv, fused })),
              ),
            ),
          ),
        ),
      ),
    ),
  );
}

/** The case of an outcome, without what came of it. */
export const caseOf = (given: ForwardCase): ForwardCase => {
  const { model, dtype, prompt, generate, depth, batch, kv, fused } = given;
  return { model, dtype, prompt, generate, depth, batch, kv, fused };
};

/** Reading and writing as llama-bench names them together: "pp512+tg128 @ d4096 b8"; then what is not as usual. */
export const forwardId = ({ prompt, generate, depth, batch, dtype, kv, fused }: ForwardCase): string => {
  const cache = kv === cacheOf[dtype] ? "" : ` kv ${kv}`;
  return `${prefillId(prompt, 0)}+${decodeId(generate, depth, batch)}${cache}${fused ? "" : " unfused"}`;
};

/** "llama-3.2-1b pp512+tg128 f32": equal for equal cases. */
export const forwardName = (given: ForwardCase): string =>
  `${given.model} ${forwardId(given)} ${given.dtype}`;
