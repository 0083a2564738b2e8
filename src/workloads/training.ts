// A step of training a model: which kernels are called on which tensors. Pure: the engine runs it.

import { layerWindow } from "./decoder";
import type { ModelConfig } from "./model";
import { backwardPhase } from "./training_backward";
import {
  type Builder,
  builder,
  gradientOf,
  inputNorm,
  kept,
  lmHead,
  matrices,
  trainedTensors,
} from "./training_build";
import { type TrainingOptions, type TrainingPass, whyNoTraining } from "./training_pass";

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
