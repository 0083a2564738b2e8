import { afterAll, beforeAll } from "vitest";
import { systemClock } from "../../src/engine/clock";
import { type Gpu, openDevice } from "../../src/engine/device";
import { alwaysVisible, DEADLINE_SECONDS, type Host } from "../../src/engine/host";

export const host: Host = {
  gpu: navigator.gpu,
  clock: systemClock,
  visibility: alwaysVisible,
  deadlineSeconds: DEADLINE_SECONDS,
  info: {
    kind: "browser",
    agent: navigator.userAgent,
    crossOriginIsolated: globalThis.crossOriginIsolated,
    mobile: false,
    logicalCores: navigator.hardwareConcurrency,
  },
};

/** A device for the tests of a file. */
export function useDevice(): () => Gpu {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await openDevice(host);
  });
  afterAll(() => gpu?.close());
  return () => gpu;
}
