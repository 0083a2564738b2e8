// The instruments, measured before anything else: what a clock, a timestamp and an await can resolve here.

import { kernelOf } from "../kernels";
import { defaultChoice } from "../kernels/choices";
import type { Instruments } from "../result";
import { median } from "../statistics";
import type { Clock } from "./clock";
import type { Gpu } from "./device";
import { type Launch, prepare } from "./launch";
import { createTimer, type Timer } from "./timer";

/** The smallest step of the clock, in seconds. */
function clockStep(clock: Clock): number {
  const giveUp = clock.now() + 0.3;
  let step = Number.POSITIVE_INFINITY;
  for (let last = clock.now(), seen = 0; seen < 50 && last < giveUp; ) {
    const now = clock.now();
    if (now > last) {
      step = Math.min(step, now - last);
      seen++;
      last = now;
    }
  }
  return Number.isFinite(step) ? step : 0.1;
}

/** The median of up to 20 runs in seconds; fewer where they take more than a second together. */
async function typical(clock: Clock, run: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (const began = clock.now(); times.length < 20 && (times.length < 5 || clock.now() - began < 1); ) {
    const start = clock.now();
    await run();
    times.push(clock.now() - start);
  }
  return median(times);
}

/** The largest number that divides all differences of timestamps, in seconds. */
async function timestampQuantum(timer: Timer, launch: Launch): Promise<number> {
  const stamps = await timer.stamps(launch, 48);
  let divisor = 0n;
  for (const stamp of stamps) {
    let [a, b] = [divisor, stamp - stamps[0]!];
    while (b !== 0n) [a, b] = [b, a % b];
    divisor = a < 0n ? -a : a;
  }
  return Number(divisor) / 1e9;
}

/** Measures the instruments; takes from 0.2 s to about 4 s, where the browser reports completion from a slow timer. */
export async function calibrate(gpu: Gpu): Promise<Instruments> {
  const timer = createTimer(gpu);
  const launch = await prepare(
    gpu,
    undefined,
    { kernel: "empty", shape: { mark: 1 } },
    "f32",
    defaultChoice(kernelOf("empty")),
  );
  try {
    launch.compiled.firstRun ??= await timer.span(launch, 1, 0);
    const { clock } = gpu;
    const { queue } = gpu.device;
    const completionFloor = await typical(clock, () => {
      queue.submit([]);
      return gpu.await(queue.onSubmittedWorkDone(), "an empty submit");
    });
    const submitCost = await typical(clock, () => {
      const encoder = gpu.device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      launch.encode(pass, 0, 1);
      pass.end();
      queue.submit([encoder.finish()]);
      return gpu.await(queue.onSubmittedWorkDone(), "a submit of one dispatch");
    });

    // More dispatches where completion is reported late, or their cost would drown in the floor.
    const few = 100;
    const many = completionFloor > 0.02 ? 4000 : 1000;
    const costs: number[] = [];
    for (let i = 0; i < 5; i++) {
      const a = await timer.span(launch, few, 1e-6);
      const b = await timer.span(launch, many, 1e-6);
      const elapsed = b.gpu !== null && a.gpu !== null ? b.gpu - a.gpu : b.wall - a.wall;
      costs.push(elapsed / (many - few));
    }
    return {
      clockStep: clockStep(clock),
      timestampQuantum: timer.timestamps ? await timestampQuantum(timer, launch) : null,
      completionFloor,
      submitCost,
      dispatchCost: Math.max(0, median(costs)),
    };
  } finally {
    launch.destroy();
    timer.destroy();
  }
}
