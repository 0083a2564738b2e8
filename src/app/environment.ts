// What the page finds around it before anything runs: a GPU, or why there is none and what to do.

import { adviceFor } from "./advice";
import { inspect } from "./engine_client";
import type { Environment } from "./state";

/** Never rejects. */
export async function lookAround(): Promise<Environment> {
  const agent = navigator.userAgent;
  if (!globalThis.isSecureContext)
    return { kind: "unable", advice: adviceFor({ problem: "insecure", agent }) };
  if (navigator.gpu === undefined)
    return { kind: "unable", advice: adviceFor({ problem: "no WebGPU", agent }) };
  const outcome = await inspect();
  if (!outcome.ok) {
    return { kind: "unable", advice: adviceFor({ problem: "no adapter", agent }), detail: outcome.problem };
  }
  const { device } = outcome;
  if (device.software !== null)
    return { kind: "ready", device, advice: adviceFor({ problem: "software adapter", agent }) };
  return globalThis.crossOriginIsolated
    ? { kind: "ready", device }
    : { kind: "ready", device, advice: adviceFor({ problem: "not isolated", agent }) };
}
