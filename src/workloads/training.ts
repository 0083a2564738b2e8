// A step of training a model: which kernels are called on which tensors. Pure: the engine runs it.

import type { Call } from "../kernels";
import { decoderOf, layerWindow } from "./decoder";
import { collectorOf, forwardRole, type Tensor } from "./forward_pass";
import type { ModelConfig } from "./model";
import {
  type TrainingDispatch,
  type TrainingOptions,
  type TrainingPass,
  type TrainingPhase,
  type TrainingRole,
  whyNoTraining,
} from "./training_pass";

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

function assertOptions(model: ModelConfig, { batch, tokens, optimiser }: TrainingOptions): void {
  const reason = whyNoTraining(model);
  if (reason !== undefined) throw new Error(`${model._name_or_path}: ${reason}`);
  const counts = { batch, tokens };
  for (const [name, value] of Object.entries(counts)) {
    if (!Number.isInteger(value) || value < 1)
      throw new RangeError(`${name}: ${value} is no whole number from 1`);
  }
  const limit = model.max_position_embeddings;
  if (tokens > limit)
    throw new RangeError(`tokens: ${tokens} are more than max_position_embeddings, ${limit}`);
  for (const name of ["beta1", "beta2"] as const) {
    const value = optimiser[name];
    if (!(value >= 1e-6 && value < 1)) throw new RangeError(`${name}: ${value} is not from 1e-6 to below 1`);
  }
  if (!(optimiser.epsilon >= 1e-12 && optimiser.epsilon <= 1e-3))
    throw new RangeError(`epsilon: ${optimiser.epsilon} is not from 1e-12 to 1e-3`);
}

