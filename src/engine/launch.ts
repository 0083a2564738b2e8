// A kernel made ready to run: compiled, its operands in memory, its dispatches rotating through the weights.

import { type AnyCall, type AnyShape, type KernelName, kernelOf } from "../kernels";
import { type Choice, choiceName, variantOf } from "../kernels/choices";
import type { DType } from "../kernels/elements";
import { f16Bits } from "../kernels/f16";
import { bytesOf, type Matrix, type Operand, outputsOf, strideOf, uniformOf } from "../kernels/kernel";
import { gridOf } from "../kernels/prelude";
import { randomAt, randomBits } from "../kernels/random";
import { type Gpu, guarded } from "./device";
import { isStreamed } from "./pieces";
import { type Compiled, compile, unfit } from "./pipeline";
import type { Weights } from "./weights";

/**
 * A bind group each. They live as long as the device or until garbage is collected, and cost more than host time: Mesa's
 * software driver takes one of the 65,530 mappings that Linux gives a process for each, and crashes when they are used up.
 */
const MAX_PIECES = 1024;

export interface Launch {
  readonly kernel: KernelName;
  readonly shape: AnyShape;
  readonly dtype: DType;
  readonly choice: Choice;
  /** The choice in a few words. */
  readonly tuning: string;
  readonly compiled: Compiled;
  /** Of its activations, which no other launch on this device shares: stale output does not pass for fresh. */
  readonly seed: number;
  readonly outputs: readonly { readonly operand: Operand; readonly buffer: GPUBuffer }[];
  /** Bytes that the dispatches rotate through; 0 where nothing is streamed. */
  readonly rotation: number;
  /** The inputs that dispatch number `dispatch` of the rotation reads. */
  inputs(dispatch: number): readonly Matrix[];
  /** Encodes `count` dispatches, all stages of each, from number `from` of the rotation on, `step` further each time. */
  encode(pass: GPUComputePassEncoder, from: number, count: number, step?: number): void;
  destroy(): void;
}

/** The same launch with all dispatches on the same memory, which a cache may then hold. */
export const atOnePlace = (launch: Launch): Launch => ({
  ...launch,
  inputs: () => launch.inputs(0),
  encode: (pass, _from, count) => launch.encode(pass, 0, count, 0),
});

/** Writes activations: seeded random numbers, within their range where they are whole; zero in the padding. */
function uploadActivations(gpu: Gpu, operand: Operand, buffer: GPUBuffer, seed: number): Matrix {
  const stride = strideOf(operand.columns);
  const [from, below] = operand.range ?? [0, 2 ** 32];
  const at: Matrix = (row, column) => {
    if (operand.element !== "u32") return randomAt(seed, row * stride + column);
    const number =
      operand.taking === "turns"
        ? seed + row * operand.columns + column
        : randomBits(seed, row * stride + column) >>> 0;
    return from + (number % (below - from));
  };
  const elements = operand.rows * stride;
  const arrays = { f32: Float32Array, u32: Uint32Array, f16: Uint16Array } as const;
  const { element } = operand;
  if (element === "i8" || element === "i4" || element === "i8x4")
    throw new Error(`${operand.name}: activations are no ${element}`);
  const data = new arrays[element](elements);
  for (let row = 0; row < operand.rows; row++) {
    for (let column = 0; column < operand.columns; column++) {
      const value = at(row, column);
      data[row * stride + column] = data instanceof Uint16Array ? f16Bits(value) : value;
    }
  }
  gpu.device.queue.writeBuffer(buffer, 0, data);
  return at;
}

/**
 * Compiles a call and allocates what it works on. Throws where the choice is not for this call or device, the shader
 * does not compile, an operand does not fit into a binding or memory is short. Dispatches rotate through `places` of
 * memory at most.
 */
