// What a comparison finds: plain data. It crosses from the page to the command line and is what --out writes.

import type { Work } from "../kernels/kernel";
import type { DeviceInfo } from "../result";
import { median } from "../statistics";
import type { Check } from "./check";
import type { Arithmetic } from "./contender";
import { type Ratio, ratioOf } from "./rounds";
import type { WeightType } from "./tasks";

/** What became of one way of doing a task. */
export type Outcome =
  /** Right, and measured: seconds per execution in each round, of batches of so many. */
  | {
      readonly status: "timed";
      readonly check: Check;
      readonly times: number;
      readonly samples: readonly number[];
    }
  /** Right, but the same runtime has a much faster way. */
  | { readonly status: "outdone"; readonly check: Check; readonly seconds: number; readonly by: string }
  /** Its answer is wrong, so it has no time. */
  | { readonly status: "wrong"; readonly check: Check }
  | { readonly status: "failed"; readonly reason: string }
  /** The runtime has no way to do it. */
  | { readonly status: "unavailable"; readonly reason: string };

export interface Entry {
  readonly runtime: string;
  readonly variant: string;
  readonly arithmetic: Arithmetic;
  readonly outcome: Outcome;
}

export interface TaskResult {
  readonly id: string;
  readonly title: string;
  readonly weights: WeightType;
  readonly rate: keyof Work;
  readonly work: Work;
  readonly own: Entry;
  readonly peers: readonly Entry[];
}

/** Our own kernel beside the probe of what bounds it, round by round. */
export interface ProbeShare {
  readonly title: string;
  readonly probe: "fma" | "read";
  /** FLOP/s or bytes/s. */
  readonly kernelRates: readonly number[];
  readonly probeRates: readonly number[];
}

export interface PeersResult {
  readonly tool: { readonly version: string; readonly commit: string };
  readonly createdAt: string;
  readonly agent: string;
  readonly device: DeviceInfo;
  readonly rounds: number;
  /** The version of each runtime. */
  readonly runtimes: readonly { readonly name: string; readonly version: string }[];
  readonly tasks: readonly TaskResult[];
  readonly shares: readonly ProbeShare[];
  /** Why a share is missing. */
  readonly shareProblems: readonly string[];
}

/** What is going on is told on the console, after this; nobody has to ask, which would take time from what is measured. */
export const PROGRESS = "at: ";

export type Timed = Entry & { readonly outcome: Extract<Outcome, { status: "timed" }> };

export const isTimed = (entry: Entry): entry is Timed => entry.outcome.status === "timed";

/** A peer's time over our own: above 1 the peer is slower. */
export interface Comparison {
  readonly task: string;
  readonly runtime: string;
  readonly variant: string;
  readonly ratio: Ratio;
}

/** Every timed way of a peer against our own kernel, fastest first; none where our own has no time. */
export function comparisonsOf({ id, own, peers }: TaskResult): Comparison[] {
  if (!isTimed(own)) return [];
  return peers
    .filter(isTimed)
    .map(({ runtime, variant, outcome }) => ({
      task: id,
      runtime,
      variant,
      ratio: ratioOf(outcome.samples, own.outcome.samples),
    }))
    .sort((a, b) => a.ratio.value - b.ratio.value);
}

/** The fastest timed way of a runtime. */
export function fastest(entries: readonly Entry[], runtime?: string): Timed | undefined {
  return entries
    .filter(isTimed)
    .filter((entry) => runtime === undefined || entry.runtime === runtime)
    .sort((a, b) => median(a.outcome.samples) - median(b.outcome.samples))[0];
}
