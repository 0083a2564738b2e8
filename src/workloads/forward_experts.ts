// A feed-forward layer that is a mixture of experts: which of them each token goes through is chosen on the GPU.

import { activationsOf } from "../kernels/elements";
import { wokenExperts } from "../kernels/experts";
import { MATVEC_MAX_M } from "../kernels/matvec";
import { type Builder, weightsAt } from "./forward_build";
import { expertPieces } from "./matrix_pieces";
import { mixtureOf } from "./model";

/** From the normed residual stream to what the experts of each token give together, in `delta`. */
export function mixtureOfExperts(build: Builder, layer: number): void {
  const { model, options, decoder, M: tokens, call, product } = build;
  const { dtype, fused, largestBinding } = options;
  const mixture = mixtureOf(model);
  if (mixture === undefined) throw new Error(`${model._name_or_path} has no experts`);
  const { experts, perToken: chosen, intermediate: inner } = mixture;
  const { hidden_size: hidden } = model;
  const at = (name: string) => weightsAt(build, layer, name);
  const bias = (name: string) => at(`experts.${name}_bias`);
  const rows = tokens * chosen;
  const woken = wokenExperts(experts, chosen, tokens);
  const ids = "chosen_experts";

  // A router's weights are few, and what they decide is not to depend on how the others are stored.
  const logits = { M: tokens, N: experts, K: hidden };
  product("router", layer, at("router"), logits, "normed", "router_logits", activationsOf[dtype]);
  call(
    "router",
    layer,
    { kernel: "route", shape: { tokens, experts, chosen } },
    {
      logits: "router_logits",
      bias: decoder.biases ? at("router_bias") : "no_bias",
      ids,
      weights: "expert_weights",
    },
  );

  /** A product with the matrices of each token's experts, piece by piece: each leaves other pieces' rows alone. */
  const products = (
    label: string,
    { N, K, perOutput, sharing }: { N: number; K: number; perOutput: 1 | 2; sharing: number },
    x: string,
    y: string,
  ) => {
    expertPieces(experts, perOutput * N * K, dtype, largestBinding).forEach((piece, number) => {
      const shape = { tokens, chosen, sharing, experts, ...piece, woken, N, K };
      const few = perOutput === 2 ? "expert_swiglu" : "expert_matvec";
      const kernel = tokens <= MATVEC_MAX_M ? few : "expert_matmul";
      call(label, layer, { kernel, shape }, { x, ids, w: at(`experts.${label}.${number}`), y });
    });
  };

  const gate = { K: hidden, sharing: chosen };
  if (fused.gateUp && tokens <= MATVEC_MAX_M && decoder.activation === "silu")
    products("gate_up_proj", { ...gate, N: inner, perOutput: 2 }, "normed", "activated");
  else {
    products("gate_up_proj", { ...gate, N: 2 * inner, perOutput: 1 }, "normed", "gated");
    if (decoder.activation === "clamped") {
      const milliLimit = Math.round(1000 * (model.swiglu_limit ?? 0));
      const shape = { tokens, chosen, experts, columns: inner, milliLimit };
      const operands = { gated: "gated", ids, bias: bias("gate_up"), y: "activated" };
      call("activation", layer, { kernel: "clamped_swiglu", shape }, operands);
    } else {
      const shape = { rows, columns: inner };
      call("activation", layer, { kernel: "silu_mul", shape }, { gated: "gated", y: "activated" });
    }
  }
  products("down_proj", { N: hidden, K: inner, perOutput: 1, sharing: 1 }, "activated", "expert_outputs");

  const sums = { y: "expert_outputs", weights: "expert_weights", out: "delta" };
  const shape = { tokens, chosen, columns: hidden };
  if (decoder.biases)
    call(
      "combine",
      layer,
      { kernel: "biased_combine", shape: { ...shape, experts } },
      { ...sums, ids, bias: bias("down") },
    );
  else call("combine", layer, { kernel: "combine", shape }, sums);
}