export async function prepare(
  gpu: Gpu,
  weights: Weights | undefined,
  { kernel: name, shape }: AnyCall,
  dtype: DType,
  choice: Choice,
  places = MAX_PIECES,
): Promise<Launch> {
  const kernel = kernelOf(name);
  const { tuning } = choice;
  const variant = variantOf(kernel, choice);
  const refused = kernel.unsupported?.(shape, dtype) ?? unfit(gpu, kernel, choice, shape, dtype);
  if (refused !== undefined) throw new Error(`${name}, ${choiceName(kernel, choice)}: ${refused}`);
  const operands = kernel.operands(shape, dtype);
  const outputs = outputsOf(operands);
  const all = [...operands, ...(variant.scratch?.(tuning, shape, dtype) ?? [])];
  const binding = Math.min(gpu.limits.maxStorageBufferBindingSize, gpu.limits.maxBufferSize);
  const tooLarge = all.find((operand) => bytesOf(operand) > binding);
  if (tooLarge !== undefined)
    throw new Error(`${name}: ${tooLarge.name} has ${bytesOf(tooLarge)} bytes, a binding holds ${binding}`);
  const compiled = await compile(gpu, name, choice, shape, dtype);
  const seed = gpu.freshSeed();

  const streamed = operands.filter(isStreamed);
  const readOf = ({ role, rows }: Operand) => (role === "weights" && kernel.rowsRead?.(shape)) || rows;
  const groups =
    streamed.length === 0 ? [[]] : (weights?.pieces(streamed, Math.min(places, MAX_PIECES)) ?? []);
  if (groups.length === 0)
    throw new Error(`${name} reads more at once than the ${weights?.bytes ?? 0} bytes of weights in memory`);

  const owned: GPUBuffer[] = [];
  const own = (size: number, usage: number) => {
    const buffer = gpu.device.createBuffer({ size: Math.max(16, Math.ceil(size / 4) * 4), usage });
    owned.push(buffer);
    return buffer;
  };
  const destroy = () => {
    for (const buffer of owned) buffer.destroy();
  };

  try {
    return await guarded(gpu, `preparing ${name}`, () => {
      const values = Uint32Array.from(uniformOf(kernel, shape));
      const uniform = own(values.byteLength, GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST);
      gpu.device.queue.writeBuffer(uniform, 0, values);

      const activations = new Map<Operand, Matrix>();
      const fixed = new Map<string, GPUBuffer>();
      all.forEach((operand, i) => {
        if (isStreamed(operand)) return;
        const usage =
          operand.role === "output"
            ? GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST
            : GPUBufferUsage.COPY_DST;
        const buffer = own(bytesOf(operand), GPUBufferUsage.STORAGE | usage);
        fixed.set(operand.name, buffer);
        if (operand.role === "activations")
          activations.set(operand, uploadActivations(gpu, operand, buffer, seed + i));
      });

      /** What a stage binds in one group of pieces. */
      const resources = (binds: readonly string[], pieces: (typeof groups)[number]): GPUBufferBinding[] =>
        binds.map((each) => {
          const buffer = fixed.get(each);
          if (buffer !== undefined) return { buffer };
          const { at: _, ...resource } = pieces[streamed.findIndex((operand) => operand.name === each)]!;
          return resource;
        });
      const stages = compiled.stages.map(({ stage, pipeline }) => {
        const layout = pipeline.getBindGroupLayout(0);
        // A stage that streams nothing does the same for every group.
        const streams = stage.binds.some((each) => !fixed.has(each));
        return {
          pipeline,
          grid: gridOf(stage.workgroups, gpu.limits.maxComputeWorkgroupsPerDimension),
          bindGroups: (streams ? groups : groups.slice(0, 1)).map((pieces) => {
            const bound: GPUBufferBinding[] = [{ buffer: uniform }, ...resources(stage.binds, pieces)];
            const entries = bound.map((resource, i) => ({ binding: i, resource }));
            return gpu.device.createBindGroup({ layout, entries });
          }),
        };
      });

      return {
        kernel: name,
        shape,
        dtype,
        choice,
        tuning: choiceName(kernel, choice),
        compiled,
        seed,
        outputs: outputs.map((operand) => ({ operand, buffer: fixed.get(operand.name)! })),
        rotation:
          streamed.reduce((sum, operand) => sum + bytesOf({ ...operand, rows: readOf(operand) }), 0) *
          (streamed.length > 0 ? groups.length : 0),
        inputs: (dispatch) =>
          operands.slice(0, -outputs.length).map((operand): Matrix => {
            const known = activations.get(operand);
            if (known !== undefined) return known;
            const stride = strideOf(operand.columns);
            const piece = groups[dispatch % groups.length]![streamed.indexOf(operand)]!;
            return (row, column) => piece.at(row * stride + column);
          }),
        encode(pass, from, count, step = 1) {
          const [only, ...others] = stages;
          if (others.length === 0) pass.setPipeline(only!.pipeline);
          for (let i = 0; i < count; i++) {
            for (const { pipeline, grid, bindGroups } of stages) {
              if (others.length > 0) pass.setPipeline(pipeline);
              pass.setBindGroup(0, bindGroups[(from + i * step) % bindGroups.length]!);
              pass.dispatchWorkgroups(grid[0], grid[1]);
            }
          }
        },
        destroy,
      };
    });
  } catch (error) {
    destroy();
    throw error;
  }
}

/** Reads `bytes` of a buffer back. */
export async function readBack(gpu: Gpu, source: GPUBuffer, bytes: number): Promise<ArrayBuffer> {
  const size = Math.ceil(bytes / 4) * 4;
  const staging = gpu.device.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  try {
    const encoder = gpu.device.createCommandEncoder();
    encoder.copyBufferToBuffer(source, 0, staging, 0, size);
    gpu.device.queue.submit([encoder.finish()]);
    await gpu.await(staging.mapAsync(GPUMapMode.READ), "reading a buffer back");
    return staging.getMappedRange().slice(0);
  } finally {
    staging.destroy();
  }
}
