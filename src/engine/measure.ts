// One cell: check, warm up, then rounds of spans until the slope is known well enough.

import type { AnyShape, Call } from "../kernels";
import type { DType } from "../kernels/kernel";
import type { Preset } from "../plan";
import type { Instruments, Measurement, Span } from "../result";
import { median } from "./calibrate";
import { check } from "./check";
import type { Gpu } from "./device";
import { prepare } from "./launch";
import type { Timer } from "./timer";
import type { Weights } from "./weights";

/** How much trouble is taken with one cell. */
export interface Effort {
  readonly minRounds: number;
  readonly maxRounds: number;
  /** Stop when half the interquartile range is below this share of the median. */
  readonly spread: number;
  readonly warmupSeconds: number;
  /** No more rounds are begun after this. */
  readonly cellSeconds: number;
  readonly minSpanSeconds: number;
}

export const efforts: Readonly<Record<Preset, Effort>> = {
  smoke: { minRounds: 6, maxRounds: 6, spread: 1, warmupSeconds: 0, cellSeconds: 1, minSpanSeconds: 0.002 },
  quick: {
    minRounds: 6,
    maxRounds: 10,
    spread: 0.02,
    warmupSeconds: 0.1,
    cellSeconds: 1.5,
    minSpanSeconds: 0.016,
  },
  standard: {
    minRounds: 10,
    maxRounds: 40,
    spread: 0.01,
    warmupSeconds: 0.5,
    cellSeconds: 4,
    minSpanSeconds: 0.016,
  },
  rigorous: {
    minRounds: 20,
    maxRounds: 200,
    spread: 0.005,
    warmupSeconds: 1,
    cellSeconds: 15,
    minSpanSeconds: 0.033,
  },
};

/** Seconds per dispatch of a round of spans of n, 2n and 3n dispatches: the least-squares slope. */
const slope = ([first, , last]: readonly Span[], time: (span: Span) => number): number =>
  (time(last!) - time(first!)) / (last!.dispatches - first!.dispatches);

/** The shortest span that these instruments time to half a percent. */
function spanSeconds(instruments: Instruments, timestamps: boolean, effort: Effort): number {
  const { clockStep, completionFloor, timestampQuantum } = instruments;
  return timestamps
    ? Math.max(effort.minSpanSeconds, 200 * (timestampQuantum ?? 0))
    : Math.max(effort.minSpanSeconds, 200 * clockStep, Math.min(20 * completionFloor, 0.5));
}

function converged(samples: readonly number[], { minRounds, maxRounds, spread }: Effort): boolean {
  if (samples.length < minRounds) return false;
  if (samples.length >= maxRounds) return true;
  const sorted = [...samples].sort((a, b) => a - b);
  const quartile = (share: number) => sorted[Math.round(share * (sorted.length - 1))]!;
  return quartile(0.75) - quartile(0.25) <= 2 * spread * median(samples);
}

/**
 * Measures a call. `piece` is what one dispatch does, with `pieces` of them in the call. Throws, before
 * any sample is taken, when the kernel fails its check.
 */
export async function measure(
  gpu: Gpu,
  timer: Timer,
  instruments: Instruments,
  weights: Weights | undefined,
  cell: { call: Call; piece: Call; pieces: number; dtype: DType; tuning: string },
  effort: Effort,
): Promise<Measurement> {
  const { call, piece, pieces, dtype, tuning } = cell;
  const launch = await prepare(
    gpu,
    weights,
    piece as Pick<Call, "kernel"> & { shape: AnyShape },
    dtype,
    tuning,
  );
  try {
    const checked = await check(gpu, launch);

    // Warm up by time; the estimate of one dispatch grows better on the way.
    let estimate = 0;
    const warm = performance.now() + effort.warmupSeconds * 1000;
    for (
      let dispatches = 1;
      ;
      dispatches = Math.min(2 * dispatches, Math.max(1, Math.floor(0.05 / estimate)))
    ) {
      const { gpu: stamped, wall } = await timer.span(launch, dispatches, estimate);
      estimate = Math.max((stamped ?? wall) / dispatches, 1e-8);
      if (
        performance.now() >= warm &&
        (estimate * dispatches >= effort.minSpanSeconds / 2 || dispatches >= 65_536)
      )
        break;
    }

    const spans: Span[] = [];
    const samples: number[] = [];
    let clock: Measurement["clock"] = timer.timestamps ? "timestamp-query" : "wall";
    const began = performance.now();
    while (!converged(samples, effort)) {
      const enough = performance.now() - began >= effort.cellSeconds * 1000;
      if (enough && samples.length >= effort.minRounds) break;
      const n = Math.max(
        1,
        Math.ceil(spanSeconds(instruments, clock === "timestamp-query", effort) / estimate),
      );
      const round: Span[] = [];
      for (const dispatches of [n, 2 * n, 3 * n]) round.push(await timer.span(launch, dispatches, estimate));
      if (clock === "timestamp-query" && round.some((span) => span.gpu === null)) {
        // Timestamps that cannot be true: start again by the wall clock.
        clock = "wall";
        spans.length = 0;
        samples.length = 0;
        continue;
      }
      spans.push(...round);
      const stamped = clock === "timestamp-query";
      samples.push(slope(round, (span) => (stamped ? span.gpu! : span.wall)));
    }
    return {
      status: "measured",
      call,
      dtype,
      tuning,
      piece,
      pieces,
      rotation: launch.rotation,
      clock,
      timing: { kind: "spans", spans },
      check: checked,
      compileSeconds: launch.compileSeconds,
    };
  } finally {
    launch.destroy();
  }
}
