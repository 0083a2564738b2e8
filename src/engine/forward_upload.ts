// The weights of a file into the buffers of a forward pass, piece by piece: neither the file nor a tensor is ever in
// memory as a whole.

import { type DType, quantsOf } from "../kernels/elements";
import { bytesOf } from "../kernels/kernel";
import type { Checkpoint } from "../weight_files/checkpoint";
import { encodedMatrix, readVector } from "../weight_files/weight_stream";
import type { Tensor } from "../workloads";
import type { Gpu } from "./device";
import type { FillWeights } from "./forward";
import { fillCache, fillTable } from "./forward_weights";

/** Bytes that are on their way to the GPU before somebody waits for them. */
const UNDER_WAY = 2 ** 26;

/** Waits until the GPU has what was written to it: until then each piece is in memory twice. */
function pacer(gpu: Gpu) {
  let pending = 0;
  const settle = () => {
    pending = 0;
    // Firefox sends what was written with the next submit, if it is an empty one.
    gpu.device.queue.submit([]);
    return gpu.await(gpu.device.queue.onSubmittedWorkDone(), "loading weights");
  };
  return {
    settle,
    async wrote(bytes: number): Promise<void> {
      pending += bytes;
      if (pending >= UNDER_WAY) await settle();
    },
  };
}

/** Bytes of one row of a tensor as its buffer has it. */
const rowBytes = ({ columns, element }: Tensor): number => bytesOf({ rows: 1, columns, element });

/** Fills the tensors of a forward pass with a file's weights, and tells how many bytes of it were read. */
export const uploadWeights =
  (
    { model, weights, ropeDivisors }: Pick<Checkpoint, "model" | "weights" | "ropeDivisors">,
    dtype: DType,
    onRead: (bytes: number, ofBytes: number) => void,
  ): FillWeights =>
  async (gpu, tensors, bufferOf) => {
    const { queue } = gpu.device;
    const pace = pacer(gpu);
    const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]));
    const total = weights.stored.reduce((sum, { bytes }) => sum + bytes, 0);
    let read = 0;
    for (const tensor of tensors) {
      const { name, role, rows, element } = tensor;
      const buffer = bufferOf(name);
      if (role === "cache") {
        // Nobody has said what stands at a depth, and random numbers cost what any do; zeros might not.
        await fillCache(gpu, tensor, buffer, gpu.freshSeed());
        continue;
      }
      // The scales come with their matrix.
      if (name.endsWith(".scales")) continue;
      if (role === "matrix") {
        const scales = quantsOf[dtype] === undefined ? undefined : byName.get(`${name}.scales`);
        for await (const piece of encodedMatrix(weights.parts(name, rows), dtype)) {
          queue.writeBuffer(buffer, piece.row * rowBytes(tensor), piece.data);
          if (piece.scales !== undefined && scales !== undefined)
            queue.writeBuffer(bufferOf(scales.name), piece.row * rowBytes(scales), piece.scales);
          read += piece.read;
          onRead(read, total);
          await pace.wrote(piece.data.length + (piece.scales?.length ?? 0));
        }
      } else if (role === "vector") {
        // No bias is zeros, as buffers are when they are made.
        if (name === "no_bias") continue;
        const vector = await readVector(
          weights.parts(name, rows),
          element === "f16" ? "f16" : "f32",
          rows === 1,
        );
        queue.writeBuffer(buffer, 0, vector);
      } else fillTable(gpu, model, tensor, buffer, ropeDivisors);
    }
    await pace.settle();
    return {
      weight: (name) => {
        throw new Error(`${name}: weights of a file are not kept`);
      },
    };
  };