/** What the parts of a step are made with. */
function builder(model: ModelConfig, options: TrainingOptions) {
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

type Builder = ReturnType<typeof builder>;

/** Rows and columns of each matrix of a layer. */
function matrices({ model }: Builder) {
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
const kept = (layer: number, name: string) => `kept ${layer}.${name}`;

/** The residual stream and its norm behind the last layer are those in front of the next one. */
const inputNorm = ({ model }: Builder, layer: number): string =>
  layer < model.num_hidden_layers ? `layers.${layer}.input_layernorm` : "norm";

const lmHead = ({ model }: Builder): string => (model.tie_word_embeddings ? "embed_tokens.0" : "lm_head.0");

function layerForward(build: Builder, layer: number): void {
  const { model, M, call, linear, norms, attention, qkvBias } = build;
  const { batch, tokens, heads, kvHeads, headDim } = attention;
  const size = matrices(build);
  const weights = (name: string) => `layers.${layer}.${name}`;
  const at = (name: string) => kept(layer, name);
  build.begin("forward", layer);

  linear("qkv_proj", weights("qkv_proj"), size.qkv_proj, at("normed"), "qkv");
  call(
    "rope",
    { kernel: "rope", shape: { batch, queries: tokens, heads, kvHeads, headDim, capacity: tokens } },
    {
      qkv: "qkv",
      bias: qkvBias ? weights("qkv_bias") : "no_bias",
      angles: "angles",
      position: "position",
      q: at("q"),
      k: at("k"),
      v: at("v"),
    },
  );
  const window = Math.min(layerWindow(model, layer) ?? tokens, tokens);
  const shape = { batch, queries: tokens, keys: tokens, heads, kvHeads, headDim, window };
  call(
    "attention",
    { kernel: "attention", shape },
    { q: at("q"), k: at("k"), v: at("v"), o: at("attended") },
  );
  linear("o_proj", weights("o_proj"), size.o_proj, at("attended"), "delta");
  call(
    "post_attention_layernorm",
    { kernel: "add_rms_norm", shape: norms },
    {
      x: at("residual"),
      y: "delta",
      weight: weights("post_attention_layernorm"),
      sum: at("middle"),
      normed: at("normed middle"),
    },
  );
  linear("gate_up_proj", weights("gate_up_proj"), size.gate_up_proj, at("normed middle"), at("gated"));
  call(
    "activation",
    { kernel: "silu_mul", shape: { rows: M, columns: model.intermediate_size } },
    { gated: at("gated"), y: at("activated") },
  );
  linear("down_proj", weights("down_proj"), size.down_proj, at("activated"), "delta");
  call(
    "input_layernorm",
    { kernel: "add_rms_norm", shape: norms },
    {
      x: at("middle"),
      y: "delta",
      weight: inputNorm(build, layer + 1),
      sum: kept(layer + 1, "residual"),
      normed: kept(layer + 1, "normed"),
    },
  );
}

/** From tokens to the loss of each. */
function forwardPhase(build: Builder): void {
  const { model, M, call, linear, norms } = build;
  const { hidden_size: hidden, vocab_size: vocab, num_hidden_layers: layers } = model;
  build.begin("forward", null);
  call(
    "embed_tokens",
    { kernel: "embed", shape: { tokens: M, vocab, hidden, piece: 1 } },
    { ids: "prompt", table: "embed_tokens.0", out: kept(0, "residual") },
  );
  call(
    "input_layernorm",
    { kernel: "rms_norm", shape: norms },
    { x: kept(0, "residual"), weight: inputNorm(build, 0), normed: kept(0, "normed") },
  );
  for (let layer = 0; layer < layers; layer++) layerForward(build, layer);
  build.begin("forward", null);
  linear("lm_head", lmHead(build), matrices(build).vocabulary, kept(layers, "normed"), "logits");
  call(
    "loss",
    { kernel: "cross_entropy", shape: { rows: M, columns: vocab } },
    { logits: "logits", targets: "targets", stats: "losses" },
  );
  call("loss", { kernel: "column_sum", shape: { rows: M, columns: 2 } }, { x: "losses", sum: "loss" });
}

/** The gradient of what a norm has read, with what came back past the block where there is one, and of its weights. */
function normBack(
  build: Builder,
  label: string,
  weight: string,
  x: string,
  past: string | null,
  dx: string,
): void {
  const { call, norms, rows } = build;
  const operands = { x, weight, dy: "back normed", dx, shares: "back shares" };
  if (past === null) call(`${label} dX`, { kernel: "rms_norm_backward", shape: norms }, operands);
  else call(`${label} dX`, { kernel: "add_rms_norm_backward", shape: norms }, { ...operands, given: past });
  call(`${label} dW`, { kernel: "column_sum", shape: rows }, { x: "back shares", sum: gradientOf(weight) });
}

function layerBackward(build: Builder, layer: number): void {
  const { model, M, call, linearBack, attention, qkvBias } = build;
  const { tokens } = attention;
  const size = matrices(build);
  const weights = (name: string) => `layers.${layer}.${name}`;
  const at = (name: string) => kept(layer, name);
  build.begin("backward", layer);

  linearBack("down_proj", weights("down_proj"), size.down_proj, {
    x: at("activated"),
    dy: "back residual",
    dx: "back activated",
  });
  call(
    "activation dX",
    { kernel: "silu_mul_backward", shape: { rows: M, columns: model.intermediate_size } },
    { gated: at("gated"), dy: "back activated", d_gated: "back gated" },
  );
  linearBack("gate_up_proj", weights("gate_up_proj"), size.gate_up_proj, {
    x: at("normed middle"),
    dy: "back gated",
    dx: "back normed",
  });
  const middle = weights("post_attention_layernorm");
  normBack(build, "post_attention_layernorm", middle, at("middle"), "back residual", "back middle");

  linearBack("o_proj", weights("o_proj"), size.o_proj, {
    x: at("attended"),
    dy: "back middle",
    dx: "back attended",
  });
  const window = Math.min(layerWindow(model, layer) ?? tokens, tokens);
  const shape = { ...attention, window };
  const [q, k, v] = [at("q"), at("k"), at("v")];
  const seen = { q, k, v, d_o: "back attended", stats: "back stats" };
  call(
    "attention dX",
    { kernel: "attention_stats", shape },
    { q, k, o: at("attended"), d_o: "back attended", stats: "back stats" },
  );
  call("attention dX", { kernel: "attention_dq", shape }, { ...seen, dq: "back q" });
  call("attention dX", { kernel: "attention_dkv", shape }, { ...seen, dk: "back k", dv: "back v" });
  call(
    "rope dX",
    { kernel: "rope_backward", shape: attention },
    { dq: "back q", dk: "back k", dv: "back v", angles: "angles", d_qkv: "back qkv" },
  );
  if (qkvBias) {
    const columns = size.qkv_proj[0];
    const sum = gradientOf(weights("qkv_bias"));
    call("qkv_bias dW", { kernel: "column_sum", shape: { rows: M, columns } }, { x: "back qkv", sum });
  }
  linearBack("qkv_proj", weights("qkv_proj"), size.qkv_proj, {
    x: at("normed"),
    dy: "back qkv",
    dx: "back normed",
  });
  normBack(build, "input_layernorm", inputNorm(build, layer), at("residual"), "back middle", "back residual");
}

/** From the loss to the gradient of every weight. */
function backwardPhase(build: Builder): void {
  const { model, M, call, linearBack } = build;
  const { hidden_size: hidden, vocab_size: vocab, num_hidden_layers: layers } = model;
  const tied = model.tie_word_embeddings;
  build.begin("backward", null);
  call(
    "loss dX",
    { kernel: "cross_entropy_backward", shape: { rows: M, columns: vocab } },
    { logits: "logits", targets: "targets", stats: "losses", gradient: "back logits" },
  );
  linearBack("lm_head", lmHead(build), matrices(build).vocabulary, {
    x: kept(layers, "normed"),
    dy: "back logits",
    dx: "back normed",
    // The embedding adds its own part.
    ...(tied && { gradient: "back head" }),
  });
  normBack(build, "norm", "norm", kept(layers, "residual"), null, "back residual");
  for (let layer = layers - 1; layer >= 0; layer--) layerBackward(build, layer);

  build.begin("backward", null);
  const table = { ids: "prompt", given: "back residual", table: gradientOf("embed_tokens.0") };
  const shape = { tokens: M, vocab, hidden };
  if (tied)
    call("embed_tokens dW", { kernel: "add_embed_backward", shape }, { ...table, other: "back head" });
  else call("embed_tokens dW", { kernel: "embed_backward", shape }, table);
}

/** A step of AdamW for every weight, each where it is. */
function optimiserPhase(build: Builder): void {
  const { beta1, beta2, epsilon } = build.options.optimiser;
  build.begin("optimiser", null);
  for (const { name, role, rows, columns } of trainedTensors([...build.tensors.values()])) {
    const shape = {
      rows,
      columns,
      microBeta1: Math.round(beta1 * 1e6),
      microBeta2: Math.round(beta2 * 1e6),
      picoEpsilon: Math.round(epsilon * 1e12),
    };
    const [m, v] = [`mean ${name}`, `square ${name}`];
    build.call(
      "AdamW",
      { kernel: "adamw", shape },
      {
        gradient: gradientOf(name),
        schedule: role === "matrix" ? "schedule" : "schedule of vectors",
        weight: name,
        m,
        v,
        next_weight: name,
        next_m: m,
        next_v: v,
      },
    );
  }
}

/**
 * A step of training a model in f32 on `batch` sequences of `tokens` tokens: forwards, backwards, AdamW. Everything that
 * the way back needs is kept, but for attention's probabilities, which are made again. Tensors are, beside the weights,
 * which are named as in a forward pass,
 *
 *   prompt, targets          the tokens, sequence by sequence, and after each the next one
 *   position, angles         zero, and cosines and sines of every position
 *   kept i.*                 of layer i, for its way back
 *   logits, losses, loss     of every token; losses with what the softmax was divided by, and their sums
 *   back *                   gradients by what passes from call to call
 *   gradient w, mean w, square w   of the weights w: their gradient, and AdamW's moments
 *   schedule, schedule of vectors  what AdamW multiplies by in this step, with and without weight decay
 *
 * Throws where the model cannot be trained, or an option makes no sense.
 */
export function training(model: ModelConfig, options: TrainingOptions): TrainingPass {
  assertOptions(model, options);
  const build = builder(model, options);
  forwardPhase(build);
  backwardPhase(build);
  optimiserPhase(build);
  return { model, options, tensors: [...build.tensors.values()], dispatches: build.dispatches() };
}
