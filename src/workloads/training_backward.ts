// The way back of a training step: from the loss through the layers to the gradient of every weight.

import { layerWindow } from "./decoder";
import { type Builder, gradientOf, inputNorm, kept, lmHead, matrices } from "./training_build";

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
export function backwardPhase(build: Builder): void {
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
