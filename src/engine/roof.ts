// The probes that give this device's own roof: arithmetic alone, in each way that kernels may do it, reading alone,
// copying. Each is swept over shapes and tunings, and the fastest is measured like any other cell.

import { type Call, kernelOf, workOf } from "../kernels";
import { type Choice, choiceName, defaultChoice } from "../kernels/choices";
import { MAX_DOT_STEPS } from "../kernels/dot";
import { activationsOf, bitsOf, type DType } from "../kernels/elements";
import { MAX_STEPS } from "../kernels/fma";
import { MAX_MMA_STEPS } from "../kernels/mma";
import { isStreaming, type Probe } from "../kernels/probes";
import type { TuningRecord } from "../result";
import type { Gpu } from "./device";
import type { Effort } from "./effort";
import { prepare } from "./launch";
import { fittingStarts } from "./pipeline";
import type { Timer } from "./timer";
import { candidates, HOPELESS, quickTime, tune } from "./tune";
import { largestPiece, type Weights } from "./weights";

const MIB = 2 ** 20;

/** A dispatch of arithmetic should take about this long: far above its own cost, far below a watchdog. */
const ARITHMETIC_SECONDS = 0.004;

/** Calls at which a tuning that does not suit this device shows without costing seconds. */
const trials: Partial<Record<Probe, Call>> = {
  read: { kernel: "read", shape: { groups: 128, words: 64 } },
  copy: { kernel: "copy", shape: { words: 2 ** 13 } },
};

/** Where each sweep begins: small enough for any device. */
export const firstCalls = {
  fma: { kernel: "fma", shape: { invocations: 8192, chains: 4, steps: 64 } },
  dot: { kernel: "dot", shape: { invocations: 8192, chains: 4, steps: 64 } },
  mma: { kernel: "mma", shape: { subgroups: 64, chains: 4, steps: 64, M: 8, N: 8, K: 8 } },
  read: { kernel: "read", shape: { groups: 512, words: 1024 } },
  copy: { kernel: "copy", shape: { words: 2 ** 20 } },
} as const satisfies Record<Probe, Call>;

/** How many times longer a dispatch of a probe's first call may take than it does with the first choice that suits it. */
async function growthOf(gpu: Gpu, timer: Timer, call: Call, dtype: DType): Promise<number> {
  const [choice] = fittingStarts(gpu, call.kernel, call.shape, dtype);
  const launch = await prepare(gpu, undefined, call, dtype, choice ?? defaultChoice(kernelOf(call.kernel)));
  const seconds = await quickTime(timer, launch).finally(launch.destroy);
  return ARITHMETIC_SECONDS / seconds;
}

/** More steps first, then more of what `width` counts, from 2^`least` to 2^`most`: powers of two, which every workgroup divides. */
function sized(growth: number, mostSteps: number, width: number, [least, most]: readonly [number, number]) {
  const steps = Math.max(16, Math.min(mostSteps, Math.round((64 * growth) / 8) * 8));
  const wanted = Math.log2((width * growth * 64) / steps);
  return { steps, width: 2 ** Math.max(least, Math.min(most, Math.round(wanted))) };
}

/** Sizes the recurrence so that one dispatch takes a few ms here, whatever the device. */
async function chainCalls(gpu: Gpu, timer: Timer, kernel: "fma" | "dot", dtype: DType): Promise<Call[]> {
  const first = firstCalls[kernel];
  const growth = await growthOf(gpu, timer, first, dtype);
  const mostSteps = kernel === "fma" ? MAX_STEPS[activationsOf[dtype]] : MAX_DOT_STEPS;
  const { steps, width: invocations } = sized(growth, mostSteps, first.shape.invocations, [10, 20]);
  const chains = kernel === "fma" ? [2, 4, 6, 8] : [4, 8, 16];
  return chains.map((chains) => ({ kernel, shape: { invocations, chains, steps } }));
}

/** Shapes of the probe's first call, one for each size of matrix that this device multiplies and kernels know of. */
function mmaShapes(gpu: Gpu, dtype: DType) {
  const { kernel, shape } = firstCalls.mma;
  const shapes = new Map(
    gpu.matrixUnits
      .filter(({ element }) => element === dtype)
      .map(({ M, N, K }) => [`${M}x${N}x${K}`, { ...shape, M, N, K }]),
  );
  return [...shapes.values()].filter((each) => fittingStarts(gpu, kernel, each, dtype).length > 0);
}

/** The same for every size of matrix. */
async function mmaCalls(gpu: Gpu, timer: Timer, dtype: DType): Promise<Call[]> {
  const { kernel } = firstCalls.mma;
  const calls: Call[] = [];
  for (const shape of mmaShapes(gpu, dtype)) {
    const growth = await growthOf(gpu, timer, { kernel, shape }, dtype);
    const { steps, width: subgroups } = sized(growth, MAX_MMA_STEPS, shape.subgroups, [4, 12]);
    for (const chains of [8, 4, 2, 16]) calls.push({ kernel, shape: { ...shape, subgroups, chains, steps } });
  }
  return calls;
}

