// What a training step is: kernel calls in order, forwards, backwards and the optimiser's, and the named tensors that
// they work on. Plain data.

import { decoderOf, whyNoForward } from "./decoder";
import type { Dispatch, Tensor, TensorRole } from "./forward_pass";
import type { ModelConfig } from "./model";
import { parameters } from "./model";

/** AdamW's (Loshchilov & Hutter, arXiv 1711.05101), at what Llama 2 was trained with but for a constant rate. */
export interface Optimiser {
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** Of matrices; norms and biases do not decay. */
  readonly weightDecay: number;
}

export const adamW: Optimiser = {
  learningRate: 1e-3,
  beta1: 0.9,
  beta2: 0.95,
  epsilon: 1e-5,
  weightDecay: 0.1,
};

export interface TrainingOptions {
  /** Sequences of a step. */
  readonly batch: number;
  /** Tokens of each sequence, every one of which predicts the next. */
  readonly tokens: number;
  readonly optimiser: Optimiser;
}

/** What a tensor is for: as in a forward pass, and gradients of weights, and their moments. */
export type TrainingRole = TensorRole | "gradients" | "moments";

export const trainingPhases = ["forward", "backward", "optimiser"] as const;
export type TrainingPhase = (typeof trainingPhases)[number];

export interface TrainingDispatch extends Dispatch {
  readonly phase: TrainingPhase;
}

/** A training step: plain data. */
export interface TrainingPass {
  readonly model: ModelConfig;
  readonly options: TrainingOptions;
  /** Every tensor that some call names, once. */
  readonly tensors: readonly Tensor<TrainingRole>[];
  readonly dispatches: readonly TrainingDispatch[];
}

/** Bytes that stay for each weight: itself, its gradient and two moments, in f32. */
const STATE_BYTES = 16;

/** Why a model cannot be trained here, or undefined. */
export function whyNoTraining(model: ModelConfig): string | undefined {
  const reason = whyNoForward(model);
  if (reason !== undefined) return reason;
  const { qkNorm, activation, postNorms, scaledEmbedding } = decoderOf(model);
  const unknown = (
    [
      [postNorms, "norms behind its blocks"],
      [scaledEmbedding, "scaled embeddings"],
      [activation !== "silu", `${activation}-gated layers`],
      [qkNorm, "norms of queries and keys"],
    ] as const
  ).find(([has]) => has);
  return unknown && `${model.model_type} cannot be trained here: ${unknown[1]} have no backward pass`;
}

/** Bytes of weights, gradients and moments of so many of a model's layers, with its vocabulary; norms and biases not counted. */
export const trainingStateBytes = (model: ModelConfig, layers: number): number =>
  STATE_BYTES * parameters({ ...model, num_hidden_layers: layers });

/** How many layers can be trained with so many bytes for weights, gradients and moments; 0 where not even one. */
export function trainableLayers(model: ModelConfig, bytes: number): number {
  const one = trainingStateBytes(model, 1);
  const each = trainingStateBytes(model, 2) - one;
  return Math.max(0, Math.min(model.num_hidden_layers, Math.floor((bytes - one) / each) + 1));
}
