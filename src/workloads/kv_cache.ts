import { bitsOf, cacheOf, type DType } from "../kernels/elements";
import { attentionLayers, type ModelConfig } from "./model";

/**
 * Bytes that the keys and values of one sequence of `tokens` tokens take: 2 · kvHeads · headDim numbers per token and
 * layer. A local layer keeps only its window.
 */
export function kvCacheBytes(model: ModelConfig, tokens: number, dtype: DType): number {
  const perToken = (2 * model.num_key_value_heads * model.head_dim * bitsOf[cacheOf[dtype]]) / 8;
  return attentionLayers(model).reduce(
    (sum, { window, count }) => sum + count * perToken * Math.min(window ?? tokens, tokens),
    0,
  );
}
