// A training step made ready to run: compiled, its tensors in memory, bind groups made. Afterwards a step allocates
// nothing and waits for nothing: what AdamW multiplies by is copied from a table, the loss into another.

import { decoder } from "../kernels/elements";
import { strideOf } from "../kernels/kernel";
import { gridOf } from "../kernels/prelude";
import { type Optimiser, type Tensor, type TensorRole, trainingPhases } from "../workloads";
import { type Gpu, guarded } from "./device";
import { bindGroup } from "./forward";
import { HISTORY, STAGING, STAMPS, STAMPS_STAGING } from "./forward_plan";
import { type ForwardWeights, fillForward } from "./forward_weights";
import { readBack } from "./launch";
import { type Compiled, compile } from "./pipeline";
import {
  LOSS_BYTES,
  type PlannedTrainingDispatch,
  SCHEDULE_BYTES,
  SCHEDULES,
  STAMPS_PER_STEP,
  type TrainingPlan,
} from "./training_plan";

/** Dispatches of a step, from number `from` to before `to`. */
export interface StepPart {
  readonly from: number;
  readonly to: number;
}

/** When the phases of a step began and ended by the GPU's clock: seconds. */
export type StepStamps = readonly { readonly begin: number; readonly end: number }[];

export interface Training extends ForwardWeights {
  readonly gpu: Gpu;
  readonly plan: TrainingPlan;
  /** Dispatches of the GPU in a step: some kernels have several stages. */
  readonly stages: number;
  /** Puts the sequences of every step in place, each with one token more than a step reads: every token has a next one. */
  writeTokens(sequences: readonly (readonly number[])[]): void;
  /** Encodes step number `step`, from 0 on, or a part of it. */
  encode(encoder: GPUCommandEncoder, step: number, part?: StepPart): void;
  /** The mean loss of each of the first `steps` steps, before it changed the weights. */
  readLosses(steps: number): Promise<number[]>;
  /** When the phases of the first `steps` steps were computed; null without timestamps. */
  readStamps(steps: number): Promise<StepStamps[] | null>;
  /** What a tensor of floats holds, row by row without padding. */
  readTensor(name: string): Promise<Float64Array>;
  destroy(): void;
}

function usageOf(name: string): GPUBufferUsageFlags {
  const { COPY_SRC, COPY_DST, MAP_READ, QUERY_RESOLVE, STORAGE, UNIFORM } = GPUBufferUsage;
  if (name === STAGING || name === STAMPS_STAGING) return MAP_READ | COPY_DST;
  if (name === STAMPS) return QUERY_RESOLVE | COPY_SRC;
  if (name === SCHEDULES || name === HISTORY) return COPY_SRC | COPY_DST;
  return name.startsWith("uniform ") ? UNIFORM | COPY_DST : STORAGE | COPY_SRC | COPY_DST;
}

/** (rate, 1 / (1 - β1^t), 1 / (1 - β2^t), rate · decay) of each step, for matrices and then for vectors. */
function schedules(
  { learningRate, beta1, beta2, weightDecay }: Optimiser,
  steps: number,
): Float32Array<ArrayBuffer> {
  const rows = Array.from({ length: steps }, (_, step) => {
    const corrected = [learningRate, 1 / (1 - beta1 ** (step + 1)), 1 / (1 - beta2 ** (step + 1))];
    return [...corrected, learningRate * weightDecay, ...corrected, 0];
  });
  return Float32Array.from(rows.flat());
}

/** What forward passes have too, and are filled as theirs are. */
const isFilled = (tensor: Tensor<unknown>): tensor is Tensor =>
  (["matrix", "vector", "table"] satisfies TensorRole[]).some((role) => role === tensor.role);

/**
 * Allocates exactly the plan's buffers, fills the weights, compiles every call. The same seed gives the same weights;
 * moments begin at zero. Throws where memory is short or a shader does not compile; nothing stays allocated then.
 */
