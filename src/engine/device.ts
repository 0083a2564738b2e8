// A GPUDevice with everything it can give, and awaits that cannot hang: each one ends with the device's
// loss or at a deadline.

import type { DType } from "../kernels/kernel";
import type { DeviceInfo } from "../result";
import { isFirefox, nudge } from "./firefox_nudge";
import type { Host } from "./host";

/** The environment cannot do it: no adapter, or no device from it. */
export class NoDevice extends Error {}

/** An await that passed its deadline. The device may only be busy. */
class NoAnswer extends Error {}

/** The device is gone; nothing more can be measured on it. */
export class DeviceLost extends Error {}

const FEATURES: readonly GPUFeatureName[] = ["shader-f16", "timestamp-query", "subgroups"];

// Limits whose defaults are smaller than what kernels and weights of this size want.
const LIMITS = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupStorageSize",
  "maxComputeWorkgroupsPerDimension",
] as const;

const DEADLINE_SECONDS = 30;

/** How long the news of a lost device may take to follow its first consequences. */
const LOSS_MS = 2000;

export interface Gpu {
  readonly device: GPUDevice;
  readonly info: DeviceInfo;
  readonly limits: Readonly<Record<(typeof LIMITS)[number], number>>;
  has(feature: GPUFeatureName): boolean;
  /** Phones have less memory, and drivers with less patience. */
  readonly mobile: boolean;
  /** Whether waiting for the GPU keeps a core busy: see dawn_polling.ts. */
  readonly polls: boolean;
  /**
   * Awaits a promise of the device. Throws DeviceLost when the device goes first, and an Error that names
   * `what` after 30 s.
   */
  await<T>(promise: Promise<T>, what: string): Promise<T>;
  /** After an error: throws DeviceLost where the device is gone, which explains the error. */
  assertAlive(): Promise<void>;
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

/** Opens the adapter's device with all the features and limits that kernels use. Throws NoDevice. */
export async function openDevice({ gpu, info: host }: Host): Promise<Gpu> {
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  if (adapter === null) throw new NoDevice("WebGPU is here, but it has no adapter for this machine");
  const features = FEATURES.filter((feature) => adapter.features.has(feature));
  const limits = Object.fromEntries(LIMITS.map((limit) => [limit, adapter.limits[limit]])) as Gpu["limits"];
  const device = await adapter
    .requestDevice({ requiredFeatures: features, requiredLimits: limits })
    .catch((error: unknown) => {
      throw new NoDevice(`the adapter gave no device: ${error instanceof Error ? error.message : error}`);
    });

  let loss: DeviceLost | undefined;
  const lost = device.lost.then(({ reason, message }): never => {
    loss = new DeviceLost(`device lost (${reason}): ${message || "no message"}`.slice(0, 300));
    throw loss;
  });
  // Nobody may be waiting when it happens; the next await sees it.
  lost.catch(() => {});

  // GPUAdapterInfo serialises to {}: copied by name. https://github.com/gpuweb/gpuweb/issues/4894
  const { vendor = "", architecture = "", device: name = "", description = "" } = adapter.info;
  const info: DeviceInfo = {
    vendor,
    architecture,
    device: name,
    description,
    software: softwareReason(adapter, adapter.info),
    features: [...features],
    limits,
  };

  const opened: Gpu = {
    device,
    info,
    limits,
    has: (feature) => device.features.has(feature),
    mobile: host.mobile,
    polls: host.kind === "node",
    async await(promise, what) {
      if (loss !== undefined) throw loss;
      const stopNudging = isFirefox(host.agent) ? nudge(device.queue) : undefined;
      let timer: ReturnType<typeof setTimeout> | undefined;
      const deadline = new Promise<never>((_, reject) => {
        timer = setTimeout(
          () => reject(new NoAnswer(`${what}: no answer in ${DEADLINE_SECONDS} s`)),
          DEADLINE_SECONDS * 1000,
        );
      });
      try {
        return await Promise.race([promise, lost, deadline]);
      } finally {
        clearTimeout(timer);
        stopNudging?.();
      }
    },
    async assertAlive() {
      if (loss !== undefined) throw loss;
      const buffer = device.createBuffer({
        size: 4,
        usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
      });
      try {
        await opened.await(buffer.mapAsync(GPUMapMode.READ), "a sign of life");
      } catch (error) {
        if (error instanceof NoAnswer) return;
        // Firefox rejects what was pending before it says that the device is lost.
        await Promise.race([lost, new Promise((resolve) => setTimeout(resolve, LOSS_MS))]);
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
  return dtype === "f16" && !gpu.has("shader-f16") ? "this device has no shader-f16" : undefined;
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
