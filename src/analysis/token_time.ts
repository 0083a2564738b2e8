// Where the time of a step of decode goes: weights, KV cache, attention, other kernels, dispatches, gaps; and what the
// API adds where each token is read back.

import { isAttentionName, kernels } from "../kernels";
import { type BreakdownPart, sixDigits, type WholeModel } from "./forward";

/** What time is spent on, in the order in which it is drawn. */
export const timeKinds = [
  "weights",
  "cache",
  "attention",
  "other",
  "dispatch",
  "gaps",
  "untold",
  "reading back",
] as const;
export type TimeKind = (typeof timeKinds)[number];

export interface TimePart {
  readonly kind: TimeKind;
  readonly seconds: number;
}

/** A step of decode, divided. */
export interface TokenTime {
  readonly whole: WholeModel;
  /** Those of a free-running step add up to it; what reading the token back adds follows. Nothing is left out. */
  readonly parts: readonly TimePart[];
  /** Seconds of the kernels, each timed by itself; undefined where no GPU clock told. */
  readonly kernels: number | undefined;
  /** Timed by themselves the kernels took longer than the step: their times are scaled down to it. */
  readonly scaled: boolean;
  /** Dispatches of a step at the cost of an empty one; undefined where that was not measured. */
  readonly dispatches: number | undefined;
  /** Whether what attention needs for reading the KV cache is told apart from the rest of it: it takes a roof. */
  readonly cacheTold: boolean;
}

const PRODUCTS: ReadonlySet<string> = new Set([
  "matmul",
  "matvec",
  "swiglu",
  "expert_matvec",
  "expert_swiglu",
  "expert_matmul",
]);

/** What a kernel of a step is there for. One of another version, which is not known here, is judged by its label. */
export function kindOf({
  label,
  kernel,
}: Pick<BreakdownPart, "label" | "kernel">): "weights" | "attention" | "other" {
  if (isAttentionName(kernel)) return "attention";
  const product = Object.hasOwn(kernels, kernel) ? PRODUCTS.has(kernel) : /_proj$|^lm_head$/.test(label);
  return product ? "weights" : "other";
}

const present = (parts: readonly TimePart[]) => parts.filter(({ seconds }) => seconds > 0);

/** What no clock told apart: what weights and KV cache take at the roof at least, and dispatches; all where that is more than the step. */
function withoutClock(step: number, atLeast: readonly TimePart[]): TimePart[] {
  const told = atLeast.reduce((sum, { seconds }) => sum + seconds, 0);
  return told < step
    ? [...atLeast, { kind: "untold", seconds: step - told }]
    : [{ kind: "untold", seconds: step }];
}

/**
 * Divides a step. `dispatchCost` is that of an empty dispatch in seconds, undefined where it was not measured. What a step takes
 * beyond its kernels is dispatches, at their cost, and gaps; where kernels timed by themselves take longer than the step neither can be told.
 */
export function tokenTime(whole: WholeModel, dispatchCost: number | undefined): TokenTime {
  const { run, roof, breakdown, perToken, readBack } = whole;
  const step = perToken.measured.value;
  const { work, dispatches: count } = run.decode;
  // A link keeps three digits of it.
  const dispatches = dispatchCost === undefined ? undefined : count * Number(dispatchCost.toPrecision(3));
  const atRoof = (bytes: number) => (roof === undefined ? 0 : sixDigits(bytes) / roof.bandwidth);
  const api: TimePart = { kind: "reading back", seconds: readBack };
  if (breakdown.length === 0) {
    const known: TimePart[] = [
      { kind: "weights", seconds: atRoof(work.weights) },
      { kind: "cache", seconds: atRoof(work.cache) },
      { kind: "dispatch", seconds: dispatches ?? 0 },
    ];
    return {
      whole,
      parts: present([...withoutClock(step, known), api]),
      kernels: undefined,
      scaled: false,
      dispatches,
      cacheTold: roof !== undefined,
    };
  }
  const sum = (kind: ReturnType<typeof kindOf>) =>
    breakdown.reduce((total, part) => total + (kindOf(part) === kind ? part.seconds : 0), 0);
  const [weights, attention, other] = [sum("weights"), sum("attention"), sum("other")];
  const kernels = weights + attention + other;
  const factor = Math.min(1, step / kernels);
  const cache = Math.min(attention, atRoof(work.cache));
  const rest = Math.max(0, step - kernels);
  const dispatch = Math.min(rest, dispatches ?? 0);
  return {
    whole,
    parts: present([
      { kind: "weights", seconds: factor * weights },
      { kind: "cache", seconds: factor * cache },
      { kind: "attention", seconds: factor * (attention - cache) },
      { kind: "other", seconds: factor * other },
      { kind: "dispatch", seconds: dispatch },
      { kind: "gaps", seconds: rest - dispatch },
      api,
    ]),
    kernels,
    scaled: kernels > step,
    dispatches,
    cacheTold: roof !== undefined,
  };
}

/** Seconds of a part in each layer; undefined of what lies before, after or between only some of them. */
export function secondsPerLayer({ run }: WholeModel, { count, seconds }: BreakdownPart): number | undefined {
  return count >= run.ofLayers && count % run.ofLayers === 0 ? seconds / run.ofLayers : undefined;
}
