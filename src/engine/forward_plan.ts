// What forward passes take before anything is allocated: a choice for every call, and every buffer with its exact size.

import { type AnyCall, type AnyShape, kernelOf } from "../kernels";
import { type Choice, variantOf } from "../kernels/choices";
import type { DType } from "../kernels/elements";
import { bytesOf, uniformOf } from "../kernels/kernel";
import { type Dispatch, type ForwardPass, mergedTensors, type Tensor, type TensorRole } from "../workloads";
import type { Gpu } from "./device";
import { quantiseInNorms } from "./forward_fusions";
import { fittingStarts } from "./pipeline";

/** How a call is computed. Throws where nothing computes it here. */
export type Choose = (call: AnyCall, dtype: DType) => Choice;

/** A call, how it is computed, and the name of the uniform that holds its shape. */
export interface PlannedDispatch extends Dispatch {
  readonly choice: Choice;
  readonly uniform: string;
  /** Stages that another dispatch has done already: none where absent. */
  readonly stagesDone?: number;
}

/** A buffer to allocate. `scratch` passes results between the stages of a kernel; `control` is uniforms and counters. */
export interface PlannedBuffer<Role = TensorRole> {
  readonly name: string;
  readonly role: Role | "scratch" | "control";
  readonly bytes: number;
  /** The tensor that it is, where it is one. */
  readonly tensor?: Tensor<Role>;
  /** Words that are written to it once. */
  readonly words?: readonly number[];
}

export interface ForwardPlan {
  readonly passes: readonly (Omit<ForwardPass, "dispatches"> & {
    readonly dispatches: readonly PlannedDispatch[];
  })[];
  readonly buffers: readonly PlannedBuffer[];
  /** Passes that can be timed at once by the GPU's own clock: no fewer than steps or dispatches; 0 where that cannot be. */
  readonly timed: number;
  /** What all buffers take together: exactly what is allocated. */
  readonly bytes: number;
}

/** The first choice that fits the device, as where nothing is searched. */
export const firstFitting =
  (gpu: Gpu): Choose =>
  ({ kernel, shape }, dtype) => {
    const [choice] = fittingStarts(gpu, kernel, shape, dtype);
    if (choice === undefined) throw new Error(`${kernel}: nothing computes it in ${dtype} on this device`);
    return choice;
  };

/** Buffers are filled in words of 16 bytes. */
export const whole = (bytes: number) => Math.max(16, Math.ceil(bytes / 16) * 16);

/** Numbers from 0 on, from which steps copy their position: no step has to write anything. */
export const COUNTER = "counter";
/** Tokens sampled so far, step after step, each step for all sequences. */
export const HISTORY = "history";
/** What is read back. */
export const STAGING = "staging";
/** Timestamps of a run: 64 bits each, two for each pass that is timed. */
export const STAMPS = "stamps";
export const STAMPS_STAGING = "stamps staging";

/** Passes that may be timed before their timestamps are read: a query set holds 4096. */
const MOST_TIMED = 2048;

/** Index of the number of keys in what attention reads as its uniform. */
export const KEYS_WORD = kernelOf("attention").fields.indexOf("keys");

/** Chooses for one call after another, equal ones alike, and knows the scratch memory and the uniforms of all of them. */
export function planner(choose: Choose) {
  const choices = new Map<string, Choice>();
  const uniforms = new Map<string, readonly number[]>();
  return {
    plan<D extends Dispatch>(dispatch: D): D & PlannedDispatch {
      const { call, dtype } = dispatch;
      const kernel = kernelOf(call.kernel);
      const shape: AnyShape = call.shape;
      const key = `${call.kernel} ${dtype} ${Object.values(shape).join("x")}`;
      const choice = choices.get(key) ?? choose(call, dtype);
      choices.set(key, choice);
      const uniform = `uniform ${key}`;
      uniforms.set(uniform, uniformOf(kernel, shape));
      return { ...dispatch, choice, uniform };
    },
    buffersOf(dispatches: readonly PlannedDispatch[]): PlannedBuffer<never>[] {
      const scratch = new Map<string, number>();
      for (const { call, dtype, choice } of dispatches) {
        const { scratch: needed } = variantOf(kernelOf(call.kernel), choice);
        for (const operand of needed?.(choice.tuning, call.shape, dtype) ?? [])
          scratch.set(operand.name, Math.max(scratch.get(operand.name) ?? 0, bytesOf(operand)));
      }
      return [
        ...[...scratch].map(([name, bytes]) => ({
          name: `scratch ${name}`,
          role: "scratch" as const,
          bytes: whole(bytes),
        })),
        ...[...uniforms].map(([name, words]) => ({
          name,
          role: "control" as const,
          bytes: whole(4 * words.length),
          words,
        })),
      ];
    },
  };
}