/** What a dispatch streams where there is no search for the fastest: enough to see that it works. */
const UNSEARCHED_BYTES = 4 * MIB;

/** A quarter of the weights at most, so that every dispatch reads what the last ones did not. */
function streamBytes(gpu: Gpu, weights: Weights, { search }: Effort): number {
  return Math.min(largestPiece(gpu), weights.bytes / 4, search ? Number.POSITIVE_INFINITY : UNSEARCHED_BYTES);
}

function readCalls(gpu: Gpu, weights: Weights, effort: Effort): Call[] {
  const budget = streamBytes(gpu, weights, effort);
  const vec4 = bitsOf[activationsOf[weights.dtype]] / 2;
  const sizes = [[64 * MIB, 512], [64 * MIB, 4096], ...(budget >= 256 * MIB ? [[256 * MIB, 8192]] : [])] as [
    number,
    number,
  ][];
  return sizes.map(([bytes, groups]) => ({
    kernel: "read",
    shape: { groups, words: 4 * Math.floor(Math.min(bytes, budget) / vec4 / groups / 4) },
  }));
}

function copyCalls(gpu: Gpu, weights: Weights, effort: Effort): Call[] {
  const bytes = Math.min(64 * MIB, streamBytes(gpu, weights, effort));
  return [
    { kernel: "copy", shape: { words: Math.floor((2 * bytes) / bitsOf[activationsOf[weights.dtype]]) } },
  ];
}

/** Whether this device has what a probe measures. */
export function hasProbe(gpu: Gpu, probe: Probe, dtype: DType): boolean {
  if (probe === "dot") return gpu.packedDot;
  return probe !== "mma" || mmaShapes(gpu, dtype).length > 0;
}

/** The call and the way to compute it at which a probe is fastest here. */
export interface BestProbe {
  readonly call: Call;
  readonly choice: Choice;
  readonly records: readonly TuningRecord[];
}

/** Of the time for tuning a kernel, what the search at a probe's best shape may take. */
const CLIMB_SHARE = 1 / 3;

/** The calls at which a probe may be fastest. */
async function callsOf(
  gpu: Gpu,
  timer: Timer,
  weights: Weights | undefined,
  probe: Probe,
  dtype: DType,
  effort: Effort,
): Promise<Call[]> {
  if (probe === "mma") return mmaCalls(gpu, timer, dtype);
  if (!isStreaming(probe)) return chainCalls(gpu, timer, probe, dtype);
  if (weights === undefined) throw new Error(`${probe} has no weights to stream`);
  return (probe === "read" ? readCalls : copyCalls)(gpu, weights, effort);
}

/**
 * Sweeps a probe, as far as `effort` goes; those of arithmetic need no weights. Throws when no variant of it passes its
 * check.
 */
export async function sweep(
  gpu: Gpu,
  timer: Timer,
  weights: Weights | undefined,
  probe: Probe,
  dtype: DType,
  effort: Effort,
): Promise<BestProbe> {
  const calls = await callsOf(gpu, timer, weights, probe, dtype, effort);
  const records: TuningRecord[] = [];
  let best: { readonly call: Call; readonly choice: Choice; readonly rate: number } | undefined;
  let promising: readonly Choice[] | undefined;

  const search = async (call: Call, from: readonly Choice[], seconds: number) => {
    const found = await tune(gpu, timer, weights, call, dtype, { from, seconds, disloyal: true });
    records.push({ ...found.record, shapeClass: Object.values(call.shape).join("x") });
    const { flops, bytes } = workOf(call, dtype);
    const rate = (isStreaming(probe) ? bytes : flops) / found.secondsPerDispatch;
    if (call !== trials[probe] && (best === undefined || rate > best.rate))
      best = { call, choice: found.choice, rate };
    return found;
  };

  const trial = trials[probe];
  for (const call of [...(trial ? [trial] : []), ...(effort.search ? calls : calls.slice(0, 1))]) {
    // Matrices of another size are another search.
    if (probe === "mma" || promising === undefined) promising = candidates(gpu, call, dtype, effort);
    const { record, secondsPerDispatch } = await search(call, promising, 0);
    // What is far behind at one shape is not tried at the next.
    const kernel = kernelOf(call.kernel);
    promising = promising.filter(
      (choice) =>
        (record.tried[choiceName(kernel, choice)] ?? Number.POSITIVE_INFINITY) <
        HOPELESS * secondsPerDispatch,
    );
  }
  if (effort.search) await search(best!.call, [best!.choice], CLIMB_SHARE * effort.tuningSeconds);
  return { call: best!.call, choice: best!.choice, records };
}
