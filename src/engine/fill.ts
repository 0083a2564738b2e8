// Buffers full of seeded random numbers: the synthetic weights.

import { kernelOf } from "../kernels";
import { defaultChoice } from "../kernels/choices";
import { type DType, type Element, isFloat } from "../kernels/elements";
import { gridOf } from "../kernels/prelude";
import type { Gpu } from "./device";
import { compile } from "./pipeline";

/**
 * Fills a buffer, whose size is a multiple of 16 bytes, with the numbers of stream `seed`: see storedAt(). Floats are
 * divided by `shrink`, a power of two.
 */
export async function fillBuffer(
  gpu: Gpu,
  buffer: GPUBuffer,
  element: Element,
  seed: number,
  shrink = 1,
): Promise<void> {
  const dtype: DType = isFloat(element) ? element : "q8_0";
  const call = { words: buffer.size / 16, seed, shrink };
  const { stages } = await compile(gpu, "fill", defaultChoice(kernelOf("fill")), call, dtype);
  const { stage, pipeline } = stages[0]!;
  const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
  const shape = gpu.device.createBuffer({ size: 16, usage });
  gpu.device.queue.writeBuffer(shape, 0, new Uint32Array([call.words, seed, shrink]));
  const encoder = gpu.device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  const entries = [shape, buffer].map((each, binding) => ({ binding, resource: { buffer: each } }));
  pass.setBindGroup(0, gpu.device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
  pass.dispatchWorkgroups(...gridOf(stage.workgroups));
  pass.end();
  gpu.device.queue.submit([encoder.finish()]);
  try {
    await gpu.await(gpu.device.queue.onSubmittedWorkDone(), "filling the weights");
  } finally {
    shape.destroy();
  }
}
