// Cells measured on a simulated GPU, by the engine's own code.

import { calibrate } from "../../src/engine/calibrate";
import { openDevice } from "../../src/engine/device";
import { efforts } from "../../src/engine/effort";
import { type Bench, measure } from "../../src/engine/measure";
import { prepareReference } from "../../src/engine/reference";
import { createTimer } from "../../src/engine/timer";
import { kernelOf } from "../../src/kernels";
import { defaultChoice } from "../../src/kernels/choices";
import type { Preset } from "../../src/plan";
import type { Measurement } from "../../src/result";
import type { Simulation } from "./gpu";
import { chance, type Hardware, quiet } from "./hardware";

/** The call whose cost a simulation chooses; calibration uses the same kernel with another mark. */
export const CELL = { kernel: "empty", shape: { mark: 7 } } as const;

/** What dispatches cost where nothing else is said: the cell, and the reference kernel by its work. */
export const costs =
  (cell: number): Hardware["cost"] =>
  (kernel, { mark, invocations = 0, chains = 0, steps = 0 }) =>
    kernel === "fma"
      ? 1e-6 + (8 * invocations * chains * steps) / 2e10
      : mark === CELL.shape.mark
        ? cell
        : 2e-6;

/** A GPU drawn by seed: any of the instruments, a ramp or none, noise with heavy tails, interruptions, a cold first run. */
export function mixed(seed: number): { hardware: Hardware; truth: number } {
  const { random } = chance(seed * 7919);
  const oneOf = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!;
  const truth = 20e-6 * 1000 ** random();
  const completionFloor = oneOf([50e-6, 2.3e-3, 0.1]);
  return {
    truth,
    hardware: {
      ...quiet,
      seed,
      cost: costs(truth),
      timestampQuantum: oneOf([1e-9, 65_536e-9, 100e-6, null]),
      completionFloor,
      polled: completionFloor === 0.1,
      clockStep: oneOf([5e-6, 100e-6]),
      noise: oneOf([0.002, 0.01, 0.015]),
      heavyShare: 0.05,
      interruptions: { rate: 0.5, seconds: 2e-3 },
      rampSeconds: oneOf([0, 0.2, 0.5]),
      firstRunSeconds: 5e-3,
    },
  };
}

/** Opens the simulation's device with everything a cell needs. To be driven. */
export async function openBench({ host }: Simulation, withReference = false): Promise<Bench> {
  const gpu = await openDevice(host);
  const instruments = await calibrate(gpu);
  const instrument = { gpu, timer: createTimer(gpu, instruments), instruments };
  const reference = withReference ? await prepareReference(instrument, 0) : undefined;
  return { ...instrument, weights: undefined, reference, visibility: host.visibility };
}

/** Measures the cell with the effort of a preset. To be driven. */
export const measureCell = (bench: Bench, preset: Preset = "quick"): Promise<Measurement> =>
  measure(
    bench,
    { call: CELL, piece: CELL, pieces: 1, dtype: "f32", choice: defaultChoice(kernelOf(CELL.kernel)) },
    efforts[preset],
  );