export async function prepareTraining(
  gpu: Gpu,
  plan: TrainingPlan,
  seed: number = gpu.freshSeed(),
): Promise<Training> {
  const { device } = gpu;
  const { model, options, dispatches } = plan.pass;
  const buffers = new Map<string, GPUBuffer>();
  const bufferOf = (name: string): GPUBuffer => {
    const found = buffers.get(name);
    if (found === undefined) throw new Error(`nothing was allocated for ${name}`);
    return found;
  };
  const queries = plan.timed
    ? device.createQuerySet({ type: "timestamp", count: STAMPS_PER_STEP * plan.steps })
    : undefined;
  const destroy = () => {
    queries?.destroy();
    for (const buffer of buffers.values()) buffer.destroy();
  };

  try {
    const compiled = new Map<string, Promise<Compiled>>();
    const compileOnce = ({ uniform, call, choice, dtype }: PlannedTrainingDispatch) => {
      const known = compiled.get(uniform) ?? compile(gpu, call.kernel, choice, call.shape, dtype);
      compiled.set(uniform, known);
      return known;
    };
    const all = await Promise.all(dispatches.map(compileOnce));
    await guarded(gpu, `allocating ${Math.round(plan.bytes / 2 ** 20)} MiB to train a model`, () => {
      for (const { name, bytes, words } of plan.buffers) {
        const buffer = device.createBuffer({ label: name, size: bytes, usage: usageOf(name) });
        buffers.set(name, buffer);
        if (words !== undefined) device.queue.writeBuffer(buffer, 0, Uint32Array.from(words));
      }
      device.queue.writeBuffer(bufferOf(SCHEDULES), 0, schedules(options.optimiser, plan.steps));
    });
    const { weight } = await fillForward(gpu, model, plan.pass.tensors.filter(isFilled), bufferOf, seed);
    const encoded = await guarded(gpu, "preparing a training step", () =>
      dispatches.map((dispatch, i) => ({
        phase: trainingPhases.indexOf(dispatch.phase),
        stages: (all[i]?.stages ?? []).map(({ stage, pipeline }) => ({
          pipeline,
          grid: gridOf(stage.workgroups, gpu.limits.maxComputeWorkgroupsPerDimension),
          group: bindGroup({ gpu, bufferOf }, dispatch, stage.binds, pipeline),
        })),
      })),
    );
    /** Of each phase its first dispatch, and the first that is no more its own. */
    const phases = trainingPhases.map((_, phase) => ({
      first: encoded.findIndex((each) => each.phase === phase),
      end: encoded.findLastIndex((each) => each.phase === phase) + 1,
    }));

    const read = async (name: string, bytes: number, to: string): Promise<ArrayBuffer> => {
      const staging = bufferOf(to);
      const encoder = device.createCommandEncoder();
      if (name === STAMPS && queries !== undefined)
        encoder.resolveQuerySet(queries, 0, bytes / 8, bufferOf(STAMPS), 0);
      encoder.copyBufferToBuffer(bufferOf(name), 0, staging, 0, bytes);
      device.queue.submit([encoder.finish()]);
      await gpu.await(staging.mapAsync(GPUMapMode.READ, 0, bytes), `reading ${name}`);
      const copy = staging.getMappedRange(0, bytes).slice(0);
      staging.unmap();
      return copy;
    };

    const vectors = plan.pass.tensors.some(({ name }) => name === "schedule of vectors");
    return {
      gpu,
      plan,
      weight,
      stages: encoded.reduce((sum, { stages }) => sum + stages.length, 0),
      writeTokens(sequences) {
        const { batch, tokens } = options;
        if (sequences.length !== batch || sequences.some(({ length }) => length !== tokens + 1))
          throw new RangeError(`a step takes ${batch} sequences of ${tokens} tokens and the one after them`);
        const wrong = sequences
          .flat()
          .find((id) => !Number.isInteger(id) || id < 0 || id >= model.vocab_size);
        if (wrong !== undefined) throw new RangeError(`${wrong} is no token of ${model.vocab_size}`);
        const put = (name: string, from: number) =>
          device.queue.writeBuffer(
            bufferOf(name),
            0,
            Uint32Array.from(sequences.flatMap((each) => each.slice(from, from + tokens))),
          );
        put("prompt", 0);
        put("targets", 1);
      },
      encode(encoder, step, { from, to } = { from: 0, to: encoded.length }) {
        if (step < 0 || step >= plan.steps)
          throw new RangeError(`step ${step} is beyond the ${plan.steps} that were planned`);
        if (from === 0) {
          const at = SCHEDULE_BYTES * step;
          encoder.copyBufferToBuffer(bufferOf(SCHEDULES), at, bufferOf("schedule"), 0, 16);
          if (vectors)
            encoder.copyBufferToBuffer(bufferOf(SCHEDULES), at + 16, bufferOf("schedule of vectors"), 0, 16);
        }
        for (const [phase, { first, end }] of phases.entries()) {
          const [begin, stop] = [Math.max(from, first), Math.min(to, end)];
          if (begin >= stop) continue;
          const stamp = STAMPS_PER_STEP * step + 2 * phase;
          const writes = {
            ...(begin === first && { beginningOfPassWriteIndex: stamp }),
            ...(stop === end && { endOfPassWriteIndex: stamp + 1 }),
          };
          const pass = encoder.beginComputePass(
            queries !== undefined && Object.keys(writes).length > 0
              ? { timestampWrites: { querySet: queries, ...writes } }
              : undefined,
          );
          for (const { stages } of encoded.slice(begin, stop)) {
            for (const { pipeline, group, grid } of stages) {
              pass.setPipeline(pipeline);
              pass.setBindGroup(0, group);
              pass.dispatchWorkgroups(grid[0], grid[1]);
            }
          }
          pass.end();
        }
        if (to === encoded.length)
          encoder.copyBufferToBuffer(bufferOf("loss"), 0, bufferOf(HISTORY), LOSS_BYTES * step, LOSS_BYTES);
      },
      async readLosses(steps) {
        const sums = new Float32Array(await read(HISTORY, LOSS_BYTES * steps, STAGING));
        const count = options.batch * options.tokens;
        return Array.from({ length: steps }, (_, step) => (sums[4 * step] ?? Number.NaN) / count);
      },
      async readStamps(steps) {
        if (!plan.timed) return null;
        const stamps = new BigInt64Array(await read(STAMPS, 8 * STAMPS_PER_STEP * steps, STAMPS_STAGING));
        // From the first one on: as they are they have more digits than a number holds.
        const seconds = (at: number) => Number((stamps[at] ?? 0n) - (stamps[0] ?? 0n)) * 1e-9;
        return Array.from({ length: steps }, (_, step) =>
          trainingPhases.map((_phase, phase) => {
            const at = STAMPS_PER_STEP * step + 2 * phase;
            return { begin: seconds(at), end: seconds(at + 1) };
          }),
        );
      },
      async readTensor(name) {
        const tensor = plan.pass.tensors.find((each) => each.name === name);
        if (tensor === undefined) throw new Error(`there is no tensor ${name}`);
        const { rows, columns, element } = tensor;
        const decode = decoder(element, await readBack(gpu, bufferOf(name), tensor.bytes));
        const stride = strideOf(columns);
        return Float64Array.from({ length: rows * columns }, (_, i) =>
          decode(Math.floor(i / columns) * stride + (i % columns)),
        );
      },
      destroy,
    };
  } catch (error) {
    destroy();
    throw error;
  }
}
