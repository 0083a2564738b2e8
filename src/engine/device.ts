// A GPUDevice with everything it can give, and awaits that cannot hang: each one ends with the device's
// loss or at a deadline.

import * as v from "valibot";
import { activationsOf, type DType } from "../kernels/elements";
import type { Demand, MatrixUnit } from "../kernels/kernel";
import type { DeviceInfo, HostInfo } from "../result";
import { type Clock, NoAnswer, sleep, withDeadline } from "./clock";
import { isFirefox, nudge } from "./firefox_nudge";
import type { Host } from "./host";

/** The environment cannot do it: no adapter, or no device from it. */
export class NoDevice extends Error {}

/** The device is gone; nothing more can be measured on it. */
export class DeviceLost extends Error {}

/** Not in the types yet: https://github.com/gpuweb/gpuweb/blob/main/proposals/subgroup-matrix.md */
const SUBGROUP_MATRIX = "chromium-experimental-subgroup-matrix" as GPUFeatureName;

const FEATURES: readonly GPUFeatureName[] = ["shader-f16", "timestamp-query", "subgroups", SUBGROUP_MATRIX];

/** WGSL's products of four bytes at once; a feature of the language, which browsers list elsewhere. */
const PACKED_DOT = "packed_4x8_integer_dot_product";

// Limits whose defaults are smaller than what kernels and weights of this size want.
const LIMITS = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupStorageSize",
  "maxComputeWorkgroupsPerDimension",
] as const;

const matrixConfigsSchema = v.array(
  v.object({
    componentType: v.string(),
    resultComponentType: v.string(),
    M: v.number(),
    N: v.number(),
    K: v.number(),
  }),
);

/** How long the news of a lost device may take to follow its first consequences. */
const LOSS_SECONDS = 2;

export interface Gpu {
  readonly device: GPUDevice;
  readonly info: DeviceInfo;
  readonly clock: Clock;
  /** The seed of a stream of random numbers that nothing else on this device has; 16 streams follow each. */
  freshSeed(): number;
  readonly limits: Readonly<Record<(typeof LIMITS)[number], number>>;
  has(feature: GPUFeatureName): boolean;
  /** Lanes of a subgroup where they are always as many; 0 where they vary, or there are no subgroups. */
  readonly subgroupSize: number;
  /** Most lanes that a subgroup may have; 0 where there are no subgroups. */
  readonly largestSubgroup: number;
  readonly packedDot: boolean;
  /** What subgroups multiply in one instruction. */
  readonly matrixUnits: readonly MatrixUnit[];
  /** Phones have less memory, and drivers with less patience. */
  readonly mobile: boolean;
  /** Whether waiting for the GPU keeps a core busy: see dawn_polling.ts. */
  readonly polls: boolean;
  /**
   * Awaits a promise of the device. Throws DeviceLost when the device goes first, and NoAnswer, which names
   * `what`, at the host's deadline.
   */
  await<T>(promise: Promise<T>, what: string): Promise<T>;
  /** After an error: throws DeviceLost or NoAnswer where the device is gone or stuck, which explains the error. */
  assertAlive(error: unknown): Promise<void>;
  close(): void;
}

/** Software adapters by the names they go by. */
const SOFTWARE = /swiftshader|llvmpipe|lavapipe|microsoft basic render|\bwarp\b|software/i;

function softwareReason(adapter: GPUAdapter, { vendor, architecture, device, description }: GPUAdapterInfo) {
  const named = [vendor, architecture, device, description].find((text) => SOFTWARE.test(text));
  if (named !== undefined) return `the adapter calls itself ${JSON.stringify(named.slice(0, 60))}`;
  // Moved from the adapter to its info in Chrome 136.
  const marked =
    adapter.info.isFallbackAdapter ||
    ("isFallbackAdapter" in adapter &&
      (adapter as { isFallbackAdapter: unknown }).isFallbackAdapter === true);
  return marked ? "the browser marks the adapter as a software fallback" : null;
}

/** Least and most lanes of a subgroup; zeros where there are none. */
function subgroupSizes(adapter: GPUAdapter): { subgroupMinSize: number; subgroupMaxSize: number } {
  const { subgroupMinSize = 0, subgroupMaxSize = 0 } = adapter.info;
  return adapter.features.has("subgroups")
    ? { subgroupMinSize, subgroupMaxSize }
    : { subgroupMinSize: 0, subgroupMaxSize: 0 };
}

