// A kernel made ready to run: compiled, its operands in memory, its dispatches rotating through the weights.

import { type AnyShape, type Call, type KernelName, kernelOf } from "../kernels";
import { bytesOf, type DType, type Matrix, type Operand, strideOf } from "../kernels/kernel";
import { gridOf } from "../kernels/prelude";
import { randomAt } from "../kernels/random";
import { type Gpu, guarded } from "./device";
import { f16Bits } from "./f16";
import { compile, type Pipeline } from "./pipeline";
import type { Weights } from "./weights";

/** A bind group each: more would cost more host time than the measurement takes. */
const MAX_PIECES = 4096;

export interface Launch {
  readonly kernel: KernelName;
  readonly shape: AnyShape;
  readonly dtype: DType;
  readonly tuning: string;
  readonly compiled: Pipeline;
  /** Of its activations, which no other launch on this device shares: stale output does not pass for fresh. */
  readonly seed: number;
  readonly output: { readonly operand: Operand; readonly buffer: GPUBuffer };
  /** Bytes that the dispatches rotate through; 0 where nothing is streamed. */
  readonly rotation: number;
  /** The inputs that dispatch number `dispatch` of the rotation reads. */
  inputs(dispatch: number): readonly Matrix[];
  /** Encodes `count` dispatches, from number `from` of the rotation on, `step` further each time. */
  encode(pass: GPUComputePassEncoder, from: number, count: number, step?: number): void;
  destroy(): void;
}

/** The same launch with all dispatches on the same memory, which a cache may then hold. */
export const atOnePlace = (launch: Launch): Launch => ({
  ...launch,
  inputs: () => launch.inputs(0),
  encode: (pass, _from, count) => launch.encode(pass, 0, count, 0),
});

/** Writes activations: seeded random numbers, zero in the padding. */
function uploadActivations(
  gpu: Gpu,
  operand: Operand,
  dtype: DType,
  buffer: GPUBuffer,
  seed: number,
): Matrix {
  const stride = strideOf(operand.columns);
  const at: Matrix = (row, column) => randomAt(seed, row * stride + column);
  const elements = operand.rows * stride;
  const data = (operand.type ?? dtype) === "f32" ? new Float32Array(elements) : new Uint16Array(elements);
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
 * Compiles a call and allocates what it works on. Throws where the shader does not compile, an operand
 * does not fit into a binding or memory is short.
 */
export async function prepare(
  gpu: Gpu,
  weights: Weights | undefined,
  { kernel: name, shape }: Pick<Call, "kernel"> & { shape: AnyShape },
  dtype: DType,
  tuningName: string,
): Promise<Launch> {
  const kernel = kernelOf(name);
  const tuning = kernel.tunings[tuningName]!;
  const operands = kernel.operands(shape);
  const output = operands.at(-1)!;
  const binding = Math.min(gpu.limits.maxStorageBufferBindingSize, gpu.limits.maxBufferSize);
  const tooLarge = operands.find((operand) => bytesOf(operand, dtype) > binding);
  if (tooLarge !== undefined) {
    throw new Error(
      `${name}: ${tooLarge.name} has ${bytesOf(tooLarge, dtype)} bytes, a binding holds ${binding}`,
    );
  }
  const compiled = await compile(gpu, name, tuning, shape, dtype);
  const { pipeline } = compiled;
  const seed = gpu.freshSeed();

  const streamed = operands.filter(({ role }) => role === "weights" || role === "kv-cache");
  const groups =
    streamed.length === 0
      ? [[]]
      : (weights?.pieces(
          streamed.map((each) => bytesOf(each, dtype)),
          MAX_PIECES,
        ) ?? []);
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
      const uniform = own(kernel.fields.length * 4, GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST);
      gpu.device.queue.writeBuffer(
        uniform,
        0,
        Uint32Array.from(kernel.fields, (field) => shape[field]!),
      );

      const activations = new Map<Operand, Matrix>();
      const fixed = new Map<Operand, GPUBuffer>();
      operands.forEach((operand, i) => {
        if (streamed.includes(operand)) return;
        const usage =
          operand === output ? GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST : GPUBufferUsage.COPY_DST;
        const buffer = own(bytesOf(operand, dtype), GPUBufferUsage.STORAGE | usage);
        fixed.set(operand, buffer);
        if (operand !== output)
          activations.set(operand, uploadActivations(gpu, operand, dtype, buffer, seed + i));
      });

      const layout = pipeline.getBindGroupLayout(0);
      const bindGroups = groups.map((pieces) =>
        gpu.device.createBindGroup({
          layout,
          entries: [
            { binding: 0, resource: { buffer: uniform } },
            ...operands.map((operand, i) => {
              const buffer = fixed.get(operand);
              if (buffer !== undefined) return { binding: i + 1, resource: { buffer } };
              const { at: _, ...resource } = pieces[streamed.indexOf(operand)]!;
              return { binding: i + 1, resource };
            }),
          ],
        }),
      );
      const grid = gridOf(kernel.workgroups(shape, tuning), gpu.limits.maxComputeWorkgroupsPerDimension);

      return {
        kernel: name,
        shape,
        dtype,
        tuning: tuningName,
        compiled,
        seed,
        output: { operand: output, buffer: fixed.get(output)! },
        rotation:
          streamed.reduce((sum, operand) => sum + bytesOf(operand, dtype), 0) *
          (streamed.length > 0 ? groups.length : 0),
        inputs: (dispatch) =>
          operands.slice(0, -1).map((operand): Matrix => {
            const known = activations.get(operand);
            if (known !== undefined) return known;
            const stride = strideOf(operand.columns);
            const piece = groups[dispatch % groups.length]![streamed.indexOf(operand)]!;
            return (row, column) => piece.at(row * stride + column);
          }),
        encode(pass, from, count, step = 1) {
          pass.setPipeline(pipeline);
          for (let i = 0; i < count; i++) {
            pass.setBindGroup(0, bindGroups[(from + i * step) % bindGroups.length]!);
            pass.dispatchWorkgroups(grid[0], grid[1]);
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
