// The weights' memory: random numbers in as many buffers as the budget takes, handed out piece after
// piece in turn. A piece is read again only after all the others, so that nothing is found in a cache
// that would not be there in a model of this size.

import { fill } from "../kernels/fill";
import { type DType, sizeOf } from "../kernels/kernel";
import { gridOf } from "../kernels/prelude";
import { randomAt } from "../kernels/random";
import { type Gpu, guarded } from "./device";
import { compile } from "./pipeline";

/** Offsets of storage bindings are multiples of this on every device. */
const ALIGNMENT = 256;

/** A part of a buffer, and the numbers that are in it. */
export interface Piece {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly size: number;
  /** The element `index` of the piece. */
  at(index: number): number;
}

export interface Weights {
  readonly bytes: number;
  readonly dtype: DType;
  /** Disjoint pieces of these sizes in memory order; each group holds one piece of each size. At most `limit` groups, spread over everything. */
  pieces(sizes: readonly number[], limit: number): Piece[][];
  destroy(): void;
}

/**
 * The most that one dispatch can stream. A buffer is no larger than one binding, so that it can be bound
 * whole, and than 512 MiB: some drivers promise more and then do not give it.
 */
export const largestPiece = ({ limits }: Gpu): number =>
  Math.min(limits.maxBufferSize, limits.maxStorageBufferBindingSize, 2 ** 29);

const align = (bytes: number) => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

/** Allocates and fills about `bytes` of weights. Throws when there is not that much memory. */
export async function allocateWeights(gpu: Gpu, dtype: DType, bytes: number): Promise<Weights> {
  const largest = largestPiece(gpu);
  const unit = Math.floor(Math.min(largest, align(bytes)) / ALIGNMENT) * ALIGNMENT;
  const buffers: GPUBuffer[] = [];
  const seeds: number[] = [];
  const destroy = () => {
    for (const buffer of buffers) buffer.destroy();
  };

  try {
    await guarded(gpu, `allocating ${Math.round(bytes / 2 ** 20)} MiB of weights`, async () => {
      const tuning = fill.tunings["64 threads"]!;
      const { pipeline } = await compile(gpu, "fill", tuning, { words: 1, seed: 1 }, dtype);
      while (buffers.length * unit < bytes) {
        const seed = gpu.freshSeed();
        seeds.push(seed);
        const size = Math.min(unit, align(bytes - buffers.length * unit));
        const buffer = gpu.device.createBuffer({
          size,
          usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC,
        });
        buffers.push(buffer);
        const words = size / sizeOf[dtype] / 4;
        const shape = gpu.device.createBuffer({
          size: 16,
          usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
        });
        gpu.device.queue.writeBuffer(shape, 0, new Uint32Array([words, seed]));
        const encoder = gpu.device.createCommandEncoder();
        const pass = encoder.beginComputePass();
        pass.setPipeline(pipeline);
        const entries = [shape, buffer].map((each, binding) => ({ binding, resource: { buffer: each } }));
        pass.setBindGroup(0, gpu.device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
        pass.dispatchWorkgroups(...gridOf(fill.workgroups({ words, seed }, tuning)));
        pass.end();
        gpu.device.queue.submit([encoder.finish()]);
        await gpu.await(gpu.device.queue.onSubmittedWorkDone(), "filling the weights");
        shape.destroy();
      }
    });
  } catch (error) {
    destroy();
    throw error;
  }

  return {
    bytes: buffers.reduce((sum, { size }) => sum + size, 0),
    dtype,
    destroy,
    pieces(sizes, limit) {
      const stride = sizes.reduce((sum, size) => sum + align(size), 0);
      const perBuffer = buffers.map(({ size }) => Math.floor(size / stride));
      const total = perBuffer.reduce((a, b) => a + b, 0);
      const step = Math.max(1, Math.ceil(total / limit));
      const groups: Piece[][] = [];
      let number = 0;
      buffers.forEach((buffer, which) => {
        for (let i = 0; i < perBuffer[which]!; i++, number++) {
          if (number % step !== 0) continue;
          let offset = i * stride;
          groups.push(
            sizes.map((size): Piece => {
              const first = offset / sizeOf[dtype];
              const piece = {
                buffer,
                offset,
                size,
                at: (index: number) => randomAt(seeds[which]!, first + index),
              };
              offset += align(size);
              return piece;
            }),
          );
        }
      });
      return groups;
    },
  };
}