/** As the adapter lists them: an array of plain objects in Chromium 156. None where an experiment lists them otherwise. */
function matrixUnitsOf(adapter: GPUAdapter): MatrixUnit[] {
  if (!adapter.features.has(SUBGROUP_MATRIX)) return [];
  const listed = (adapter.info as { subgroupMatrixConfigs?: unknown }).subgroupMatrixConfigs;
  const { success, output } = v.safeParse(matrixConfigsSchema, listed);
  if (!success) return [];
  return output.flatMap(({ componentType, resultComponentType, ...size }) =>
    (componentType === "f16" || componentType === "f32" || componentType === "i8") &&
    (resultComponentType === "f16" || resultComponentType === "f32" || resultComponentType === "i32")
      ? [{ element: componentType, result: resultComponentType, ...size }]
      : [],
  );
}

/** "discrete GPU", "integrated GPU" or "CPU" where the browser says so, which Chromium does to developers only. */
function typeOf(info: GPUAdapterInfo): string {
  const type = "type" in info ? info.type : "";
  return typeof type === "string" ? type : "";
}

/** An adapter's description of itself. Dawn in Node describes the driver, and names the GPU beside it. */
const descriptionOf = ({ device, description }: GPUAdapterInfo, { kind }: HostInfo): string =>
  kind === "node" ? [device.replace(/-+$/, ""), description].filter(Boolean).join(", ") : (description ?? "");

/** What an adapter is told apart from another by. */
const described = (info: GPUAdapterInfo, host: HostInfo): string =>
  [descriptionOf(info, host) || [info.vendor, info.architecture].filter(Boolean).join(" "), typeOf(info)]
    .filter(Boolean)
    .join(", ");

/** Other adapters than the one in use, as they describe themselves: a machine may have a second GPU. */
async function othersThan(used: GPUAdapter, { gpu, clock, deadlineSeconds, info }: Host): Promise<string[]> {
  const request = Promise.resolve(gpu.requestAdapter({ powerPreference: "low-power" })).catch(() => null);
  const other = await withDeadline(clock, request, "asking for other adapters", deadlineSeconds);
  if (other === null || described(other.info, info) === described(used.info, info)) return [];
  return [described(other.info, info)].filter((text) => text !== "");
}

/** Opens the adapter's device with all the features and limits that kernels use. Throws NoDevice. */
export async function openDevice(host: Host, seed = 1): Promise<Gpu> {
  const { gpu, info: hostInfo, clock, deadlineSeconds } = host;
  const answered = <T>(promise: Promise<T>, what: string) =>
    withDeadline(clock, promise, what, deadlineSeconds).catch((error: unknown) => {
      throw new NoDevice(`${error instanceof Error ? error.message : error}`);
    });
  const adapter = await answered(
    gpu.requestAdapter({ powerPreference: "high-performance" }),
    "asking for an adapter",
  );
  if (adapter === null) throw new NoDevice("WebGPU is here, but it has no adapter for this machine");
  const features = FEATURES.filter((feature) => adapter.features.has(feature));
  const packedDot = gpu.wgslLanguageFeatures?.has(PACKED_DOT) ?? false;
  const subgroups = subgroupSizes(adapter);
  const limits = Object.fromEntries(LIMITS.map((limit) => [limit, adapter.limits[limit]])) as Gpu["limits"];
  const device = await answered(
    adapter
      .requestDevice({ requiredFeatures: features, requiredLimits: limits })
      .catch((error: unknown): never => {
        throw new Error(`the adapter gave no device: ${error instanceof Error ? error.message : error}`);
      }),
    "asking for a device",
  );

  let loss: DeviceLost | undefined;
  const lost = device.lost.then(({ reason, message }): never => {
    loss = new DeviceLost(`device lost (${reason}): ${message || "no message"}`.slice(0, 300));
    throw loss;
  });
  // Nobody may be waiting when it happens; the next await sees it.
  lost.catch(() => {});

  // GPUAdapterInfo serialises to {}: copied by name. https://github.com/gpuweb/gpuweb/issues/4894
  const { vendor = "", architecture = "", device: name = "" } = adapter.info;
  const info: DeviceInfo = {
    vendor,
    architecture,
    device: name,
    description: descriptionOf(adapter.info, hostInfo),
    type: typeOf(adapter.info),
    others: await othersThan(adapter, host).catch(() => []),
    software: softwareReason(adapter, adapter.info),
    features: [...features, ...(packedDot ? [PACKED_DOT] : [])],
    limits: { ...limits, ...subgroups },
  };

  let seeds = 0;
  const opened: Gpu = {
    device,
    info,
    clock,
    freshSeed: () => (seed + 16 * seeds++) >>> 0,
    limits,
    has: (feature) => device.features.has(feature),
    subgroupSize: subgroups.subgroupMinSize === subgroups.subgroupMaxSize ? subgroups.subgroupMaxSize : 0,
    largestSubgroup: subgroups.subgroupMaxSize,
    packedDot,
    matrixUnits: matrixUnitsOf(adapter),
    mobile: hostInfo.mobile,
    polls: hostInfo.kind === "node",
    async await(promise, what) {
      // Where the device is lost already nobody waits for it: what fails then must not count as unhandled.
      promise.catch(() => {});
      if (loss !== undefined) throw loss;
      const stopNudging = isFirefox(hostInfo.agent) ? nudge(clock, device.queue) : undefined;
      try {
        return await withDeadline(clock, Promise.race([promise, lost]), what, deadlineSeconds);
      } finally {
        stopNudging?.();
      }
    },
    async assertAlive(cause) {
      if (cause instanceof NoAnswer) throw cause;
      if (loss !== undefined) throw loss;
      const buffer = device.createBuffer({
        size: 4,
        usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
      });
      try {
        await opened.await(buffer.mapAsync(GPUMapMode.READ), "a sign of life");
      } catch (error) {
        if (error instanceof NoAnswer) throw error;
        // Firefox rejects what was pending before it says that the device is lost.
        await Promise.race([lost, sleep(clock, LOSS_SECONDS)]);
        throw new DeviceLost("device lost: it gives no sign of life");
      } finally {
        buffer.destroy();
      }
    },
    close: () => device.destroy(),
  };
  return opened;
}

