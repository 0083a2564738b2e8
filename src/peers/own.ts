// Our own side: the engine's kernels, tuned on this device, as contenders.

import { check } from "../engine/check";
import { systemClock } from "../engine/clock";
import { type Gpu, openDevice } from "../engine/device";
import { efforts } from "../engine/effort";
import { alwaysVisible, type Host } from "../engine/host";
import { atOnePlace, type Launch, prepare, readBack } from "../engine/launch";
import { isStreamed } from "../engine/pieces";
import { createTimer, type Timer } from "../engine/timer";
import { candidates, tune } from "../engine/tune";
import { allocateWeights } from "../engine/weights";
import { type AnyCall, kernelOf } from "../kernels";
import { type Choice, variantOf } from "../kernels/choices";
import type { DType } from "../kernels/elements";
import { bytesOf } from "../kernels/kernel";
import { weightsOf } from "../kernels/product";
import type { HostInfo } from "../result";
import type { OwnContender } from "./compare_task";
import type { Arithmetic, Contender, Done } from "./contender";
import type { Task } from "./tasks";

/** Peers may take seconds for a task; the engine gives a device up much earlier. */
const DEADLINE_SECONDS = 120;

/** Dispatches per submit: none keeps the queue busy for long. */
const PER_SUBMIT = 32;

export interface OwnEngine {
  readonly gpu: Gpu;
  readonly timer: Timer;
  /** The tunings that were picked, by the id of the task. */
  readonly picked: Map<string, Choice>;
}

/** Waits as the engine does: not for ever, and in Firefox not for its slow timer. */
export const doneOn =
  ({ device, await: answered }: Gpu): Done =>
  () =>
    answered(device.queue.onSubmittedWorkDone(), "what was submitted");

export async function openEngine(info: HostInfo): Promise<OwnEngine> {
  const host: Host = {
    gpu: navigator.gpu,
    info,
    clock: systemClock,
    visibility: alwaysVisible,
    deadlineSeconds: DEADLINE_SECONDS,
  };
  const gpu = await openDevice(host);
  return { gpu, timer: createTimer(gpu), picked: new Map() };
}

/** A launch as a contender: it rotates through the memory that it was prepared with. */
export function contenderOf({ gpu }: OwnEngine, launch: Launch, destroy: () => void): Contender {
  const { device } = gpu;
  const done = doneOn(gpu);
  let next = 0;
  const enqueue = (times: number) => {
    for (let done = 0; done < times; done += PER_SUBMIT) {
      const count = Math.min(PER_SUBMIT, times - done);
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      launch.encode(pass, next, count);
      pass.end();
      device.queue.submit([encoder.finish()]);
      next += count;
    }
  };
  return {
    unit: 1,
    async run(times) {
      enqueue(times);
      await done();
    },
    async read() {
      enqueue(1);
      const { operand, buffer } = launch.outputs[0]!;
      return new Float32Array(await readBack(gpu, buffer, bytesOf(operand)));
    },
    destroy,
  };
}

/** What is fastest here, on these weights. */
export async function tuned(
  { gpu, timer }: OwnEngine,
  weights: Parameters<typeof tune>[2],
  call: AnyCall,
  dtype: DType,
): Promise<Choice> {
  const { standard } = efforts;
  const search = { from: candidates(gpu, call, dtype, standard), seconds: standard.tuningSeconds };
  return (await tune(gpu, timer, weights, call, dtype, search)).choice;
}

/** What a choice computes a task with. */
export function arithmeticOf({ call, weights }: Task, choice: Choice): Arithmetic {
  const { rounded, slack } = variantOf(kernelOf(call.kernel), choice);
  if (rounded !== undefined) return "int8 activations";
  return (slack?.(choice.tuning, call.shape, weights) ?? 0) > 0 ? "f16 products" : "f32";
}

/** A block of 256 bytes, at whose multiples pieces begin, for each of a few operands. */
const SPARE = 2 ** 12;

/** Our own kernel for a task, in its fastest tuning, on weights that stay where they are, as the peers' do. */
export async function prepareOwn(engine: OwnEngine, task: Task): Promise<OwnContender> {
  const { id, call, weights: type } = task;
  const { gpu, timer } = engine;
  const streamed = kernelOf(call.kernel).operands(call.shape, type).filter(isStreamed);
  // Of quantised weights an eighth of the memory is for their scales.
  const bytes = 1.2 * streamed.reduce((sum, operand) => sum + bytesOf(operand), 0) + SPARE;
  const weights = await allocateWeights(gpu, type, bytes);
  let prepared: Launch | undefined;
  const destroy = () => {
    prepared?.destroy();
    weights.destroy();
  };
  try {
    const choice = await tuned(engine, weights, call, type);
    engine.picked.set(id, choice);
    prepared = await prepare(gpu, weights, call, type, choice);
    const launch = atOnePlace(prepared);
    await check(gpu, timer, launch);
    const [x, w, scales] = launch.inputs(0);
    return {
      variant: launch.tuning,
      arithmetic: arithmeticOf(task, choice),
      contender: contenderOf(engine, launch, destroy),
      // Weights by their values, whatever they are stored as.
      inputs: call.kernel === "attention" ? launch.inputs(0) : [x!, weightsOf(w!, scales)],
    };
  } catch (error) {
    destroy();
    throw error;
  }
}
