// One model of a plan to be trained: whether it can be, how much of it, with which kernels.

import { kernelOf } from "../kernels";
import { memoryBudget } from "../plan";
import type { Result } from "../result";
import { type TrainingCase, type TrainingOutcome, trainingSeconds } from "../training_result";
import {
  adamW,
  type ModelConfig,
  modelConfig,
  modelIds,
  type TrainingDispatch,
  trainableLayers,
  training,
  trainingStateBytes,
  whyNoTraining,
} from "../workloads";
import { choosing, isSearched } from "./forward_tune";
import type { Roofs } from "./pieces";
import type { Session } from "./session";
import { DISPATCH_SECONDS } from "./submits";
import { runTraining, type TrainingRun } from "./training_run";
import { largestPiece } from "./weights";

/** Tokens of a sequence: no fewer than these, however slow a device is. */
const LEAST_TOKENS = 16;

/** What products reach of the roof of arithmetic at least; a guess that only sets how many tokens there are. */
const SHARE = 0.2;

/** Steps that count, at most: more would tell no more. */
const MOST_STEPS = 100;
const LEAST_STEPS = 3;

/** As many tokens of each sequence as are asked for, or so few, a power of two, that no product takes too long. */
export function tokensOf(
  model: ModelConfig,
  { prompt, batch }: Pick<TrainingCase, "prompt" | "batch">,
  { flops }: Pick<Roofs, "flops">,
): number {
  const { hidden_size: hidden, intermediate_size: intermediate, vocab_size: vocab } = model;
  const largest = 2 * hidden * Math.max(vocab, 2 * intermediate);
  const tokens = (DISPATCH_SECONDS * SHARE * flops) / (largest * batch);
  return tokens >= prompt
    ? prompt
    : Math.min(prompt, Math.max(LEAST_TOKENS, 2 ** Math.floor(Math.log2(tokens))));
}

/** Sizes of a product that stands for larger ones of its class: what is tried is made on the CPU, and checked there. */
const LARGEST = { M: 512, N: 1024, K: 4096 };

/** A smaller call of the same class, where there is one. */
function small<D extends TrainingDispatch>(dispatch: D): D {
  const { call } = dispatch;
  if (call.kernel !== "matmul_nn" && call.kernel !== "matmul_tn" && call.kernel !== "matmul") return dispatch;
  const { M, N, K } = call.shape;
  const shape = { M: Math.min(M, LARGEST.M), N: Math.min(N, LARGEST.N), K: Math.min(K, LARGEST.K) };
  const { shapeClass } = kernelOf(call.kernel);
  return shapeClass(shape) === shapeClass(call.shape) ? { ...dispatch, call: { ...call, shape } } : dispatch;
}

const gib = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GiB`;

/** Why a model is not trained here, or how many of its layers fit. */
function layersOf({ gpu }: Session, model: ModelConfig, memory: number): number | string {
  const table = 4 * model.vocab_size * model.hidden_size;
  const largest = largestPiece(gpu);
  if (table > largest)
    return `its embedding table takes ${gib(table)} in f32, and a binding of this device holds ${gib(largest)}: its gradient would have to come in pieces`;
  const layers = trainableLayers(model, memory);
  if (layers > 0) return layers;
  const least = Math.ceil(trainingStateBytes(model, 1) / 2 ** 30);
  return `weights, gradients and moments of its vocabulary and of one layer take ${gib(trainingStateBytes(model, 1))}: memory=${least}GiB would hold them`;
}

/** Trains one model of a plan. Throws where it fails; what cannot be trained here is skipped with the reason. */
export async function measureTraining(
  session: Session,
  result: Result,
  wanted: TrainingCase,
  roofs: Roofs,
): Promise<TrainingOutcome> {
  const { gpu, visibility } = session;
  const { plan } = result;
  const skipped = (reason: string): TrainingOutcome => ({
    status: "skipped",
    ...wanted,
    reason: reason.slice(0, 400),
  });
  if (wanted.dtype !== "f32") return skipped(`models are trained in f32, not in ${wanted.dtype}`);
  const id = modelIds.find((each) => each === wanted.model);
  if (id === undefined) throw new Error(`there is no model ${wanted.model}`);
  const whole = modelConfig(id);
  const reason = whyNoTraining(whole);
  if (reason !== undefined) return skipped(reason);
  const layers = layersOf(session, whole, memoryBudget(plan, gpu.mobile));
  if (typeof layers === "string") return skipped(layers);

  session.freeWeights();
  const model = { ...whole, num_hidden_layers: layers };
  const run: TrainingRun = {
    model,
    batch: wanted.batch,
    tokens: tokensOf(model, wanted, roofs),
    optimiser: adamW,
    seconds: trainingSeconds[plan.preset],
    least: LEAST_STEPS,
    most: plan.preset === "smoke" ? LEAST_STEPS : MOST_STEPS,
  };
  // Only what is searched for is tried: everything else is the first that fits.
  const searched = training(model, run).dispatches.filter(({ call }) => isSearched(call));
  const choose = await choosing(session, result, [{ dispatches: searched }], small);
  const { timesHidden } = visibility;
  const found = await runTraining(gpu, run, { choose });
  const work = ({ flops, bytes }: { flops: number; bytes: number }) => ({ flops, bytes });
  return {
    status: "measured",
    ...wanted,
    tokens: run.tokens,
    layers,
    ofLayers: whole.num_hidden_layers,
    bytes: { ...found.bytes },
    clock: found.clock,
    // A coarse clock may have seen nothing pass.
    times: { kind: "samples", seconds: found.samples.map((each) => Math.max(each, 1e-12)) },
    phases: { ...found.phases },
    work: {
      forward: work(found.work.forward),
      backward: work(found.work.backward),
      optimiser: work(found.work.optimiser),
    },
    dispatches: found.dispatches,
    loss: { first: found.losses[0] ?? 0, last: found.losses.at(-1) ?? 0 },
    steps: found.losses.length,
    hidden: visibility.hidden || visibility.timesHidden > timesHidden,
  };
}
