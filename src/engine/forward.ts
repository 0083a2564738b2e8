// Forward passes made ready to run: compiled, their tensors in memory, bind groups made. Afterwards a step allocates
// nothing and waits for nothing: its position is copied from a table of counters, its tokens from where the step before
// has put them.

import { isAttention, kernelOf } from "../kernels";
import { variantOf } from "../kernels/choices";
import { decoder } from "../kernels/elements";
import { bytesOf } from "../kernels/kernel";
import { gridOf } from "../kernels/prelude";
import type { ForwardOptions } from "../workloads";
import { type Gpu, guarded } from "./device";
import {
  COUNTER,
  type ForwardPlan,
  HISTORY,
  KEYS_WORD,
  type PlannedDispatch,
  STAGING,
  STAMPS,
  STAMPS_STAGING,
} from "./forward_plan";
import { type ForwardWeights, fillForward } from "./forward_weights";
import { type Compiled, compile } from "./pipeline";

/** A stage of a dispatch, ready to be encoded. */
interface Encoded {
  readonly pipeline: GPUComputePipeline;
  readonly bindGroup: GPUBindGroup;
  readonly grid: readonly [number, number];
}

/** What is timed by the GPU's own clock: a whole pass, or each of its dispatches as a pass of its own. */
export interface Timed {
  readonly each: "pass" | "dispatch";
  /** The number of the first pair of timestamps. */
  readonly first: number;
}

export interface PreparedPass {
  readonly options: ForwardOptions;
  readonly dispatches: readonly PlannedDispatch[];
  /** Dispatches of the GPU: some kernels have several stages. */
  readonly stages: number;
  /**
   * Encodes the pass for tokens from `position` on, or only its dispatches from number `from` to before `to`. Throws
   * where the cache is too short.
   */
  encode(
    encoder: GPUCommandEncoder,
    position: number,
    part?: { readonly from: number; readonly to: number },
    timed?: Timed,
  ): void;
}

export interface Forward extends ForwardWeights {
  readonly gpu: Gpu;
  readonly plan: ForwardPlan;
  readonly passes: readonly PreparedPass[];
  /** Puts the tokens of the next prefill in place, sequence by sequence. */
  writePrompt(tokens: readonly number[]): void;
  /** Encodes that the tokens sampled last are kept as those of step `step`. */
  keepSampled(encoder: GPUCommandEncoder, step: number): void;
  /** Seconds at which the first `count` timed passes began and ended by the GPU's clock; null without timestamps. */
  readStamps(count: number): Promise<{ begin: number; end: number }[] | null>;
  /** The tokens kept for steps up to `steps`, step after step, each for all sequences. */
  readHistory(steps: number): Promise<Uint32Array>;
  /** The tokens sampled last, one of each sequence; and others in their place. */
  readSampled(): Promise<Uint32Array<ArrayBuffer>>;
  writeSampled(tokens: Uint32Array<ArrayBuffer>): void;
  /** The logits of the last pass, each row whole: (rows, vocab_size). */
  readLogits(rows: number): Promise<Float64Array[]>;
  destroy(): void;
}

function usageOf(name: string): GPUBufferUsageFlags {
  const { COPY_SRC, COPY_DST, MAP_READ, QUERY_RESOLVE, STORAGE, UNIFORM } = GPUBufferUsage;
  if (name === STAGING || name === STAMPS_STAGING) return MAP_READ | COPY_DST;
  if (name === STAMPS) return QUERY_RESOLVE | COPY_SRC;
  if (name === COUNTER || name === HISTORY) return COPY_SRC | COPY_DST;
  return name.startsWith("uniform ") ? UNIFORM | COPY_DST : STORAGE | COPY_SRC | COPY_DST;
}

/** What passes are prepared with. */
interface Context {
  readonly gpu: Gpu;
  bufferOf(name: string): GPUBuffer;
  readonly queries: GPUQuerySet | undefined;
}

