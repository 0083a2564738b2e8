import { type CacheType, cacheBits, cacheOf, type DType } from "../kernels/elements";
import { attentionLayers, type ModelConfig } from "./model";

/**
 * Bytes that the keys and values of one sequence of `tokens` tokens take: 2 · kvHeads · headDim numbers per token and
 * layer. A local layer keeps only its window. The cache is as weights in `dtype` have it, where nothing else is said.
 */
export function kvCacheBytes(
  model: ModelConfig,
  tokens: number,
  dtype: DType,
  cache: CacheType = cacheOf[dtype],
): number {
  const perToken = (2 * model.num_key_value_heads * model.head_dim * cacheBits[cache]) / 8;
  return attentionLayers(model).reduce(
    (sum, { window, count }) => sum + count * perToken * Math.min(window ?? tokens, tokens),
    0,
  );
}