/** Why a type cannot be computed with on this device, or undefined. */
export function unsupported(gpu: Gpu, dtype: DType): string | undefined {
  return activationsOf[dtype] === "f16" && !gpu.has("shader-f16")
    ? "this device has no shader-f16"
    : undefined;
}

/** Why this device cannot do what a variant asks for, or undefined. */
export function lacking(gpu: Gpu, demand: Demand): string | undefined {
  const { threads, workgroupStorage, subgroup, packedDot, matrix } = demand;
  const { limits } = gpu;
  if (threads > Math.min(limits.maxComputeInvocationsPerWorkgroup, limits.maxComputeWorkgroupSizeX))
    return `${threads} threads are more than a workgroup has`;
  if (workgroupStorage > limits.maxComputeWorkgroupStorageSize)
    return `${workgroupStorage} bytes are more than workgroup memory has`;
  const lanes = matrix === undefined ? gpu.subgroupSize : gpu.largestSubgroup;
  if (subgroup !== undefined && subgroup !== lanes) return `subgroups do not have ${subgroup} lanes`;
  if (packedDot && !gpu.packedDot) return `no ${PACKED_DOT}`;
  if (matrix === undefined) return undefined;
  const has = (wanted: MatrixUnit) =>
    gpu.matrixUnits.some((unit) =>
      (["element", "result", "M", "N", "K"] as const).every((field) => unit[field] === wanted[field]),
    );
  if (!has(matrix)) return "no such matrix unit";
  // Sums in f16 lose what kernels promise; only where there are no others are they worth having.
  return matrix.result === "f16" && has({ ...matrix, result: "f32" })
    ? "this matrix unit sums in f32 as well"
    : undefined;
}

/**
 * Runs `work`, and throws what the device reported about it: validation errors and lack of memory. Scopes are
 * a stack, so work that may run beside other work has to be synchronous: then no other gets in between.
 */
export async function guarded<T>(gpu: Gpu, what: string, work: () => T | Promise<T>): Promise<T> {
  gpu.device.pushErrorScope("out-of-memory");
  gpu.device.pushErrorScope("validation");
  const pop = () => {
    const scopes = [gpu.device.popErrorScope(), gpu.device.popErrorScope()];
    // Whoever throws first leaves the other unawaited.
    for (const scope of scopes) scope.catch(() => {});
    return scopes;
  };
  let scopes: Promise<GPUError | null>[] | undefined;
  const run = async () => {
    const value = work();
    if (!(value instanceof Promise)) scopes = pop();
    return value;
  };
  const [settled] = await Promise.allSettled([run()]);
  for (const scope of scopes ?? pop()) {
    const problem = await gpu.await(scope, what);
    if (problem !== null) throw new Error(`${what}: ${problem.message.split("\n")[0]}`.slice(0, 380));
  }
  if (settled.status === "rejected") throw settled.reason;
  return settled.value;
}
