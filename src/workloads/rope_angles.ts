// By how much rotary position embeddings turn what, as a table: WGSL's own sine and cosine are good to 2^-11 only, and
// that near zero.

import type { ModelConfig } from "./model";

/** Radians per position of each pair of a head, fastest first; Llama 3.1's stretching as transformers computes it. */
export function inverseFrequencies(
  model: Pick<ModelConfig, "head_dim" | "rope_theta" | "rope_scaling">,
): number[] {
  const { head_dim: headDim, rope_theta: theta, rope_scaling: scaling } = model;
  if (theta === undefined) throw new Error("rope_theta is missing");
  const plain = Array.from({ length: headDim / 2 }, (_, i) => theta ** ((-2 * i) / headDim));
  if (scaling === undefined) return plain;
  const { factor, low_freq_factor: low, high_freq_factor: high } = scaling;
  return plain.map((frequency) => {
    const turns = (scaling.original_max_position_embeddings * frequency) / (2 * Math.PI);
    // 0 where there are fewer turns than `low` in the original context, 1 where there are more than `high`.
    const kept = Math.min(1, Math.max(0, (turns - low) / (high - low)));
    return kept * frequency + (1 - kept) * (frequency / factor);
  });
}

/** Of layers with a sliding window that are turned in their own way, and without any stretching. */
export const localFrequencies = ({ head_dim, rope_local_base_freq }: ModelConfig): number[] =>
  inverseFrequencies({
    head_dim,
    ...(rope_local_base_freq !== undefined && { rope_theta: rope_local_base_freq }),
  });

/** (positions, head_dim): for each position the cosines of its turns, and then their sines. */
export function ropeAngles(frequencies: readonly number[], positions: number): Float32Array<ArrayBuffer> {
  const half = frequencies.length;
  const table = new Float32Array(positions * 2 * half);
  for (let position = 0; position < positions; position++) {
    frequencies.forEach((frequency, i) => {
      table[position * 2 * half + i] = Math.cos(position * frequency);
      table[position * 2 * half + half + i] = Math.sin(position * frequency);
    });
  }
  return table;
}
