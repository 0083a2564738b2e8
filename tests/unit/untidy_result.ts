// Results as untidy as real ones: nothing about them is round or regular.

import { type AnyCall, kernelOf } from "../../src/kernels";
import { choiceName, starts, variantOf } from "../../src/kernels/choices";
import type { DType } from "../../src/kernels/elements";
import { type Outcome, type Result, stops } from "../../src/result";
import { uniform } from "../../src/statistics";
import { normal } from "./distributions";
import { exactSeconds, resultOf } from "./result_fixture";

/** The tunings that a search may begin with for a call. */
const namesOf = ({ kernel: name, shape }: AnyCall, dtype: DType) => {
  const kernel = kernelOf(name);
  return starts(kernel)
    .filter((choice) => variantOf(kernel, choice).unfit?.(choice.tuning, shape, dtype) === undefined)
    .map((choice) => choiceName(kernel, choice));
};

/**
 * A result as untidy as a real one: noise of up to 5 % with heavy tails, tunings, parts and checks of all kinds, a
 * device that wanders, a cache curve with noise and long names.
 */
export function untidy(words: string, seed: number): Result {
  const random = uniform(seed);
  const oneOf = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  const result = resultOf({
    words,
    samples(call, dtype) {
      const noise = 0.05 * random();
      return Array.from({ length: 6 + Math.floor(18 * random()) }, () => {
        const off = noise * normal(random) * (random() < 0.05 ? 5 : 1);
        return exactSeconds(call, dtype) * Math.max(0.5, 1 + off);
      });
    },
  });
  const tuned = new Map<string, string>();
  const outcomes = result.outcomes.map((outcome): Outcome => {
    if (outcome.status !== "measured") return outcome;
    const { check, call, dtype } = outcome;
    // A tuning is picked for all calls of a class.
    const kind = `${call.kernel} ${dtype} ${"M" in call.shape && call.shape.M > 1}`;
    tuned.set(kind, tuned.get(kind) ?? oneOf(namesOf(call, dtype)));
    return {
      ...outcome,
      tuning: tuned.get(kind)!,
      // Probes are made to fit.
      ...(!["fma", "read", "copy"].includes(call.kernel) && {
        pieces: oneOf([1, 1, 1, 8, Number((1 + 30 * random()).toPrecision(6))]),
        rotation: oneOf([2 ** 30, 2 ** 30, 2 ** 20 * Math.ceil(1024 * random())]),
      }),
      stopped: oneOf(stops),
      check: {
        ...check,
        elements: Math.ceil(10_000 * random()),
        coverage: oneOf([1, random()]),
        error: random() * check.tolerance,
      },
      compileSeconds: 0.2 * random(),
    };
  });
  const { reference, cacheCurve, device } = result;
  return {
    ...result,
    seed: Math.floor(2 ** 32 * random()),
    device: {
      ...device,
      description: "NVIDIA GeForce RTX 4070 Laptop GPU",
      others: ["Intel(R) Iris(R) Xe Graphics"],
    },
    host: {
      ...result.host,
      agent:
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36 Edg/150.0.0.0",
    },
    outcomes,
    reference: reference && {
      ...reference,
      readings: reference.readings.map(({ at, samples }) => {
        const speed = 1 + 0.015 * normal(random);
        return { at, samples: samples.map((sample) => sample * speed) };
      }),
    },
    cacheCurve: cacheCurve.map(({ bytes, seconds }) => ({ bytes, seconds: seconds * (1 + 0.1 * random()) })),
  };
}
