// A result with models that were run whole, as the engine would write it: round numbers, so that every figure can be
// worked out by hand.

import type { ForwardCase, MeasuredForward } from "../../src/forward_result";
import { forwardCases } from "../../src/forward_result";
import type { Result } from "../../src/result";
import { resultOf } from "./result_fixture";

const samples = (seconds: number[]) => ({ kind: "samples" as const, seconds });

/** 11 samples around a middle, one of them far out: p90 and p99 are known. */
export const around = (middle: number): number[] =>
  [1, 0.98, 1.02, 0.99, 1.01, 1, 1, 1, 0.97, 1.1, 2].map((share) => share * middle);

/** A whole model on the made-up GPU: TTFT 0.5 s, TPOT 10 ms, 12 ms with tokens read back. */
export const ran = (wanted: ForwardCase, changes: Partial<MeasuredForward> = {}): MeasuredForward => ({
  status: "measured",
  ...wanted,
  chunk: 512,
  residentLayers: 16,
  ofLayers: 16,
  bytes: {
    matrix: 4e9,
    vector: 300_000,
    table: 1000,
    cache: 5e6,
    state: 3000,
    activations: 2e6,
    scratch: 1e6,
    control: 4096,
  },
  prefill: {
    times: samples(around(0.5)),
    dispatches: 182,
    work: { flops: 1.25e12, weights: 4e9, cache: 1e6, activations: 3e9 },
  },
  decode: {
    clock: "timestamp-query",
    times: samples(around(0.01)),
    grouped: 1,
    steps: wanted.generate,
    stepsPerSubmit: 8,
    wall: 0.0105 * wanted.generate,
    dispatches: 165,
    work: { flops: 2.5e9, weights: 2.4e9, cache: 1e8, activations: 3e6 },
  },
  interactive: samples(around(0.012)),
  sustained: null,
  breakdown: [
    { label: "gate_up_proj", kernel: "swiglu", count: 16, seconds: 0.006 },
    { label: "down_proj", kernel: "matvec", count: 16, seconds: 0.003 },
    { label: "sample", kernel: "argmax", count: 1, seconds: 0.001 },
  ],
  hidden: false,
  ...changes,
});

/** A plan's whole models: the first was run, the second failed, the third was skipped. */
export function forwarded(
  words = "forward=on dtype=f32,f16,q4_0",
  changes: Partial<MeasuredForward> = {},
): Result {
  const result = resultOf({ words });
  const [first, second, third] = forwardCases(result.plan);
  return {
    ...result,
    forwards: [
      ...(first === undefined ? [] : [ran(first, changes)]),
      ...(second === undefined
        ? []
        : [{ status: "failed" as const, ...second, reason: "step 3 wrote another token" }]),
      ...(third === undefined
        ? []
        : [{ status: "skipped" as const, ...third, reason: "this device has no such type" }]),
    ],
  };
}

/** Every whole model of a plan, run; `changes` says what is another for which of them. */
export function everyRun(
  words: string,
  changes: (wanted: ForwardCase) => Partial<MeasuredForward> = () => ({}),
): Result {
  const result = resultOf({ words });
  return { ...result, forwards: forwardCases(result.plan).map((wanted) => ran(wanted, changes(wanted))) };
}

/** Steps that take so long, in a decode that is like any other. */
export function stepsOf(wanted: ForwardCase, seconds: number, noise = true): Pick<MeasuredForward, "decode"> {
  const { decode } = ran(wanted);
  return { decode: { ...decode, times: samples(noise ? around(seconds) : [seconds, seconds]) } };
}
