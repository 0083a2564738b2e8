// The engine in a worker: the page stays responsive, and ending the worker is how a run is cancelled.

import * as Comlink from "comlink";
import { NoDevice, openDevice } from "../engine/device";
import type { Host } from "../engine/host";
import { type Progress, run } from "../engine/run";
import type { Plan } from "../plan";
import type { DeviceInfo, HostInfo, Result } from "../result";

/** What came of a run: plain data, because errors lose their class on the way out of a worker. */
export type RunOutcome = { ok: true; result: Result } | { ok: false; problem: string };

export type InspectOutcome = { ok: true; device: DeviceInfo } | { ok: false; problem: string };

/** Does `work` on this worker's GPU; a missing GPU is an answer, not an error. */
async function onHost<T>(
  info: HostInfo,
  work: (host: Host) => Promise<T>,
): Promise<T | { ok: false; problem: string }> {
  if (navigator.gpu === undefined) return { ok: false, problem: "this browser offers no WebGPU in workers" };
  try {
    return await work({ gpu: navigator.gpu, info });
  } catch (error) {
    if (error instanceof NoDevice) return { ok: false, problem: error.message };
    throw error;
  }
}

const engine = {
  run: (plan: Plan, info: HostInfo, onProgress: (progress: Progress) => void): Promise<RunOutcome> =>
    onHost(info, async (host) => ({ ok: true, result: await run(plan, host, onProgress) })),

  inspect: (info: HostInfo): Promise<InspectOutcome> =>
    onHost(info, async (host) => {
      const gpu = await openDevice(host);
      gpu.close();
      return { ok: true, device: gpu.info };
    }),
};

export type Engine = typeof engine;

Comlink.expose(engine);
