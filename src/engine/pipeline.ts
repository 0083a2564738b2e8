import { type AnyKernel, type AnyShape, type KernelName, kernelOf } from "../kernels";
import { type Choice, starts, variantOf } from "../kernels/choices";
import type { DType } from "../kernels/elements";
import type { Stage } from "../kernels/kernel";
import { render, type Source } from "../kernels/prelude";
import type { Span } from "../timing";
import { type Gpu, lacking } from "./device";
import { inItsSyntax } from "./matrix_syntax";

/** What a choice of a kernel is compiled to. */
export interface Compiled {
  readonly stages: readonly { readonly stage: Stage; readonly pipeline: GPUComputePipeline }[];
  readonly compileSeconds: number;
  /** Its first dispatch on this device, once there was one: drivers put off work until then. */
  firstRun: Span | undefined;
}

/** Why a choice is not for this shape and type on this device, or undefined. */
export function unfit(
  gpu: Gpu,
  kernel: AnyKernel,
  choice: Choice,
  shape: AnyShape,
  dtype: DType,
): string | undefined {
  const variant = variantOf(kernel, choice);
  return (
    variant.unfit?.(choice.tuning, shape, dtype) ?? lacking(gpu, variant.demand(choice.tuning, shape, dtype))
  );
}

/** Where the search for a kernel's best choice may begin on this device for this shape, default first. */
export const fittingStarts = (gpu: Gpu, name: KernelName, shape: AnyShape, dtype: DType): Choice[] =>
  starts(kernelOf(name)).filter((choice) => unfit(gpu, kernelOf(name), choice, shape, dtype) === undefined);

// One text is compiled once per device: neighbouring cells share their pipelines.
const compiled = new WeakMap<GPUDevice, Map<string, Promise<Compiled>>>();

/** Compiles a kernel. Throws with the compiler's message at the shader file's own line. */
export function compile(
  gpu: Gpu,
  name: KernelName,
  choice: Choice,
  shape: AnyShape,
  dtype: DType,
): Promise<Compiled> {
  const variant = variantOf(kernelOf(name), choice);
  const stages = variant.stages(choice.tuning, shape, dtype);
  const sources = stages.map(({ shader, prelude }) => render(prelude, variant.shaders[shader] ?? ""));
  const key = sources.map(({ code }) => code).join("\0");
  const cache = compiled.get(gpu.device) ?? new Map<string, Promise<Compiled>>();
  compiled.set(gpu.device, cache);
  const known = cache.get(key);
  // The shape may differ, and with it the number of workgroups: only what was compiled is shared.
  const result =
    known?.then((shared) => withStages(shared, stages)) ?? compileStages(gpu, name, stages, sources);
  if (known === undefined) cache.set(key, result);
  return result;
}

/** The same pipelines for another shape; what is known of their first run is known of both. */
const withStages = (shared: Compiled, stages: readonly Stage[]): Compiled => ({
  compileSeconds: shared.compileSeconds,
  stages: stages.map((stage, i) => ({ stage, pipeline: shared.stages[i]!.pipeline })),
  get firstRun() {
    return shared.firstRun;
  },
  set firstRun(span) {
    shared.firstRun = span;
  },
});

async function compileStages(
  gpu: Gpu,
  name: KernelName,
  stages: readonly Stage[],
  sources: readonly Source[],
): Promise<Compiled> {
  const began = gpu.clock.now();
  const pipelines = await Promise.all(
    stages.map(async (stage, i) => ({
      stage,
      pipeline: await compileSource(gpu, name, stage.shader, sources[i]!),
    })),
  );
  return { stages: pipelines, compileSeconds: gpu.clock.now() - began, firstRun: undefined };
}

async function compileSource(
  gpu: Gpu,
  name: KernelName,
  shader: string,
  { code, lines }: Source,
): Promise<GPUComputePipeline> {
  const module = gpu.device.createShaderModule({ label: name, code: await inItsSyntax(gpu, code) });
  const descriptor = { label: name, layout: "auto", compute: { module, entryPoint: "main" } } as const;
  try {
    return await gpu.await(gpu.device.createComputePipelineAsync(descriptor), `compiling ${name}`);
  } catch (cause) {
    const { messages } = await gpu.await(module.getCompilationInfo(), `compiling ${name}`);
    const [error] = messages.filter(({ type }) => type === "error");
    if (error === undefined) throw cause;
    const line = lines[error.lineNum - 1] ?? 0;
    const where = line > 0 ? `shaders/${shader}.wgsl:${line}` : `the prelude of ${shader}.wgsl`;
    throw new Error(`${where}: ${error.message.split("\n")[0]}`);
  }
}
