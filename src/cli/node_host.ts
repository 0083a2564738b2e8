// The engine on Dawn, without a browser: for GPU servers. npm's `webgpu` is an optional dependency.

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { systemClock } from "../engine/clock";
import { NoDevice, openDevice } from "../engine/device";
import { alwaysVisible, DEADLINE_SECONDS, type Host } from "../engine/host";
import { type Progress, run } from "../engine/run";
import { type SelfTest, selfTest } from "../engine/self_test";
import type { Plan } from "../plan";
import type { DeviceInfo, Result } from "../result";
import type { KnownTuning } from "../tuning_records";
import { hasGpuDevice } from "./browsers";
import { Exit, ExitCode } from "./exit";

/** Chromium brings a software driver that Dawn can use too. */
const SOFTWARE_DRIVER = "/usr/lib/chromium/vk_swiftshader_icd.json";

// Dawn hides f16 on NVIDIA under Vulkan (https://crbug.com/42251215) and quantises timestamps to 65,536 ns.
const TOGGLES = [
  "enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia",
  "disable-dawn-features=timestamp_quantization",
];

/** npm's package and Dawn are released together. */
const dawnVersion = (): string => createRequire(import.meta.url)("webgpu/package.json").version;

async function createHost(): Promise<Host> {
  const webgpu = await import("webgpu").catch((error: unknown) => {
    throw new Exit(
      ExitCode.environment,
      `--host node needs npm's webgpu package: npm install webgpu (${error instanceof Error ? error.message : error})`,
    );
  });
  const noDriver = process.env.VK_DRIVER_FILES === undefined && process.env.VK_ICD_FILENAMES === undefined;
  if (noDriver && !hasGpuDevice() && existsSync(SOFTWARE_DRIVER))
    process.env.VK_DRIVER_FILES = SOFTWARE_DRIVER;
  Object.assign(globalThis, webgpu.globals);
  return {
    gpu: webgpu.create(TOGGLES),
    clock: systemClock,
    visibility: alwaysVisible,
    deadlineSeconds: DEADLINE_SECONDS,
    info: {
      kind: "node",
      agent: `Node ${process.versions.node}, Dawn ${dawnVersion()}, ${process.platform} ${process.arch}`,
      crossOriginIsolated: true,
      mobile: false,
      logicalCores: availableParallelism(),
    },
  };
}

/** Does `work` on Dawn's GPU. Throws Exit where there is none. */
async function onDawn<T>(work: (host: Host) => Promise<T>): Promise<T> {
  const host = await createHost();
  try {
    return await work(host);
  } catch (error) {
    if (error instanceof NoDevice)
      throw new Exit(ExitCode.environment, `Dawn: ${error.message}; is a Vulkan driver installed?`);
    throw error;
  }
}

/** Runs a plan in this process. */
export const runInNode = (
  plan: Plan,
  tunings: readonly KnownTuning[],
  onProgress: (progress: Progress) => void,
): Promise<Result> => onDawn((host) => run(plan, host, onProgress, { tunings }));

/** What Dawn's adapter says of itself. */
export const inspectNode = (): Promise<DeviceInfo> =>
  onDawn(async (host) => {
    const gpu = await openDevice(host);
    gpu.close();
    return gpu.info;
  });

/** The self-test of the instruments on Dawn. */
export const selfTestInNode = (): Promise<SelfTest> => onDawn((host) => selfTest(host, () => {}));
