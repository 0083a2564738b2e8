// Which Vulkan driver Dawn gets on Linux. The Vulkan loader looks into a few folders and takes all drivers it finds
// there; GPU servers and containers keep theirs elsewhere, or lack what NVIDIA's usual one is linked to.
// https://github.com/KhronosGroup/Vulkan-Loader/blob/main/docs/LoaderDriverInterface.md

import { dirname, isAbsolute, join } from "node:path";
import * as v from "valibot";
import { type GpuDevice, gpuDevices } from "./gpu_devices";
import type { Machine } from "./machine";

export interface Driver {
  readonly name: string;
  /** The manifest's path; undefined where there is none, and one has to be written. */
  readonly manifest: string | undefined;
  /** What the linker is asked for: a path, or a name that it searches for. */
  readonly library: string;
}

/** The drivers and a line about them; or what is missing and what to do about it. */
export type Choice =
  | { readonly ok: true; readonly drivers: readonly Driver[]; readonly line: string }
  | { readonly ok: false; readonly problem: string };

interface Kind {
  readonly name: string;
  readonly library: RegExp;
  /** Whose GPUs it drives; "CPU" for software. */
  readonly maker: string;
}

/** Drivers by their libraries, most wanted first. */
const kinds: readonly Kind[] = [
  { name: "NVIDIA", library: /^lib(GLX|EGL)_nvidia\.so/, maker: "NVIDIA" },
  { name: "radv", library: /^libvulkan_radeon\.so/, maker: "AMD" },
  { name: "AMDVLK", library: /^amdvlk/, maker: "AMD" },
  { name: "NVK", library: /^libvulkan_nouveau\.so/, maker: "NVIDIA" },
  { name: "anv", library: /^libvulkan_intel\.so/, maker: "Intel" },
  { name: "hasvk", library: /^libvulkan_intel_hasvk\.so/, maker: "Intel" },
  { name: "lavapipe", library: /^libvulkan_lvp\.so/, maker: "CPU" },
  { name: "SwiftShader", library: /^libvk_swiftshader\.so/, maker: "CPU" },
];

/** The linker's names of NVIDIA's driver. The second is the same without the libraries of X. */
const NVIDIA_LIBRARIES = ["libGLX_nvidia.so.0", "libEGL_nvidia.so.0"];

/** Folders of manifests that no loader knows of: container runtimes mount drivers there, NixOS keeps them there. */
const UNUSUAL_FOLDERS = [
  "/usr/local/nvidia/share/vulkan/icd.d",
  "/usr/local/nvidia/vulkan/icd.d",
  "/run/opengl-driver/share/vulkan/icd.d",
];

/** Chromium and its kin bring SwiftShader. */
const BROWSER_FOLDERS = ["/usr/lib/chromium", "/usr/lib/chromium-browser", "/opt/google/chrome"];

const manifestSchema = v.object({
  ICD: v.object({ library_path: v.string(), library_arch: v.optional(v.string()) }),
});

/** The loader's own folders, in its order, and then the unusual ones. */
function manifestFolders(environment: Machine["environment"]): string[] {
  const { HOME, XDG_CONFIG_HOME, XDG_CONFIG_DIRS, XDG_DATA_HOME, XDG_DATA_DIRS } = environment;
  const home = (given: string | undefined, usual: string) => given || (HOME ? join(HOME, usual) : "");
  const usual = [
    home(XDG_CONFIG_HOME, ".config"),
    ...(XDG_CONFIG_DIRS || "/etc/xdg").split(":"),
    "/usr/local/etc",
    "/etc",
    home(XDG_DATA_HOME, ".local/share"),
    ...(XDG_DATA_DIRS ?? "").split(":"),
    "/usr/local/share",
    "/usr/share",
  ];
  const folders = usual.filter((folder) => folder !== "").map((folder) => join(folder, "vulkan/icd.d"));
  return [...new Set([...folders, ...UNUSUAL_FOLDERS])];
}

const kindOf = (library: string): Kind | undefined =>
  kinds.find((kind) => kind.library.test(library.slice(library.lastIndexOf("/") + 1)));

/** The driver that a manifest names; undefined where it is none, or one for 32-bit programs. */
function driverOf(machine: Machine, manifest: string): Driver | undefined {
  const text = machine.read(manifest);
  if (text === undefined || /\.i[3-6]86\.json$/.test(manifest)) return undefined;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { success, output } = v.safeParse(manifestSchema, json);
  if (!success || output.ICD.library_arch === "32") return undefined;
  const { library_path: path } = output.ICD;
  const library = path.includes("/") && !isAbsolute(path) ? join(dirname(manifest), path) : path;
  return { name: kindOf(library)?.name ?? path, manifest, library };
}

const jsonFiles = (machine: Machine, folder: string): string[] =>
  machine
    .list(folder)
    .filter((name) => name.endsWith(".json"))
    .map((name) => join(folder, name));

/** The drivers of some manifests, each library once, most wanted first. */
function driversIn(machine: Machine, manifests: readonly string[]): Driver[] {
  const drivers = new Map<string, Driver>();
  for (const manifest of manifests) {
    const driver = driverOf(machine, manifest);
    if (driver !== undefined && !drivers.has(driver.library)) drivers.set(driver.library, driver);
  }
  const rank = ({ library }: Driver) => {
    const kind = kindOf(library);
    return kind === undefined ? kinds.length : kinds.indexOf(kind);
  };
  return [...drivers.values()].sort((a, b) => rank(a) - rank(b));
}

const place = ({ manifest, library }: Driver) => manifest ?? library;

const listed = (drivers: readonly Driver[]) =>
  drivers.map((driver) => `${driver.name} (${place(driver)})`).join(", ");

