// The simulated GPU itself: when it does what was submitted, and what its timestamps and completions then say.

import { type AnyShape, type KernelName, kernelOf } from "../../src/kernels";
import type { SimulatedClock } from "./clock";
import { chance, type Hardware } from "./hardware";
import type { Binding, Buffer } from "./memory";

/** Host time of the calls that matter: what an encoder's work costs a real browser, roughly. */
export const HOST = { dispatch: 0.8e-6, encoder: 4e-6, submit: 20e-6, map: 10e-6 };

export interface Pipeline {
  readonly kernel: KernelName;
  ran: boolean;
}

export interface QuerySet {
  readonly values: BigInt64Array;
}

export interface Pass {
  readonly pipeline: Pipeline;
  readonly bindings: readonly Binding[];
  readonly dispatches: number;
  readonly stamps: { readonly set: QuerySet; readonly begin: number; readonly end: number } | undefined;
}

/** One pass as it really was. */
export interface Executed {
  readonly kernel: KernelName;
  readonly dispatches: number;
  readonly begin: number;
  readonly end: number;
}

export function shapeOf(kernel: KernelName, uniform: Buffer): AnyShape {
  const values = new Uint32Array(uniform.bytes);
  return Object.fromEntries(kernelOf(kernel).fields.map((field, i) => [field, values[i] ?? 0]));
}

/** The clock of the GPU and what it has done; it outlives devices that are lost. */
export class Machine {
  readonly executed: Executed[] = [];
  /** When the GPU will have done all that was submitted. */
  free = 0;
  #worked = 0;
  readonly #chance;

  constructor(
    readonly hardware: Hardware,
    readonly clock: SimulatedClock,
  ) {
    this.#chance = chance(hardware.seed);
  }

  /** Runs a pass after everything before it; its true begin and end. */
  run({ pipeline, bindings, dispatches }: Pass): { begin: number; end: number; fault: string | undefined } {
    const { hardware, clock } = this;
    const begin = Math.max(this.free, clock.exact);
    const shape = shapeOf(pipeline.kernel, bindings[0]!.buffer);
    const fault = hardware.fault(pipeline.kernel, shape);
    const { random, normal, exponential } = this.#chance;
    const spread = hardware.noise * (random() < hardware.heavyShare ? 5 : 1);
    const noise = Math.max(0.2, 1 + spread * normal());
    const rising = hardware.rampSeconds > 0 ? Math.max(0, 1 - this.#worked / hardware.rampSeconds) : 0;
    let seconds =
      dispatches * hardware.cost(pipeline.kernel, shape) * noise * (1 + rising) * hardware.slowness(begin);
    const { rate, seconds: mean } = hardware.interruptions;
    if (rate > 0 && random() < rate * seconds) seconds += exponential(mean);
    if (!pipeline.ran) seconds += hardware.firstRunSeconds;
    pipeline.ran = true;
    this.#worked += seconds;
    const end = begin + hardware.passSeconds + seconds;
    this.free = fault === "hang" ? Number.POSITIVE_INFINITY : end;
    this.executed.push({ kernel: pipeline.kernel, dispatches, begin, end });
    return { begin, end, fault };
  }

  /** The time at which the end of all work is told. */
  told(): number {
    const { completionFloor, polled } = this.hardware;
    const done = Math.max(this.free, this.clock.exact);
    // The timer's phase has nothing to do with the work's.
    return polled
      ? (Math.floor(done / completionFloor + 0.618) + 0.382 + 1e-9) * completionFloor
      : done + completionFloor;
  }

  /** What the timestamps of a pass say. */
  stamp(begin: number, end: number): [bigint, bigint] {
    const { badStamps, timestampQuantum } = this.hardware;
    const step = timestampQuantum ?? 1e-9;
    const nanoseconds = (seconds: number) => BigInt(Math.round(Math.floor(seconds / step) * step * 1e9));
    const bad = badStamps !== null && this.#chance.random() < badStamps.share ? badStamps.kind : undefined;
    if (bad === "negative") return [nanoseconds(end), nanoseconds(begin)];
    if (bad === "zero") return [0n, 0n];
    // Passes that a tiler runs as one: each is told the time of several.
    if (bad === "merged") return [nanoseconds(begin - 2 * (end - begin)), nanoseconds(end)];
    return [nanoseconds(begin), nanoseconds(end)];
  }
}
