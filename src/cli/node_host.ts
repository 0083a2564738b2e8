// The engine on Dawn, without a browser: for GPU servers. npm's `webgpu` is an optional dependency.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism, tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { systemClock } from "../engine/clock";
import { NoDevice, openDevice } from "../engine/device";
import { alwaysVisible, DEADLINE_SECONDS, type Host } from "../engine/host";
import { type Progress, run } from "../engine/run";
import { type SelfTest, selfTest } from "../engine/self_test";
import { writeText } from "../engine/text";
import type { MatrixUnit } from "../kernels/kernel";
import type { Plan } from "../plan";
import type { DeviceInfo, Result } from "../result";
import type { TextOrder, TextOutcome, TextProgress } from "../text_result";
import type { KnownTuning } from "../tuning_records";
import type { WeightFiles } from "../weight_files/checkpoint";
import { Exit, ExitCode } from "./exit";
import { thisMachine } from "./machine";
import { chooseDrivers, type Driver, manifestText, whyNoAdapter } from "./vulkan_driver";

// Dawn hides f16 on NVIDIA under Vulkan (https://crbug.com/42251215) and quantises timestamps to 65,536 ns.
const TOGGLES = [
  "enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia",
  "disable-dawn-features=timestamp_quantization",
];

/** npm's package and Dawn are released together. */
const dawnVersion = (): string => createRequire(import.meta.url)("webgpu/package.json").version;

interface DawnHost {
  readonly host: Host;
  /** The Vulkan drivers that Dawn got, and a line about them; on other systems it has no choice. */
  readonly drivers: readonly Driver[];
  readonly driverLine: string | undefined;
}

/** Writes a manifest for a driver that has none. */
function writeManifest(library: string): string {
  const path = join(mkdtempSync(join(tmpdir(), "tokenroof-driver-")), "icd.json");
  writeFileSync(path, manifestText(library));
  process.once("exit", () => rmSync(dirname(path), { recursive: true, force: true }));
  return path;
}

/** Tells the Vulkan loader which drivers to take. Throws Exit where there is none. */
function giveDrivers(): Pick<DawnHost, "drivers" | "driverLine"> {
  if (process.platform !== "linux") return { drivers: [], driverLine: undefined };
  const choice = chooseDrivers(thisMachine);
  if (!choice.ok) throw new Exit(ExitCode.environment, choice.problem);
  const { drivers, line } = choice;
  const manifests = drivers
    .map(({ manifest, library }) => manifest ?? writeManifest(library))
    .join(delimiter);
  // Loaders before 1.3.207 know the second name only.
  process.env.VK_DRIVER_FILES = manifests;
  process.env.VK_ICD_FILENAMES = manifests;
  // Mesa looks for a display there, and complains on stderr where it is unset.
  process.env.XDG_RUNTIME_DIR ??= tmpdir();
  return { drivers, driverLine: line };
}

async function createHost(): Promise<DawnHost> {
  const webgpu = await import("webgpu").catch((error: unknown) => {
    throw new Exit(
      ExitCode.environment,
      `--host node needs npm's webgpu package: npm install webgpu (${error instanceof Error ? error.message : error})`,
    );
  });
  const given = giveDrivers();
  Object.assign(globalThis, webgpu.globals);
  const host: Host = {
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
  return { host, ...given };
}

let created: Promise<DawnHost> | undefined;

/** One Dawn for the whole process: the drivers are chosen once. */
const dawnHost = (): Promise<DawnHost> => (created ??= createHost());

/** Does `work` on Dawn's GPU. Throws Exit where there is none. */
async function onDawn<T>(work: (host: Host) => Promise<T>): Promise<T> {
  const { host, drivers, driverLine } = await dawnHost();
  try {
    return await work(host);
  } catch (error) {
    if (!(error instanceof NoDevice)) throw error;
    const driver =
      driverLine === undefined ? "" : `; driver ${driverLine}: ${whyNoAdapter(thisMachine, drivers)}`;
    throw new Exit(ExitCode.environment, `Dawn: ${error.message}${driver}`);
  }
}

/** Which Vulkan driver Dawn got, in a line; undefined where it has no choice. Throws Exit where there is none. */
export const driverInNode = async (): Promise<string | undefined> => (await dawnHost()).driverLine;

/** Runs a plan in this process. When `signal` aborts, the run is given up and what was finished comes back. */
export const runInNode = (
  plan: Plan,
  tunings: readonly KnownTuning[],
  onProgress: (progress: Progress) => void,
  signal: AbortSignal,
): Promise<Result> =>
  onDawn(
    (host) =>
      new Promise((resolve, reject) => {
        let kept: Result | undefined;
        const giveUp = () => {
          if (kept !== undefined)
            resolve({ ...kept, completion: { status: "partial", reason: "cancelled" } });
        };
        signal.addEventListener("abort", giveUp, { once: true });
        const follow = (progress: Progress) => {
          kept = progress.result;
          if (signal.aborted) giveUp();
          else onProgress(progress);
        };
        run(plan, host, follow, { tunings }).then(resolve, reject);
      }),
  );

/** Writes a text with files of this machine in this process. */
export const writeTextInNode = (
  files: WeightFiles,
  order: TextOrder,
  onProgress: (progress: TextProgress) => void,
): Promise<TextOutcome> => onDawn((host) => writeText(host, files, order, onProgress));

export interface NodeAdapter {
  readonly device: DeviceInfo;
  readonly matrixUnits: readonly MatrixUnit[];
}

/** What Dawn's adapter says of itself. */
export const inspectNode = (): Promise<NodeAdapter> =>
  onDawn(async (host) => {
    const { info, matrixUnits, close } = await openDevice(host);
    close();
    return { device: info, matrixUnits };
  });

/** The self-test of the instruments on Dawn. */
export const selfTestInNode = (): Promise<SelfTest> => onDawn((host) => selfTest(host, () => {}));