/** What a stage binds: its uniform, and the operands or scratch of these names. */
export function bindGroup(
  { gpu, bufferOf }: Pick<Context, "gpu" | "bufferOf">,
  { call, dtype, choice, uniform, binds: bound, label }: PlannedDispatch,
  binds: readonly string[],
  pipeline: GPUComputePipeline,
): GPUBindGroup {
  const kernel = kernelOf(call.kernel);
  const scratch = variantOf(kernel, choice).scratch?.(choice.tuning, call.shape, dtype) ?? [];
  const operands = [...kernel.operands(call.shape, dtype), ...scratch];
  const resources = binds.map((name): GPUBufferBinding => {
    const operand = operands.find((each) => each.name === name);
    if (operand === undefined) throw new Error(`${call.kernel} has no operand ${name}`);
    const size = bytesOf(operand);
    const place = bound[name];
    return place === undefined
      ? { buffer: bufferOf(`scratch ${name}`), size }
      : { buffer: bufferOf(place.tensor), offset: place.offset, size };
  });
  const entries = [{ buffer: bufferOf(uniform) }, ...resources].map((resource, binding) => ({
    binding,
    resource,
  }));
  return gpu.device.createBindGroup({ label, layout: pipeline.getBindGroupLayout(0), entries });
}

/** A pass with all its bind groups, ready to be encoded. */
function preparePass(
  context: Context,
  options: ForwardOptions,
  dispatches: readonly PlannedDispatch[],
  compiled: readonly Compiled[],
): PreparedPass {
  const { gpu, bufferOf, queries } = context;
  const encoded = dispatches.map((dispatch, i): Encoded[] =>
    compiled[i]!.stages.slice(dispatch.stagesDone).map(({ stage, pipeline }) => ({
      pipeline,
      grid: gridOf(stage.workgroups, gpu.limits.maxComputeWorkgroupsPerDimension),
      bindGroup: bindGroup(context, dispatch, stage.binds, pipeline),
    })),
  );
  const attentions = dispatches.filter(({ call }) => isAttention(call));
  const counted = [...new Set(attentions.map(({ uniform }) => uniform))].map(bufferOf);
  const [counter, position] = [COUNTER, "position"].map(bufferOf) as [GPUBuffer, GPUBuffer];

  return {
    options,
    dispatches,
    stages: encoded.reduce((sum, { length }) => sum + length, 0),
    encode(encoder, begin, { from, to } = { from: 0, to: encoded.length }, timed) {
      const end = begin + options.tokens;
      if (begin < 0 || end > options.capacity)
        throw new RangeError(`tokens ${begin} to ${end} do not fit into a cache of ${options.capacity}`);
      if (from === 0) {
        encoder.copyBufferToBuffer(counter, 4 * begin, position, 0, 4);
        for (const uniform of counted)
          encoder.copyBufferToBuffer(counter, 4 * end, uniform, 4 * KEYS_WORD, 4);
      }
      const wanted = encoded.slice(from, to);
      // A pass for all of them, or one for each.
      const groups = timed?.each === "dispatch" ? wanted : [wanted.flat()];
      groups.forEach((stages, i) => {
        const at = 2 * ((timed?.first ?? 0) + i);
        const pass = encoder.beginComputePass(
          timed &&
            queries && {
              timestampWrites: {
                querySet: queries,
                beginningOfPassWriteIndex: at,
                endOfPassWriteIndex: at + 1,
              },
            },
        );
        for (const { pipeline, bindGroup: group, grid } of stages) {
          pass.setPipeline(pipeline);
          pass.setBindGroup(0, group);
          pass.dispatchWorkgroups(grid[0], grid[1]);
        }
        pass.end();
      });
    },
  };
}

/**
 * Allocates exactly the plan's buffers, fills the weights and compiles every call. The same seed gives the same weights.
 * Throws where memory is short or a shader does not compile; nothing stays allocated then.
 */
