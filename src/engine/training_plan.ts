// What a training step takes before anything is allocated: a choice for every call, and every buffer with its exact size.

import { ADAMW_IN_PLACE } from "../kernels/adamw";
import type { TrainingDispatch, TrainingPass, TrainingRole } from "../workloads";
import type { Gpu } from "./device";
import {
  type Choose,
  firstFitting,
  HISTORY,
  type PlannedBuffer,
  type PlannedDispatch,
  planner,
  STAGING,
  STAMPS,
  STAMPS_STAGING,
  whole,
} from "./forward_plan";

export type PlannedTrainingDispatch = TrainingDispatch & PlannedDispatch;

export interface TrainingPlan {
  readonly pass: Omit<TrainingPass, "dispatches"> & {
    readonly dispatches: readonly PlannedTrainingDispatch[];
  };
  readonly buffers: readonly PlannedBuffer<TrainingRole>[];
  /** Steps that losses are kept of, and times where the GPU has a clock of its own. */
  readonly steps: number;
  /** Whether the GPU's own clock times each phase. */
  readonly timed: boolean;
  /** What all buffers take together: exactly what is allocated. */
  readonly bytes: number;
}

/** What AdamW multiplies by in each step, for matrices and for vectors: two words of four numbers. */
export const SCHEDULES = "schedules";
export const SCHEDULE_BYTES = 32;

/** Sums of a step's losses, and of what their softmaxes were divided by. */
export const LOSS_BYTES = 16;

/** Timestamps of a step: where each phase begins and ends. */
export const STAMPS_PER_STEP = 6;

/** A query set holds 4096 timestamps. */
export const MOST_STEPS = 512;

/** AdamW changes weights and moments where they are. */
const inPlace =
  (choose: Choose): Choose =>
  (call, dtype) =>
    call.kernel === "adamw" ? ADAMW_IN_PLACE : choose(call, dtype);

/**
 * Chooses for every call, and lists the buffers that they take, with room for the losses of `steps` steps. Throws where
 * nothing computes a call, or a tensor is too large for a binding.
 */
export function planTraining(
  gpu: Gpu,
  pass: TrainingPass,
  { steps, choose = firstFitting(gpu) }: { readonly steps: number; readonly choose?: Choose },
): TrainingPlan {
  if (!Number.isInteger(steps) || steps < 1 || steps > MOST_STEPS)
    throw new RangeError(`steps are a whole number from 1 to ${MOST_STEPS}, not ${steps}`);
  const { plan, buffersOf } = planner(inPlace(choose));
  const dispatches = pass.dispatches.map(plan);
  const binding = Math.min(gpu.limits.maxStorageBufferBindingSize, gpu.limits.maxBufferSize);
  const tooLarge = pass.tensors.find(({ bytes }) => bytes > binding);
  if (tooLarge !== undefined)
    throw new Error(
      `${tooLarge.name} has ${tooLarge.bytes} bytes, and a binding of this device holds ${binding}`,
    );
  const timed = gpu.has("timestamp-query");
  const control = (name: string, bytes: number) => ({ name, role: "control" as const, bytes: whole(bytes) });
  const buffers: PlannedBuffer<TrainingRole>[] = [
    ...pass.tensors.map((tensor) => ({
      name: tensor.name,
      role: tensor.role,
      bytes: whole(tensor.bytes),
      tensor,
    })),
    ...buffersOf(dispatches),
    control(SCHEDULES, SCHEDULE_BYTES * steps),
    control(HISTORY, LOSS_BYTES * steps),
    control(STAGING, LOSS_BYTES * steps),
    ...(timed ? [STAMPS, STAMPS_STAGING].map((name) => control(name, 8 * STAMPS_PER_STEP * steps)) : []),
  ];
  return {
    pass: { ...pass, dispatches },
    buffers,
    steps,
    timed,
    bytes: buffers.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

/** Bytes by what they are for, as results name it. */
export function trainingBytes({ buffers }: TrainingPlan) {
  const of = (...roles: readonly PlannedBuffer<TrainingRole>["role"][]) =>
    buffers.reduce((sum, { role, bytes }) => sum + (roles.includes(role) ? bytes : 0), 0);
  return {
    weights: of("matrix", "vector"),
    gradients: of("gradients"),
    moments: of("moments"),
    activations: of("activations"),
    other: of("table", "cache", "state", "scratch", "control"),
  };
}
