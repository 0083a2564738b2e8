// What a model's life is spent on: training it once, reading prompts and writing answers ever after. In FLOP, seconds,
// joules or dollars: whatever the cost of a token is given in.

import type { DType } from "../kernels/elements";
import type { ModelConfig } from "../workloads";
import type { Estimate } from "./estimate";
import { assertEstimate, assertPositive, exactly, monotone } from "./interval";
import { type Roof, rooflineSeconds, workloadWork } from "./roofline";
import { freshPrompt, type Scenario, scenarioWorkloads } from "./scenarios";
import { trainingFlops, trainingRoofSeconds, trainingStep } from "./training_step";

export const lifePhases = ["training", "prefill", "decode"] as const;
export type LifePhase = (typeof lifePhases)[number];
type PerPhase<T> = Readonly<Record<LifePhase, T>>;

/** How a model is trained and what it is asked. */
export interface Life {
  readonly trainingTokens: number;
  /** Tokens of a sequence in training and sequences of a step. */
  readonly trainingSequence: number;
  readonly trainingBatch: number;
  readonly scenario: Scenario;
  /** Requests over its whole life. */
  readonly requests: number;
  /** Sequences that are decoded at once: what decides how long a token takes. */
  readonly batch: number;
}

/** Tokens of each phase: prompt tokens that are in a cache are not read again. */
export const lifeTokens = ({ trainingTokens, scenario, requests }: Life): PerPhase<number> => ({
  training: trainingTokens,
  prefill: requests * freshPrompt(scenario),
  decode: requests * scenario.output,
});

/**
 * FLOP per token: 6 per weight of a matrix in training, 2 in inference, and attention at the lengths of the scenario.
 * Reading spares all but the last token the LM head.
 */
export function lifeFlops(model: ModelConfig, life: Life): PerPhase<Estimate> {
  const { prefill, decode } = scenarioWorkloads("", model, life.scenario, life.batch);
  const step = trainingStep(model, life.trainingSequence, life.trainingBatch);
  return {
    training: exactly(trainingFlops(step) / step.tokens),
    prefill: exactly(workloadWork(prefill, "f16").flops / prefill.tokens),
    decode: exactly(workloadWork(decode, "f16").flops / decode.tokens),
  };
}

/** Seconds of one chip per token at its roofline: what FLOP hide is that decode waits for memory. */
export function lifeSeconds(model: ModelConfig, life: Life, roof: Roof, dtype: DType): PerPhase<Estimate> {
  const { prefill, decode } = scenarioWorkloads("", model, life.scenario, life.batch);
  const step = trainingStep(model, life.trainingSequence, life.trainingBatch);
  return {
    training: exactly(trainingRoofSeconds(step, roof) / step.tokens),
    prefill: exactly(rooflineSeconds(prefill, roof, dtype) / prefill.tokens),
    decode: exactly(rooflineSeconds(decode, roof, dtype) / decode.tokens),
  };
}

export interface LifetimeSplit {
  /** In the unit of the costs. */
  readonly total: PerPhase<Estimate>;
  /** 0 to 1. */
  readonly share: PerPhase<Estimate>;
  /** Requests after which inference has cost as much as training. */
  readonly crossover: Estimate;
}

/**
 * Tokens times their cost, and each phase's share of the sum. Inference overtakes training after
 * training / (prefill + decode of one request) requests. Throws a RangeError on a figure that cannot be.
 */
export function lifetimeSplit(life: Life, perToken: PerPhase<Estimate>): LifetimeSplit {
  assertPositive("training tokens", life.trainingTokens);
  assertPositive("requests", life.requests);
  for (const phase of lifePhases) assertEstimate(`${phase} per token`, perToken[phase]);
  const tokens = lifeTokens(life);
  const total = perPhase((phase) => monotone((up) => tokens[phase] * up(perToken[phase])));
  const share = perPhase((phase) =>
    monotone((up, down) => {
      const own = up(total[phase]);
      const others = lifePhases.filter((each) => each !== phase).map((each) => down(total[each]));
      return own / others.reduce((sum, each) => sum + each, own);
    }),
  );
  const crossover = monotone(
    (up, down) => (life.requests * up(total.training)) / (down(total.prefill) + down(total.decode)),
  );
  return { total, share, crossover };
}

const perPhase = <T>(of: (phase: LifePhase) => T): PerPhase<T> => ({
  training: of("training"),
  prefill: of("prefill"),
  decode: of("decode"),
});
