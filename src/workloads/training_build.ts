// What the parts of a training step are made with: calls collected phase by phase, and the names of what they work on.

import type { Call } from "../kernels";
import { decoderOf } from "./decoder";
import { collectorOf, forwardRole, type Tensor } from "./forward_pass";
import type { ModelConfig } from "./model";
import type { TrainingDispatch, TrainingOptions, TrainingPhase, TrainingRole } from "./training_pass";

/** The name of the gradient of these weights. */
export const gradientOf = (weights: string): string => `gradient ${weights}`;

function roleOf(name: string): TrainingRole {
  const [first] = name.split(" ");
  if (first === "gradient") return "gradients";
  if (first === "mean" || first === "square") return "moments";
  if (first === "kept" || first === "back") return "activations";
  return name === "targets" || name.startsWith("schedule") ? "state" : forwardRole(name);
}

/** What is trained: matrices and vectors, but for the zero that stands where a model has no bias. */
export const trainedTensors = (tensors: readonly Tensor<TrainingRole>[]): Tensor<TrainingRole>[] =>
  tensors.filter(({ role, name }) => (role === "matrix" || role === "vector") && name !== "no_bias");

/** What the parts of a step are made with. */
export function builder(model: ModelConfig, options: TrainingOptions) {
  const { batch, tokens } = options;
  const {
    hidden_size: hidden,
    num_attention_heads: heads,
    num_key_value_heads: kvHeads,
    head_dim: headDim,
  } = model;
  const { nanoEpsilon, qkvBias } = decoderOf(model);
  const M = batch * tokens;
  const { tensors, dispatches: collected, call: collect } = collectorOf("f32", "f32", roleOf);
  const phases: TrainingPhase[] = [];
  let phase: TrainingPhase = "forward";
  let layer: number | null = null;

  const call = (label: string, what: Call, names: Readonly<Record<string, string>>) => {
    collect(label, layer, what, names);
    phases.push(phase);
  };

  return {
    model,
    options,
    M,
    tensors,
    call,
    qkvBias,
    rows: { rows: M, columns: hidden },
    norms: { rows: M, columns: hidden, nanoEpsilon },
    attention: { batch, tokens, heads, kvHeads, headDim },

    begin(next: TrainingPhase, of: number | null) {
      phase = next;
      layer = of;
    },

    dispatches: (): TrainingDispatch[] =>
      collected.map((dispatch, i) => ({ ...dispatch, phase: phases[i] ?? "forward" })),

    /** y = x · Wᵀ with W of (N, K). */
    linear: (label: string, weights: string, [N, K]: readonly [number, number], x: string, y: string) =>
      call(label, { kernel: "matmul", shape: { M, N, K } }, { a: x, b: weights, c: y }),

    /** dx = dy · W and dW = dyᵀ · x, the latter into `gradient`. */
    linearBack(
      label: string,
      weights: string,
      [N, K]: readonly [number, number],
      { x, dy, dx, gradient = gradientOf(weights) }: { x: string; dy: string; dx: string; gradient?: string },
    ) {
      call(`${label} dX`, { kernel: "matmul_nn", shape: { M, N: K, K: N } }, { a: dy, b: weights, c: dx });
      call(`${label} dW`, { kernel: "matmul_tn", shape: { M: N, N: K, K: M } }, { a: dy, b: x, c: gradient });
    },
  };
}

export type Builder = ReturnType<typeof builder>;

/** Rows and columns of each matrix of a layer. */
export function matrices({ model }: Builder) {
  const { hidden_size: hidden, intermediate_size: intermediate, head_dim: headDim } = model;
  const queries = model.num_attention_heads * headDim;
  const width = queries + 2 * model.num_key_value_heads * headDim;
  return {
    qkv_proj: [width, hidden],
    o_proj: [hidden, queries],
    gate_up_proj: [2 * intermediate, hidden],
    down_proj: [hidden, intermediate],
    vocabulary: [model.vocab_size, hidden],
  } as const;
}

/** Names of what a layer keeps for its way back: its input, what blocks read, and what they are made of. */
export const kept = (layer: number, name: string) => `kept ${layer}.${name}`;

/** The residual stream and its norm behind the last layer are those in front of the next one. */
export const inputNorm = ({ model }: Builder, layer: number): string =>
  layer < model.num_hidden_layers ? `layers.${layer}.input_layernorm` : "norm";

/** The matrix that logits are made by. */
export const lmHead = ({ model }: Builder): string =>
  model.tie_word_embeddings ? "embed_tokens.0" : "lm_head.0";