/**
 * Chooses for every call of the passes, and lists the buffers that they take, with room for the tokens of `steps` steps.
 * Throws where nothing computes a call, or a tensor is too large for a binding.
 */
export function planForward(
  gpu: Gpu,
  passes: readonly ForwardPass[],
  { steps, choose = firstFitting(gpu) }: { readonly steps: number; readonly choose?: Choose },
): ForwardPlan {
  const [first] = passes;
  if (first === undefined) throw new RangeError("there is no pass to plan");
  const { batch, capacity } = first.options;
  if (passes.some(({ options }) => options.batch !== batch || options.capacity !== capacity))
    throw new RangeError("passes that share a KV cache have the same batch and capacity");
  const { plan, buffersOf } = planner(choose);
  const planned = passes.map((pass) => {
    const dispatches = pass.dispatches.map(plan);
    return {
      ...pass,
      dispatches: pass.options.fused.normQuantise ? quantiseInNorms(gpu, dispatches) : dispatches,
    };
  });

  const binding = Math.min(gpu.limits.maxStorageBufferBindingSize, gpu.limits.maxBufferSize);
  const tensors = mergedTensors(passes);
  const tooLarge = tensors.find(({ bytes }) => bytes > binding);
  if (tooLarge !== undefined)
    throw new Error(
      `${tooLarge.name} has ${tooLarge.bytes} bytes, and a binding of this device holds ${binding}`,
    );

  const wanted = Math.max(steps, ...planned.map(({ dispatches }) => dispatches.length));
  const timed = gpu.has("timestamp-query") && wanted <= MOST_TIMED ? wanted : 0;
  const counted = Array.from({ length: capacity + 1 }, (_, i) => i);
  const logits = tensors.find(({ name }) => name === "logits")?.bytes ?? 0;
  const buffers: PlannedBuffer[] = [
    ...tensors.map((tensor) => ({
      name: tensor.name,
      role: tensor.role,
      bytes: whole(tensor.bytes),
      tensor,
    })),
    ...buffersOf(planned.flatMap(({ dispatches }) => dispatches)),
    { name: COUNTER, role: "control", bytes: whole(4 * counted.length), words: counted },
    { name: HISTORY, role: "control", bytes: whole(4 * batch * Math.max(1, steps)) },
    { name: STAGING, role: "control", bytes: whole(Math.max(logits, 4 * batch * steps)) },
    ...(timed > 0 ? [STAMPS, STAMPS_STAGING] : []).map((name) => ({
      name,
      role: "control" as const,
      bytes: whole(16 * timed),
    })),
  ];
  return { passes: planned, buffers, timed, bytes: buffers.reduce((sum, { bytes }) => sum + bytes, 0) };
}

/** Bytes by what they are for. */
export function bytesByRole({ buffers }: ForwardPlan): Record<PlannedBuffer["role"], number> {
  const roles = ["matrix", "vector", "table", "cache", "state", "activations", "scratch", "control"] as const;
  const of = (role: PlannedBuffer["role"]) =>
    buffers.reduce((sum, each) => sum + (each.role === role ? each.bytes : 0), 0);
  const [matrix, vector, table, cache, state, activations, scratch, control] = roles.map(of);
  return {
    matrix: matrix ?? 0,
    vector: vector ?? 0,
    table: table ?? 0,
    cache: cache ?? 0,
    state: state ?? 0,
    activations: activations ?? 0,
    scratch: scratch ?? 0,
    control: control ?? 0,
  };
}
