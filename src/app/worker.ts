// The engine in a worker: the page stays responsive, and ending the worker is how a run is cancelled.

import * as Comlink from "comlink";
import { systemClock } from "../engine/clock";
import { NoDevice, openDevice } from "../engine/device";
import { DEADLINE_SECONDS, type Host } from "../engine/host";
import { type Progress, run } from "../engine/run";
import type { SelfTest } from "../engine/self_test";
import type { Plan } from "../plan";
import type { DeviceInfo, HostInfo, Result } from "../result";
import type { TextOrder, TextOutcome } from "../text_result";
import type { KnownTuning } from "../tuning_records";
import { beat } from "./heartbeat";
import { pageVisibility } from "./page_visibility";

/** What came of a run: plain data, because errors lose their class on the way out of a worker. */
export type RunOutcome = { ok: true; result: Result } | { ok: false; problem: string };

export type InspectOutcome = { ok: true; device: DeviceInfo } | { ok: false; problem: string };

export type SelfTestOutcome = { ok: true; test: SelfTest } | { ok: false; problem: string };

/** What to run, and what only the page knows. */
export interface Order {
  readonly plan: Plan;
  readonly info: HostInfo;
  /** Whether the page is hidden right now; `setHidden` says when that changes. */
  readonly hidden: boolean;
  /** A partial result of the same plan to go on with. */
  readonly earlier: Result | undefined;
  /** Tunings known beforehand, of any device. */
  readonly tunings: readonly KnownTuning[];
}

/** A file of the user's, by its name without folders. */
export interface NamedFile {
  readonly name: string;
  readonly file: Blob;
  /** The name of the folder that was chosen, where one was. */
  readonly folder: string | null;
}

const visibility = pageVisibility();

/** Does `work` on this worker's GPU; a missing GPU is an answer, not an error. */
async function onHost<T>(
  info: HostInfo,
  work: (host: Host) => Promise<T>,
): Promise<T | { ok: false; problem: string }> {
  if (navigator.gpu === undefined) return { ok: false, problem: "this browser offers no WebGPU in workers" };
  try {
    return await work({
      gpu: navigator.gpu,
      info,
      clock: systemClock,
      visibility,
      deadlineSeconds: DEADLINE_SECONDS,
    });
  } catch (error) {
    if (error instanceof NoDevice) return { ok: false, problem: error.message };
    throw error;
  }
}

const engine = {
  run({ plan, info, hidden, earlier, tunings }: Order, port: MessagePort): Promise<RunOutcome> {
    visibility.set(hidden);
    const options = { tunings, ...(earlier !== undefined && { earlier }) };
    const onProgress = (progress: Progress) => port.postMessage(progress);
    return onHost(info, async (host) => ({ ok: true, result: await run(plan, host, onProgress, options) }));
  },

  inspect: (info: HostInfo): Promise<InspectOutcome> =>
    onHost(info, async (host) => {
      const gpu = await openDevice(host);
      gpu.close();
      return { ok: true, device: gpu.info };
    }),

  /** An instrument that fails its own test is an answer as well. */
  selfTest: (info: HostInfo, say: (label: string) => void): Promise<SelfTestOutcome> =>
    onHost(info, async (host): Promise<SelfTestOutcome> => {
      try {
        // Loaded when somebody asks for it.
        const { selfTest } = await import("../engine/self_test");
        return { ok: true, test: await selfTest(host, say) };
      } catch (error) {
        if (error instanceof NoDevice) throw error;
        return { ok: false, problem: error instanceof Error ? error.message : String(error) };
      }
    }),

  /** Writes a text with weights from files, which stay where they are: only what is needed of them is read. */
  writeText(
    order: TextOrder,
    files: readonly NamedFile[],
    info: HostInfo,
    port: MessagePort,
  ): Promise<TextOutcome> {
    const outcome = onHost(info, async (host): Promise<TextOutcome> => {
      // Loaded when somebody asks for it.
      const [{ writeText }, { blobSource }] = await Promise.all([
        import("../engine/text"),
        import("../weight_files/byte_source"),
      ]);
      const sources = new Map(files.map(({ name, file }) => [name, blobSource(name, file)]));
      return writeText(host, sources, order, (progress) => port.postMessage(progress));
    });
    return outcome.then((each) => (each.ok || "fault" in each ? each : { ...each, fault: "none" }));
  },

  setHidden: (hidden: boolean): void => visibility.set(hidden),
};

export type Engine = typeof engine;

beat();
Comlink.expose(engine);
