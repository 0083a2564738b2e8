// How fast this device was found to be by earlier runs: what the time of the next one is predicted from.

import * as v from "valibot";
import { type DeviceSpeed, speedOf } from "../analysis/run_time";
import type { DeviceInfo, Result } from "../result";
import { adapterOf } from "../tuning_records";

const KEY = "tokenroof-speeds";

/** More devices than one browser sees. */
const MOST = 16;

const rate = v.pipe(v.number(), v.finite(), v.minValue(1), v.maxValue(1e21));
const roofSchema = v.strictObject({ flops: rate, bandwidth: rate });
const speedsSchema = v.record(
  v.pipe(v.string(), v.maxLength(400)),
  v.strictObject({
    roofs: v.strictObject({
      f32: v.exactOptional(roofSchema),
      f16: v.exactOptional(roofSchema),
      q8_0: v.exactOptional(roofSchema),
      q4_0: v.exactOptional(roofSchema),
    }),
    dispatchCost: v.pipe(v.number(), v.finite(), v.minValue(0), v.maxValue(1)),
  }),
);

/** What is stored, which anybody may have written; nothing where it is no such thing, or where this browser stores nothing. */
function stored(): v.InferOutput<typeof speedsSchema> {
  try {
    const parsed = v.safeParse(speedsSchema, JSON.parse(localStorage.getItem(KEY) ?? "{}"));
    return parsed.success ? parsed.output : {};
  } catch {
    return {};
  }
}

/** Keeps how fast the device of a run was; a browser that stores nothing keeps nothing. */
export function keepSpeed(result: Result): void {
  const speed = speedOf(result);
  if (speed === undefined) return;
  const name = adapterOf(result.device);
  const others = Object.entries(stored()).filter(([each]) => each !== name);
  try {
    localStorage.setItem(KEY, JSON.stringify(Object.fromEntries([...others.slice(1 - MOST), [name, speed]])));
  } catch {
    // The next run's time is not predicted, and that is said.
  }
}

/** How fast a device was in an earlier run; undefined where none is known. */
export const knownSpeed = (device: DeviceInfo): DeviceSpeed | undefined => stored()[adapterOf(device)];
