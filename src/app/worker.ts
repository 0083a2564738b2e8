// The engine in a worker: the page stays responsive, and ending the worker is how a run is cancelled.

import * as Comlink from "comlink";
import { NoDevice } from "../engine/device";
import type { Host } from "../engine/host";
import { type Progress, run } from "../engine/run";
import type { Plan } from "../plan";
import type { HostInfo, Result } from "../result";

/** What came of a run: plain data, because errors lose their class on the way out of a worker. */
export type RunOutcome = { ok: true; result: Result } | { ok: false; problem: string };

const engine = {
  async run(plan: Plan, info: HostInfo, onProgress: (progress: Progress) => void): Promise<RunOutcome> {
    if (navigator.gpu === undefined)
      return { ok: false, problem: "this browser offers no WebGPU in workers" };
    const host: Host = { gpu: navigator.gpu, info };
    try {
      return { ok: true, result: await run(plan, host, onProgress) };
    } catch (error) {
      if (error instanceof NoDevice) return { ok: false, problem: error.message };
      throw error;
    }
  },
};

export type Engine = typeof engine;

Comlink.expose(engine);
