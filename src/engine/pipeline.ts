import { type AnyShape, type AnyTuning, type KernelName, kernelOf } from "../kernels";
import type { DType } from "../kernels/kernel";
import { render, type Source } from "../kernels/prelude";
import type { Span } from "../result";
import type { Gpu } from "./device";

export interface Pipeline {
  readonly pipeline: GPUComputePipeline;
  readonly compileSeconds: number;
  /** Its first dispatch on this device, once there was one: drivers put off work until then. */
  firstRun: Span | undefined;
}

/** The tunings of a kernel that this device's limits allow for this shape, default first. */
export function fittingTunings(gpu: Gpu, name: KernelName, shape: AnyShape, dtype: DType): string[] {
  const kernel = kernelOf(name);
  return Object.entries(kernel.tunings).flatMap(([tuningName, tuning]) => {
    const { threads, workgroupStorage } = kernel.demand(tuning, shape, dtype);
    const fits =
      threads <= gpu.limits.maxComputeInvocationsPerWorkgroup &&
      threads <= gpu.limits.maxComputeWorkgroupSizeX &&
      workgroupStorage <= gpu.limits.maxComputeWorkgroupStorageSize;
    return fits ? [tuningName] : [];
  });
}

// One text is compiled once per device: neighbouring cells share their pipelines.
const compiled = new WeakMap<GPUDevice, Map<string, Promise<Pipeline>>>();

/** Compiles a kernel. Throws with the compiler's message at the shader file's own line. */
export function compile(
  gpu: Gpu,
  name: KernelName,
  tuning: AnyTuning,
  shape: AnyShape,
  dtype: DType,
): Promise<Pipeline> {
  const { wgsl, prelude } = kernelOf(name);
  const source = render(prelude(tuning, shape, dtype), wgsl);
  const cache = compiled.get(gpu.device) ?? new Map<string, Promise<Pipeline>>();
  compiled.set(gpu.device, cache);
  const pipeline = cache.get(source.code) ?? compileSource(gpu, name, source);
  cache.set(source.code, pipeline);
  return pipeline;
}

async function compileSource(gpu: Gpu, name: KernelName, { code, lines }: Source): Promise<Pipeline> {
  const began = gpu.clock.now();
  const module = gpu.device.createShaderModule({ label: name, code });
  const descriptor = { label: name, layout: "auto", compute: { module, entryPoint: "main" } } as const;
  try {
    const pipeline = await gpu.await(gpu.device.createComputePipelineAsync(descriptor), `compiling ${name}`);
    return { pipeline, compileSeconds: gpu.clock.now() - began, firstRun: undefined };
  } catch (cause) {
    const { messages } = await gpu.await(module.getCompilationInfo(), `compiling ${name}`);
    const [error] = messages.filter(({ type }) => type === "error");
    if (error === undefined) throw cause;
    const line = lines[error.lineNum - 1] ?? 0;
    const where = line > 0 ? `shaders/${name}.wgsl:${line}` : `the prelude of ${name}`;
    throw new Error(`${where}: ${error.message.split("\n")[0]}`);
  }
}
