import { expertCall } from "./expert_call";
import { attentionLayers, linears, type ModelConfig } from "./model";
import type { Step, Workload } from "./workload";

/** llama-bench's name for reading a prompt. */
export const prefillId = (tokens: number, depth: number): string =>
  depth === 0 ? `pp${tokens}` : `pp${tokens} @ d${depth}`;

/**
 * Reading a prompt of `tokens` tokens when `depth` tokens are in the KV cache already: each matrix
 * product has one row per token, which is what makes prefill compute-bound. Only the last token
 * needs logits.
 */
export function prefill(id: string, model: ModelConfig, tokens: number, depth: number): Workload {
  const keys = depth + tokens;
  const [qkv, ...others] = linears(model).map((linear): Step => {
    const { label, N, K, count } = linear;
    const experts = expertCall(model, linear, tokens);
    if (experts !== undefined) return { label, count: model.num_hidden_layers, call: experts };
    if (label === "lm_head") return { label, count, call: { kernel: "matvec", shape: { M: 1, N, K } } };
    return { label, count, call: { kernel: "matmul", shape: { M: tokens, N, K } } };
  });
  const attention = attentionLayers(model).map(
    ({ window, count }): Step => ({
      label: window === undefined ? "attention" : "attention (local)",
      count,
      call: {
        kernel: "attention",
        shape: {
          batch: 1,
          queries: tokens,
          keys,
          heads: model.num_attention_heads,
          kvHeads: model.num_key_value_heads,
          headDim: model.head_dim,
          window: Math.min(window ?? keys, keys),
        },
      },
    }),
  );
  return {
    id: prefillId(tokens, depth),
    model: id,
    phase: "prefill",
    tokens,
    batch: 1,
    layers: model.num_hidden_layers,
    steps: [qkv!, ...attention, ...others],
  };
}
