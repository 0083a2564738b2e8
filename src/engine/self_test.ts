// What can the instruments tell apart here? Asked with work whose answer is known: a copy of a known size, the
// same kernel twice, and the same kernel with a tenth more to do.

import { type Call, kernelOf } from "../kernels";
import { defaultChoice } from "../kernels/choices";
import type { DeviceInfo, Instruments, Measurement, Reference } from "../result";
import { calibrate } from "./calibrate";
import { type Gpu, openDevice } from "./device";
import { efforts } from "./effort";
import type { Host } from "./host";
import { type Bench, measure } from "./measure";
import { prepareReference, type ReferenceKernel } from "./reference";
import { createTimer } from "./timer";
import { allocateWeights } from "./weights";

/** The steps of the recurrence; a tenth more of them is a whole number of turns of eight. */
const STEPS = 80;

/** How much more the planted slow-down has to do. */
export const PLANTED = 0.1;

const COPY_BYTES = 2 ** 24;

export interface SelfTest {
  readonly device: DeviceInfo;
  readonly instruments: Instruments;
  /** The reference kernel before and after each cell. */
  readonly reference: Reference;
  /** A copy of 16 MiB, every byte of which is checked. */
  readonly copy: Measurement;
  /** The same kernel, at the beginning and at the end. */
  readonly same: readonly [Measurement, Measurement];
  /** In between: the same kernel with a tenth more to do. */
  readonly planted: Measurement;
}

async function cells(
  gpu: Gpu,
  bench: Bench,
  { record: reference }: ReferenceKernel,
  say: (label: string) => void,
): Promise<Omit<SelfTest, "device">> {
  const { instruments } = bench;
  const cell = (call: Call) => {
    const choice = defaultChoice(kernelOf(call.kernel));
    return measure(bench, { call, piece: call, pieces: 1, dtype: "f32", choice }, efforts.quick);
  };
  const arithmetic = (steps: number): Call => {
    // As large as the reference kernel, which was sized for this device.
    const invocations = reference.call.kernel === "fma" ? reference.call.shape.invocations : 8192;
    return { kernel: "fma", shape: { invocations, chains: 4, steps } };
  };
  say("copying 16 MiB");
  const words = Math.min(COPY_BYTES, gpu.limits.maxStorageBufferBindingSize) / 16;
  const copy = await cell({ kernel: "copy", shape: { words } });
  say("timing a kernel");
  const first = await cell(arithmetic(STEPS));
  say("timing it with a tenth more to do");
  const planted = await cell(arithmetic(STEPS * (1 + PLANTED)));
  say("timing it once more");
  const second = await cell(arithmetic(STEPS));
  return { instruments, reference, copy, same: [first, second], planted };
}

/** Runs the self-test on the host's GPU, in some ten seconds. Throws NoDevice, or an error that says what failed. */
export async function selfTest(host: Host, say: (label: string) => void): Promise<SelfTest> {
  const gpu = await openDevice(host);
  try {
    say("calibrating the instruments with empty kernels");
    const instruments = await calibrate(gpu);
    const instrument = { gpu, timer: createTimer(gpu, instruments), instruments };
    const reference = await prepareReference(instrument, host.clock.now());
    const weights = await allocateWeights(gpu, "f32", 4 * COPY_BYTES);
    const bench: Bench = { ...instrument, weights, reference, visibility: host.visibility };
    return { device: gpu.info, ...(await cells(gpu, bench, reference, say)) };
  } finally {
    gpu.close();
  }
}
