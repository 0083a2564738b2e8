// The reference kernel: a fixed piece of arithmetic, timed between cells. It stands in for the clock rate
// that no browser tells: where it is slower than before, the device is.

import { type Call, kernelOf } from "../kernels";
import { defaultChoice } from "../kernels/choices";
import type { Reference } from "../result";
import { median } from "../statistics";
import { efforts, spanSeconds } from "./effort";
import { type Launch, prepare } from "./launch";
import type { Instrument } from "./rounds";
import { POLLED_SECONDS } from "./timer";
import { quickTime } from "./tune";
import { warmUp } from "./warmup";

const CHOICE = defaultChoice(kernelOf("fma"));

/** One dispatch of it should take about this long. */
const DISPATCH_SECONDS = 0.0005;

/** Samples of a reading, and the length of one as a share of what the clock resolves to half a percent. */
const READING = { samples: 5, share: 0.5 };

/** Where a slow timer tells the end: it rounds each sample, so they are few and long. */
const POLLED_READING = { samples: 2, share: 3 };

/** Slower than the run's best by this share: what is measured meanwhile is worth little (nvbench's rule). */
export const DISCARD_ABOVE = 0.25;

export interface ReferenceKernel {
  /** What has been read so far: part of the Result. */
  readonly record: Reference;
  /** Reads it once more; the number of the reading. */
  read(): Promise<number>;
  /** How much slower a reading is than the best of the run, as a share. */
  slowdown(reading: number): number;
  destroy(): void;
}

const call = (invocations: number, steps: number): Call => ({
  kernel: "fma",
  shape: { invocations, chains: 4, steps },
});

const SMALL = { invocations: 8192, steps: 64 };

/** The call whose dispatch takes about half a millisecond here, whatever the device: longer chains first, then more of them. */
async function sized({ gpu, timer }: Instrument): Promise<Call> {
  const launch = await prepare(gpu, undefined, call(SMALL.invocations, SMALL.steps), "f32", CHOICE);
  const seconds = await quickTime(timer, launch).finally(launch.destroy);
  const growth = DISPATCH_SECONDS / seconds;
  const steps = Math.max(8, Math.min(4096, 8 * Math.round((SMALL.steps * growth) / 8)));
  const largest = gpu.limits.maxStorageBufferBindingSize / 16 / SMALL.invocations;
  const more = Math.max(1, Math.min(32, largest, (growth * SMALL.steps) / steps));
  return call(64 * Math.round((SMALL.invocations * more) / 64), steps);
}

/**
 * Prepares the reference kernel, or another device's own again after that was lost, and warms it up. Readings
 * are appended to `record`, with times since `runBegan`.
 */
export async function prepareReference(
  instrument: Instrument,
  runBegan: number,
  record?: Reference,
): Promise<ReferenceKernel> {
  const { gpu, timer, instruments } = instrument;
  const kept: Reference = record ?? { call: await sized(instrument), readings: [] };
  const launch: Launch = await prepare(gpu, undefined, kept.call, "f32", CHOICE);
  const { estimate } = await warmUp(instrument, launch, efforts.quick);
  // A fixed cost does not matter between readings of the same length.
  const { samples: count, share } =
    !timer.timestamps && instruments.completionFloor > POLLED_SECONDS ? POLLED_READING : READING;
  const span = share * spanSeconds(instruments, timer.timestamps, efforts.quick);
  const dispatches = Math.ceil(span / estimate);
  return {
    record: kept,
    async read() {
      const counts = Array.from({ length: count }, () => dispatches);
      const spans = await timer.spans(launch, counts, estimate);
      const samples = spans.map(({ wall, gpu: stamped }) => Math.max((stamped ?? wall) / dispatches, 1e-12));
      kept.readings.push({ at: gpu.clock.now() - runBegan, samples });
      return kept.readings.length - 1;
    },
    slowdown(reading) {
      const speeds = kept.readings.map(({ samples }) => median(samples));
      return speeds[reading]! / Math.min(...speeds) - 1;
    },
    destroy: launch.destroy,
  };
}
