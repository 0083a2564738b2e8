// Models that were trained for some steps: which ones a plan asks for, and what came of each. Units: seconds, bytes, FLOP.

import * as v from "valibot";
import { seconds, text, whole } from "./bounds";
import { timesSchema } from "./forward_result";
import { dtypeSchema, type Plan, type Preset } from "./plan";
import { clockSchema } from "./timing";

export { trainingPhases } from "./workloads";

export const MAX_TRAININGS = 64;

const natural = v.pipe(whole(2 ** 24), v.minValue(1));

const caseFields = {
  model: text,
  dtype: dtypeSchema,
  /** Tokens of each sequence that the plan asks for. */
  prompt: natural,
  /** Sequences of a step. */
  batch: v.pipe(whole(1024), v.minValue(1)),
};

const amount = v.pipe(v.number(), v.finite(), v.minValue(0), v.maxValue(1e30));

/** FLOP that are needed, and bytes that kernels read and write. */
const workSchema = v.strictObject({ flops: amount, bytes: amount });

const memory = whole(2 ** 50);

const measuredSchema = v.strictObject({
  status: v.literal("measured"),
  ...caseFields,
  /** Tokens of each sequence that there were: fewer than asked for on a device that would take too long. */
  tokens: natural,
  /** Layers that were trained, of those that the model has: as many as fit. */
  layers: natural,
  ofLayers: natural,
  /** What was planned, and exactly that was allocated. */
  bytes: v.strictObject({
    weights: memory,
    gradients: memory,
    moments: memory,
    activations: memory,
    other: memory,
  }),
  clock: clockSchema,
  /** Seconds of each step that counts. */
  times: timesSchema,
  /** Seconds of a step's phases: the medians. */
  phases: v.strictObject({ forward: seconds, backward: seconds, optimiser: seconds }),
  work: v.strictObject({ forward: workSchema, backward: workSchema, optimiser: workSchema }),
  /** Dispatches of a step. */
  dispatches: natural,
  /** The mean loss of the first step and of the last: all were on one batch. */
  loss: v.strictObject({ first: amount, last: amount }),
  /** Steps between and with these. */
  steps: natural,
  /** The page was hidden meanwhile: browsers slow such pages down. */
  hidden: v.boolean(),
});

const without = { ...caseFields, reason: text };

export const trainingSchema = v.variant("status", [
  measuredSchema,
  v.strictObject({ status: v.literal("skipped"), ...without }),
  v.strictObject({ status: v.literal("failed"), ...without }),
]);

const caseSchema = v.strictObject(caseFields);

/** A model to be trained: what identifies it in a result. */
export type TrainingCase = Readonly<v.InferOutput<typeof caseSchema>>;
export type TrainingOutcome = v.InferOutput<typeof trainingSchema>;
export type MeasuredTraining = v.InferOutput<typeof measuredSchema>;

/** Seconds that the steps of one model are meant to take. */
export const trainingSeconds: Readonly<Record<Preset, number>> = {
  smoke: 0,
  quick: 3,
  standard: 10,
  rigorous: 40,
};

/** Every model that a plan asks to train. Where it asks for no prompt, 512 tokens of each sequence. */
export function trainingCases(plan: Plan): TrainingCase[] {
  if (!plan.train) return [];
  const lengths = plan.pp.length === 0 ? [512] : plan.pp;
  return plan.dtype.flatMap((dtype) =>
    plan.model.flatMap((model) =>
      lengths.flatMap((prompt) => plan.batch.map((batch) => ({ model, dtype, prompt, batch }))),
    ),
  );
}

/** The case of an outcome, without what came of it. */
export const trainingCaseOf = ({ model, dtype, prompt, batch }: TrainingCase): TrainingCase => ({
  model,
  dtype,
  prompt,
  batch,
});

/** "train512 b8". */
export const trainingId = ({ prompt, batch }: TrainingCase): string =>
  `train${prompt}${batch > 1 ? ` b${batch}` : ""}`;

/** "smollm2-135m train512 f32": equal for equal cases. */
export const trainingName = (given: TrainingCase): string =>
  `${given.model} ${trainingId(given)} ${given.dtype}`;
