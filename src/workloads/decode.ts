import { MATVEC_MAX_M } from "../kernels/matvec";
import { expertCall } from "./expert_call";
import { attentionLayers, linears, type ModelConfig } from "./model";
import type { Step, Workload } from "./workload";

/** llama-bench's name for writing: "tg128 @ d4096 b8". */
export function decodeId(tokens: number, depth: number, batch: number): string {
  const at = [depth > 0 && `d${depth}`, batch > 1 && `b${batch}`].filter(Boolean).join(" ");
  return at === "" ? `tg${tokens}` : `tg${tokens} @ ${at}`;
}

/**
 * Writing `tokens` tokens in each of `batch` sequences that hold `depth` tokens already. Every token
 * reads all weights once, for all sequences together (of experts those that some sequence goes through), and each sequence's own KV cache, which is what
 * makes decode memory-bound. The cache grows by one key per token; attention is linear in its keys, so
 * one call at the mean number of keys stands for all of them.
 */
export function decode(
  id: string,
  model: ModelConfig,
  tokens: number,
  depth: number,
  batch: number,
): Workload {
  const keys = depth + Math.ceil((tokens + 1) / 2);
  const [qkv, ...others] = linears(model).map((linear): Step => {
    const { label, N, K, count } = linear;
    const experts = expertCall(model, linear, batch);
    if (experts !== undefined) return { label, count: model.num_hidden_layers * tokens, call: experts };
    return {
      label,
      count: count * tokens,
      call: { kernel: batch <= MATVEC_MAX_M ? "matvec" : "matmul", shape: { M: batch, N, K } },
    };
  });
  const attention = attentionLayers(model).map(({ window, count }): Step => {
    // A local layer keeps only its window.
    const kept = Math.min(window ?? keys, keys);
    return {
      label: window === undefined ? "attention" : "attention (local)",
      count: count * tokens,
      call: {
        kernel: "attention",
        shape: {
          batch,
          queries: 1,
          keys: kept,
          heads: model.num_attention_heads,
          kvHeads: model.num_key_value_heads,
          headDim: model.head_dim,
          window: kept,
        },
      },
    };
  });
  return {
    id: decodeId(tokens, depth, batch),
    model: id,
    phase: "decode",
    tokens: tokens * batch,
    batch,
    layers: model.num_hidden_layers,
    steps: [qkv!, ...attention, ...others],
  };
}