/** What a variable of the Vulkan loader names: files, or folders of files, between colons. */
function chosenByUser(machine: Machine, variable: string, value: string): Choice {
  const manifests = value
    .split(":")
    .flatMap((path) => (path.endsWith(".json") ? [path] : jsonFiles(machine, path)));
  const drivers = driversIn(machine, manifests);
  if (drivers.length === 0) {
    const problem = `${variable}=${value} names no Vulkan driver's manifest: give the path of one, such as /usr/share/vulkan/icd.d/nvidia_icd.json, or unset it`;
    return { ok: false, problem };
  }
  return { ok: true, drivers, line: `${listed(drivers)}, from ${variable}` };
}

/**
 * NVIDIA's driver in the first form that loads: as its manifests say; else by name, as where a container got the
 * libraries without a manifest, or has no X, to which the usual form is linked.
 * https://github.com/NVIDIA/nvidia-container-toolkit/issues/191
 */
function nvidiaDriver(machine: Machine, found: readonly Driver[]): { driver?: Driver; why: string } {
  const byName = NVIDIA_LIBRARIES.map((library) => ({ name: "NVIDIA", manifest: undefined, library }));
  let why = "";
  for (const driver of [...found, ...byName]) {
    const problem = machine.whyNotLoaded(driver.library);
    if (problem === undefined) return { driver, why };
    why ||= problem;
  }
  return { why };
}

const WHAT_TO_DO: Readonly<Record<string, string>> = {
  NVIDIA:
    "install the Vulkan part of its driver (Debian, Ubuntu: libnvidia-gl of the driver's version), in a container set NVIDIA_DRIVER_CAPABILITIES=all",
  other: "install Mesa's (Debian, Ubuntu: mesa-vulkan-drivers)",
  none: "no GPU is visible (no /dev/nvidia0, no /dev/dri/renderD128): give the container one (--gpus all or --device /dev/dri), or name a software driver's manifest in VK_DRIVER_FILES",
};

/** What to do about GPUs that no driver was found for. */
function advice(gpus: readonly GpuDevice[], why: string): string {
  const [gpu] = gpus;
  if (gpu === undefined) return WHAT_TO_DO.none!;
  const reason = gpu.maker === "NVIDIA" && why !== "" ? ` (${why})` : "";
  return `none for ${gpu.maker ?? "the GPU"} at ${gpu.path}${reason}: ${WHAT_TO_DO[gpu.maker ?? ""] ?? WHAT_TO_DO.other}`;
}

/** Chooses the drivers: what the user names, else those of the GPUs that are here, else software. */
export function chooseDrivers(machine: Machine): Choice {
  for (const variable of ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"]) {
    const value = machine.environment[variable];
    if (value) return chosenByUser(machine, variable, value);
  }
  const gpus = gpuDevices(machine);
  const inFolders = manifestFolders(machine.environment).flatMap((folder) => jsonFiles(machine, folder));
  const ofBrowsers = BROWSER_FOLDERS.map((folder) => join(folder, "vk_swiftshader_icd.json"));
  const found = driversIn(machine, [...inFolders, ...ofBrowsers]);

  const hasGpuOf = (maker: string) =>
    gpus.some((gpu) => gpu.maker === undefined || gpu.maker === maker) && maker !== "CPU";
  const usable = found.filter(({ library }) => {
    const kind = kindOf(library);
    return kind === undefined ? gpus.length > 0 : hasGpuOf(kind.maker);
  });
  const others = usable.filter(({ name }) => name !== "NVIDIA");
  const fromManifests = usable.filter(({ name }) => name === "NVIDIA");
  const { driver, why } =
    gpus.some(({ maker }) => maker === "NVIDIA") || fromManifests.length > 0
      ? nvidiaDriver(machine, fromManifests)
      : { why: "" };
  const hardware = [...(driver === undefined ? [] : [driver]), ...others];
  if (hardware.length > 0) {
    const remark =
      why === "" ? "" : `; NVIDIA's ${driver === undefined ? "" : "usual one "}does not load: ${why}`;
    return { ok: true, drivers: hardware, line: `${listed(hardware)}${remark}` };
  }
  const software = found.filter(({ library }) => kindOf(library)?.maker === "CPU");
  if (software.length === 0) return { ok: false, problem: `no Vulkan driver: ${advice(gpus, why)}` };
  const instead = gpus.length === 0 ? "no GPU is visible" : `there is ${advice(gpus, why)}`;
  return { ok: true, drivers: software, line: `${listed(software)}, software on the CPU; ${instead}` };
}

/** Why the Vulkan loader may have got nothing out of these drivers, and what to do. */
export function whyNoAdapter(machine: Machine, drivers: readonly Driver[]): string {
  const noLoader = machine.whyNotLoaded("libvulkan.so.1");
  if (noLoader !== undefined) return `the Vulkan loader is missing (${noLoader}): install libvulkan1`;
  for (const { name, library } of drivers) {
    const why = machine.whyNotLoaded(library);
    if (why !== undefined) return `${name} does not load: ${why}`;
  }
  const gpus = gpuDevices(machine);
  if (gpus.length === 0 && drivers.every(({ library }) => kindOf(library)?.maker !== "CPU"))
    return advice([], "");
  const closed = gpus.find(({ path }) => !machine.mayOpen(path));
  if (closed !== undefined) return `this user may not open ${closed.path}: join its group (render or video)`;
  return "it loads, but has no device that Dawn accepts: a newer driver may";
}

/** The text of a manifest for a library that has none. */
export const manifestText = (library: string): string =>
  JSON.stringify({ file_format_version: "1.0.0", ICD: { library_path: library, api_version: "1.3.0" } });
