// Buffers of the simulated GPU. What a dispatch has written is computed when somebody looks at it.

import { kernelOf } from "../../src/kernels";
import { type Matrix, strideOf } from "../../src/kernels/kernel";
import { randomAt } from "../../src/kernels/random";
import type { Device } from "./device";
import type { Hardware } from "./hardware";
import { HOST, type Pipeline, shapeOf } from "./machine";

export interface Binding {
  readonly buffer: Buffer;
  readonly offset?: number;
}

/** A write that nobody has looked at yet. */
export interface Pending {
  readonly pipeline: Pipeline;
  readonly bindings: readonly Binding[];
}

export class Buffer {
  #bytes: ArrayBuffer | undefined;
  /** The stream of random numbers that fills it, which are made when they are asked for. */
  stream: number | undefined;
  pending: Pending | undefined;
  destroyed = false;

  constructor(
    readonly size: number,
    readonly device: Device,
  ) {}

  get bytes(): ArrayBuffer {
    this.#bytes ??= new ArrayBuffer(this.size);
    return this.#bytes;
  }

  write(offset: number, data: ArrayBufferView): void {
    this.pending = undefined;
    new Uint8Array(this.bytes).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), offset);
  }

  /** The element of f32 at an index from an offset in bytes. */
  at(offset: number, index: number): number {
    const element = offset / 4 + index;
    if (this.stream !== undefined) return randomAt(this.stream, element);
    return new Float32Array(this.bytes)[element] ?? Number.NaN;
  }

  mapAsync(): Promise<void> {
    return this.device.whenDone(HOST.map);
  }

  getMappedRange(offset = 0, size = this.size): ArrayBuffer {
    return this.bytes.slice(offset, offset + size);
  }

  unmap(): void {}

  destroy(): void {
    if (!this.destroyed) this.device.live.delete(this);
    this.destroyed = true;
  }
}

/** Computes what a dispatch has written: every element, by the kernel's own reference. */
export function materialise({ pipeline, bindings }: Pending, hardware: Hardware): void {
  const kernel = kernelOf(pipeline.kernel);
  const [uniformBinding, ...operandBindings] = bindings;
  const shape = shapeOf(pipeline.kernel, uniformBinding!.buffer);
  const operands = kernel.operands(shape, "f32");
  const output = operands.at(-1)!;
  const target = operandBindings.at(-1)!.buffer;
  const inputs = operands.slice(0, -1).map((operand, i): Matrix => {
    const { buffer, offset = 0 } = operandBindings[i]!;
    const stride = strideOf(operand.columns);
    return (row, column) => buffer.at(offset, row * stride + column);
  });
  const columns = Array.from({ length: output.columns }, (_, column) => column);
  const stride = strideOf(output.columns);
  const out = new Float32Array(target.bytes);
  // The recurrences of fma start alike every 64 invocations.
  const period = pipeline.kernel === "fma" ? Math.min(64, output.rows) : output.rows;
  for (let row = 0; row < output.rows; row++) {
    if (row >= period) {
      out.copyWithin(row * stride, (row % period) * stride, (row % period) * stride + stride);
      continue;
    }
    kernel.reference(shape, inputs, row, columns, "f32").forEach(({ value }, column) => {
      out[row * stride + column] = hardware.computes(pipeline.kernel, value, row, column);
    });
  }
}