export async function prepareForward(
  gpu: Gpu,
  plan: ForwardPlan,
  seed: number = gpu.freshSeed(),
): Promise<Forward> {
  const { device } = gpu;
  const [first] = plan.passes;
  if (first === undefined) throw new RangeError("there is no pass to prepare");
  const { model } = first;
  const { batch } = first.options;

  const compiled = new Map<string, Promise<Compiled>>();
  const compileOnce = ({ uniform, call, choice, dtype }: PlannedDispatch) => {
    const key = `${uniform} ${choice.variant}`;
    const known = compiled.get(key) ?? compile(gpu, call.kernel, choice, call.shape, dtype);
    compiled.set(key, known);
    return known;
  };

  const buffers = new Map<string, GPUBuffer>();
  const bufferOf = (name: string): GPUBuffer => {
    const found = buffers.get(name);
    if (found === undefined) throw new Error(`nothing was allocated for ${name}`);
    return found;
  };
  const queries =
    plan.timed > 0 ? device.createQuerySet({ type: "timestamp", count: 2 * plan.timed }) : undefined;
  const destroy = () => {
    queries?.destroy();
    for (const buffer of buffers.values()) buffer.destroy();
  };

  try {
    const all = await Promise.all(
      plan.passes.map(({ dispatches }) => Promise.all(dispatches.map(compileOnce))),
    );
    await guarded(gpu, `allocating ${Math.round(plan.bytes / 2 ** 20)} MiB for a model`, () => {
      for (const { name, bytes, words } of plan.buffers) {
        const buffer = device.createBuffer({ label: name, size: bytes, usage: usageOf(name) });
        buffers.set(name, buffer);
        if (words !== undefined) device.queue.writeBuffer(buffer, 0, Uint32Array.from(words));
      }
    });
    const tensors = plan.buffers.flatMap(({ tensor }) => (tensor === undefined ? [] : [tensor]));
    const weights = await fillForward(gpu, model, tensors, bufferOf, seed);

    const passes = await guarded(gpu, "preparing a forward pass", () =>
      plan.passes.map(({ options, dispatches }, at) =>
        preparePass({ gpu, bufferOf, queries }, options, dispatches, all[at] ?? []),
      ),
    );

    /** Copies a part of a buffer to where it can be read. */
    const read = async (name: string, bytes: number, to = STAGING): Promise<ArrayBuffer> => {
      const staging = bufferOf(to);
      const size = Math.ceil(bytes / 4) * 4;
      const encoder = device.createCommandEncoder();
      if (name === STAMPS && queries !== undefined)
        encoder.resolveQuerySet(queries, 0, size / 8, bufferOf(STAMPS), 0);
      encoder.copyBufferToBuffer(bufferOf(name), 0, staging, 0, size);
      device.queue.submit([encoder.finish()]);
      await gpu.await(staging.mapAsync(GPUMapMode.READ, 0, size), `reading ${name}`);
      const copy = staging.getMappedRange(0, size).slice(0);
      staging.unmap();
      return copy;
    };

    return {
      gpu,
      plan,
      passes,
      weight: weights.weight,
      writePrompt(tokens) {
        const wrong = tokens.find((id) => !Number.isInteger(id) || id < 0 || id >= model.vocab_size);
        if (wrong !== undefined) throw new RangeError(`${wrong} is no token of ${model.vocab_size}`);
        device.queue.writeBuffer(bufferOf("prompt"), 0, Uint32Array.from(tokens));
      },
      keepSampled(encoder, step) {
        encoder.copyBufferToBuffer(bufferOf("sampled"), 0, bufferOf(HISTORY), 4 * batch * step, 4 * batch);
      },
      async readStamps(count) {
        if (plan.timed === 0) return null;
        const stamps = new BigInt64Array(await read(STAMPS, 16 * count, STAMPS_STAGING));
        // From the first one on: as they are they have more digits than a number holds.
        const seconds = (at: number) => Number((stamps[at] ?? 0n) - (stamps[0] ?? 0n)) * 1e-9;
        return Array.from({ length: count }, (_, i) => ({ begin: seconds(2 * i), end: seconds(2 * i + 1) }));
      },
      readHistory: async (steps) => new Uint32Array(await read(HISTORY, 4 * batch * steps)),
      writeSampled: (tokens) => device.queue.writeBuffer(bufferOf("sampled"), 0, tokens),
      readSampled: async () => new Uint32Array(await read("sampled", 4 * batch), 0, batch),
      async readLogits(rows) {
        const tensor = tensors.find(({ name }) => name === "logits");
        if (tensor === undefined) throw new Error("no pass has logits");
        const decode = decoder(tensor.element, await read("logits", tensor.bytes));
        // The widest of the calls that write them is as wide as a block.
        const block = tensor.columns;
        const stride = Math.ceil(block / 4) * 4;
        return Array.from({ length: rows }, (_, row) =>
          Float64Array.from({ length: model.vocab_size }, (_, column) =>
            decode((Math.floor(column / block) * rows + row) * stride + (column % block)),
          ),
        );
      },
      destroy,
    };
  } catch (error) {
    destroy();
    throw error;
  }
}
