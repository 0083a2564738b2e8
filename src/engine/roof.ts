// The probes that give this device's own roof: arithmetic alone, reading alone, copying. Each is swept
// over shapes and tunings, and the fastest is measured like any other cell.

import { type Call, kernelOf, workOf } from "../kernels";
import { type Choice, choiceName, defaultChoice } from "../kernels/choices";
import { activationsOf, bitsOf, type DType } from "../kernels/elements";
import { MAX_STEPS } from "../kernels/fma";
import type { TuningRecord } from "../result";
import type { Gpu } from "./device";
import type { Effort } from "./effort";
import { prepare } from "./launch";
import type { Timer } from "./timer";
import { candidates, HOPELESS, quickTime, tune } from "./tune";
import { largestPiece, type Weights } from "./weights";

const MIB = 2 ** 20;

/** A dispatch of arithmetic should take about this long: far above its own cost, far below a watchdog. */
const FMA_SECONDS = 0.004;

/** Calls at which a tuning that does not suit this device shows without costing seconds. */
const trials: Partial<Record<"fma" | "read" | "copy", Call>> = {
  read: { kernel: "read", shape: { groups: 128, words: 64 } },
  copy: { kernel: "copy", shape: { words: 2 ** 13 } },
};

/** Where each sweep begins: small enough for any device. */
export const firstCalls = {
  fma: { kernel: "fma", shape: { invocations: 8192, chains: 4, steps: 64 } },
  read: { kernel: "read", shape: { groups: 512, words: 1024 } },
  copy: { kernel: "copy", shape: { words: 2 ** 20 } },
} as const satisfies Record<string, Call>;

/** Sizes the recurrence so that one dispatch takes a few ms here, whatever the device. */
async function fmaCalls(gpu: Gpu, timer: Timer, dtype: DType): Promise<Call[]> {
  const launch = await prepare(gpu, undefined, firstCalls.fma, dtype, defaultChoice(kernelOf("fma")));
  const seconds = await quickTime(timer, launch).finally(launch.destroy);
  let growth = FMA_SECONDS / seconds;
  const steps = Math.max(16, Math.min(MAX_STEPS[activationsOf[dtype]], Math.round((64 * growth) / 8) * 8));
  growth /= steps / 64;
  const invocations = Math.max(1024, Math.min(2 ** 20, 2 ** Math.round(Math.log2(8192 * growth))));
  return [2, 4, 6, 8].map((chains) => ({ kernel: "fma", shape: { invocations, chains, steps } }));
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

export type Probe = keyof typeof firstCalls;
export const probes: readonly Probe[] = ["fma", "read", "copy"];

/** The call and the way to compute it at which a probe is fastest here. */
export interface BestProbe {
  readonly call: Call;
  readonly choice: Choice;
  readonly records: readonly TuningRecord[];
}

/** Of the time for tuning a kernel, what the search at a probe's best shape may take. */
const CLIMB_SHARE = 1 / 3;

/** Sweeps a probe, as far as `effort` goes. Throws when no variant of it passes its check. */
export async function sweep(
  gpu: Gpu,
  timer: Timer,
  weights: Weights,
  probe: Probe,
  effort: Effort,
): Promise<BestProbe> {
  const { dtype } = weights;
  const calls =
    probe === "fma"
      ? await fmaCalls(gpu, timer, dtype)
      : (probe === "read" ? readCalls : copyCalls)(gpu, weights, effort);
  const records: TuningRecord[] = [];
  let best: { readonly call: Call; readonly choice: Choice; readonly rate: number } | undefined;
  let promising: readonly Choice[] | undefined;

  const search = async (call: Call, from: readonly Choice[], seconds: number) => {
    const found = await tune(gpu, timer, weights, call, dtype, { from, seconds, disloyal: true });
    records.push({ ...found.record, shapeClass: Object.values(call.shape).join("x") });
    const { flops, bytes } = workOf(call, dtype);
    const rate = (probe === "fma" ? flops : bytes) / found.secondsPerDispatch;
    if (call !== trials[probe] && (best === undefined || rate > best.rate))
      best = { call, choice: found.choice, rate };
    return found;
  };

  const trial = trials[probe];
  for (const call of [...(trial ? [trial] : []), ...(effort.search ? calls : calls.slice(0, 1))]) {
    promising ??= candidates(gpu, call, dtype, effort);
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
