// The page on which the comparison runs: window.peers, for the command line and for tests.

import { systemClock } from "../engine/clock";
import { isFirefox } from "../engine/firefox_nudge";
import { type Bench, compareTask } from "./compare_task";
import type { Runtime, Ways } from "./contender";
import { dispatchCount } from "./dispatch_count";
import { jax } from "./jax";
import { onnxRuntime } from "./onnxruntime";
import { doneOn, openEngine, prepareOwn } from "./own";
import { hasShare, probeShares } from "./own_probes";
import { type PeersResult, PROGRESS, type ProbeShare } from "./peers_result";
import { shareDevice } from "./shared_device";
import { type Task, tasks } from "./tasks";
import { tensorFlow } from "./tensorflow";

/** Without a device there is nothing to compare on; anything else that fails is part of the result. */
export type PeersOutcome =
  | { readonly ok: true; readonly result: PeersResult }
  | { readonly ok: false; readonly problem: string };

export interface PeersPage {
  /** Compares everybody on the tasks of these ids, in so many rounds. */
  run(ids: readonly string[], rounds: number): Promise<PeersOutcome>;
}

/** A batch is so long that a late report of its end, 2 ms or in Firefox up to 20, does not matter. */
const BATCH_SECONDS = { firefox: 0.5, other: 0.1 };

const message = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** What a device complains about outside of error scopes. */
function complaintsOf(device: GPUDevice): () => string | undefined {
  let last: string | undefined;
  device.addEventListener("uncapturederror", ({ error }) => {
    last ??= error.message.split("\n")[0];
  });
  return () => {
    const said = last;
    last = undefined;
    return said;
  };
}

/** Everything about this browser that a result tells. */
const hostInfo = () => ({
  kind: "browser" as const,
  agent: navigator.userAgent,
  crossOriginIsolated: globalThis.crossOriginIsolated,
  mobile: false,
  logicalCores: navigator.hardwareConcurrency,
});

/** A runtime that is loaded; where that failed, one whose every way fails with the reason. */
async function opened(
  name: string,
  from: keyof typeof __PEER_VERSIONS__,
  open: () => Ways | Promise<Ways>,
): Promise<Runtime> {
  const version = __PEER_VERSIONS__[from];
  try {
    return { name, version, ways: await open() };
  } catch (error) {
    const prepare = () => Promise.reject(error);
    return { name, version, ways: () => [{ variant: "", arithmetic: "f32", prepare }] };
  }
}

async function sharesOf(
  engine: Parameters<typeof probeShares>[0],
  chosen: readonly Task[],
  rounds: number,
  batchSeconds: number,
): Promise<Pick<PeersResult, "shares" | "shareProblems">> {
  const probed = chosen.filter(hasShare);
  const none: ProbeShare[] = [];
  if (probed.length === 0) return { shares: none, shareProblems: [] };
  try {
    return {
      shares: await probeShares(engine, { clock: systemClock, rounds, batchSeconds }, probed),
      shareProblems: [],
    };
  } catch (error) {
    return { shares: none, shareProblems: [message(error)] };
  }
}

async function run(
  ids: readonly string[],
  rounds: number,
  onProgress: Bench["onProgress"],
): Promise<PeersResult> {
  const device = await shareDevice(navigator.gpu);
  const batchSeconds = BATCH_SECONDS[isFirefox(navigator.userAgent) ? "firefox" : "other"];
  const complaint = complaintsOf(device);
  const engine = await openEngine(hostInfo());
  const done = doneOn(engine.gpu);
  const runtimes = [
    await opened("ONNX Runtime", "onnxruntime-web", () => onnxRuntime(device, done)),
    await opened("TensorFlow.js", "@tensorflow/tfjs-backend-webgpu", () => tensorFlow(done)),
    await opened("jax-js", "@jax-js/jax", () => jax(done)),
  ];
  const bench: Bench = {
    clock: systemClock,
    rounds,
    batchSeconds,
    own: (task) => prepareOwn(engine, task),
    runtimes,
    complaint,
    dispatched: dispatchCount,
    onProgress,
  };
  const chosen = tasks.filter(({ id }) => ids.includes(id));
  const compared = [];
  for (const task of chosen) compared.push(await compareTask(bench, task));
  onProgress("our own kernels beside the probes");
  return {
    tool: { version: __VERSION__, commit: __COMMIT__ },
    createdAt: new Date().toISOString(),
    agent: navigator.userAgent,
    device: engine.gpu.info,
    rounds,
    runtimes: runtimes.map(({ name, version }) => ({ name, version })),
    tasks: compared,
    ...(await sharesOf(engine, chosen, rounds, batchSeconds)),
  };
}

const page: PeersPage = {
  async run(ids, rounds) {
    if (navigator.gpu === undefined) return { ok: false, problem: "this browser has no WebGPU" };
    try {
      return { ok: true, result: await run(ids, rounds, (label) => console.info(`${PROGRESS}${label}`)) };
    } catch (error) {
      return { ok: false, problem: message(error) };
    }
  },
};

window.peers = page;
