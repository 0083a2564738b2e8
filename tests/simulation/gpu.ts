// A GPU that exists in simulated time only: as much of WebGPU as the engine uses. What kernels compute is their
// float64 reference; what they cost is the hardware's secret. Everything random comes from the hardware's seed.

import { alwaysVisible, type Host } from "../../src/engine/host";
import { SimulatedClock } from "./clock";
import { Device } from "./device";
import type { Hardware } from "./hardware";
import { Machine } from "./machine";

// What a browser has as globals.
Object.assign(globalThis, {
  GPUBufferUsage: { MAP_READ: 1, COPY_SRC: 4, COPY_DST: 8, UNIFORM: 64, STORAGE: 128, QUERY_RESOLVE: 512 },
  GPUMapMode: { READ: 1 },
});

// Small bindings make small probes, whose every element is computed here.
const LIMITS = {
  maxBufferSize: 2 ** 18,
  maxStorageBufferBindingSize: 2 ** 18,
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupSizeX: 256,
  maxComputeWorkgroupStorageSize: 32_768,
  maxComputeWorkgroupsPerDimension: 65_535,
};

export interface Simulation {
  readonly host: Host;
  readonly clock: SimulatedClock;
  readonly machine: Machine;
  /** Every device that was opened, the newest last. */
  readonly devices: readonly Device[];
  /** Runs the simulation until a promise of the engine settles. */
  drive<T>(promise: Promise<T>): Promise<T>;
}

/** A host whose GPU is made of this hardware. */
export function simulate(hardware: Hardware): Simulation {
  const clock = new SimulatedClock(hardware.clockStep);
  const machine = new Machine(hardware, clock);
  const devices: Device[] = [];
  const features = hardware.timestampQuantum === null ? [] : ["timestamp-query"];
  let adapters = 0;
  const gpu = {
    async requestAdapter({ powerPreference }: { powerPreference?: string } = {}) {
      if (powerPreference === "high-performance" && ++adapters > hardware.adapters) return null;
      return {
        features: new Set(features),
        limits: LIMITS,
        info: { vendor: "simulated", architecture: "", device: "", description: "Simulated GPU" },
        async requestDevice() {
          const device = new Device(machine, features);
          devices.push(device);
          return device;
        },
      };
    },
  };
  const host: Host = {
    // As much of a GPU as the engine uses: what it does not implement, the engine does not call.
    gpu: gpu as unknown as GPU,
    clock,
    visibility: alwaysVisible,
    deadlineSeconds: 30,
    info: { kind: "browser", agent: "simulation", crossOriginIsolated: true, mobile: false, logicalCores: 8 },
  };
  return { host, clock, machine, devices, drive: (promise) => clock.drive(promise) };
}
