// The GPUs that Linux shows to this process. In a container these are the ones it was given.

// With its extension, as browsers.ts is loaded by the tests' configuration.
import { type Machine, thisMachine } from "./machine.ts";

export interface GpuDevice {
  /** The device's file. */
  readonly path: string;
  /** "NVIDIA", "AMD" or "Intel"; undefined for others. */
  readonly maker: string | undefined;
}

/** PCI vendor ids as sysfs writes them. */
const makers: Readonly<Record<string, string>> = { "0x10de": "NVIDIA", "0x1002": "AMD", "0x8086": "Intel" };

/** NVIDIA's own kernel module has device files of its own; all others are render nodes. */
export function gpuDevices(machine: Machine): GpuDevice[] {
  const nvidia = machine.list("/dev").filter((name) => /^nvidia\d+$/.test(name));
  const nodes = machine.list("/dev/dri").filter((name) => /^renderD\d+$/.test(name));
  return [
    ...nvidia.map((name) => ({ path: `/dev/${name}`, maker: "NVIDIA" })),
    ...nodes.map((name) => ({
      path: `/dev/dri/${name}`,
      maker: makers[machine.read(`/sys/class/drm/${name}/device/vendor`)?.trim() ?? ""],
    })),
  ];
}

/** Whether this machine shows a GPU at all. Where there is none, flags and drivers for one only do harm. */
export const hasGpuDevice = (): boolean => process.platform !== "linux" || gpuDevices(thisMachine).length > 0;
