// By how much rotary position embeddings turn what, as a table: WGSL's own sine and cosine are good to 2^-11 only, and
// that near zero.

import type { ModelConfig } from "./model";

type Scaling = NonNullable<ModelConfig["rope_scaling"]>;

/** Between `from`, where it is 0, and `to`, where it is 1. */
const ramp = (value: number, from: number, to: number): number =>
  Math.min(1, Math.max(0, (value - from) / (to - from)));

/** How much of each frequency is kept as it is; of the rest a share of 1 / factor is. */
function keptShares(plain: readonly number[], theta: number, scaling: Scaling): number[] {
  const context = scaling.original_max_position_embeddings;
  if (scaling.rope_type === "llama3") {
    const { low_freq_factor: low, high_freq_factor: high } = scaling;
    // 0 where there are fewer turns than `low` in the original context, 1 where there are more than `high`.
    return plain.map((frequency) => ramp((context * frequency) / (2 * Math.PI), low, high));
  }
  const headDim = 2 * plain.length;
  /** The pair, counted in fractions, that makes so many turns in the original context. */
  const pairOf = (turns: number) =>
    (headDim * Math.log(context / (turns * 2 * Math.PI))) / (2 * Math.log(theta));
  const [first, last] = [pairOf(scaling.beta_fast), pairOf(scaling.beta_slow)];
  const low = Math.max(0, scaling.truncate ? Math.floor(first) : first);
  const high = Math.min(headDim - 1, scaling.truncate ? Math.ceil(last) : last);
  return plain.map((_, pair) => 1 - ramp(pair, low, high === low ? high + 0.001 : high));
}

/** Radians per position of each pair of a head, fastest first; stretched as transformers does it. */
export function inverseFrequencies(
  model: Pick<ModelConfig, "head_dim" | "rope_theta" | "rope_scaling">,
): number[] {
  const { head_dim: headDim, rope_theta: theta, rope_scaling: scaling } = model;
  if (theta === undefined) throw new Error("rope_theta is missing");
  const plain = Array.from({ length: headDim / 2 }, (_, i) => theta ** ((-2 * i) / headDim));
  if (scaling === undefined) return plain;
  const kept = keptShares(plain, theta, scaling);
  return plain.map((frequency, i) => {
    const share = kept[i] ?? 0;
    return share * frequency + (1 - share) * (frequency / scaling.factor);
  });
}

/** What turned queries and keys are multiplied by: YaRN makes scores larger the further it stretches. */
export const ropeLength = ({ rope_scaling: scaling }: Pick<ModelConfig, "rope_scaling">): number =>
  scaling?.rope_type === "yarn" ? 0.1 * Math.log(scaling.factor) + 1 : 1;

/** Of layers with a sliding window that are turned in their own way, and without any stretching. */
export const localFrequencies = ({ head_dim, rope_local_base_freq }: ModelConfig): number[] =>
  inverseFrequencies({
    head_dim,
    ...(rope_local_base_freq !== undefined && { rope_theta: rope_local_base_freq }),
  });

/** (positions, head_dim): for each position the cosines of its turns, and then their sines, times `length`. */
export function ropeAngles(
  frequencies: readonly number[],
  positions: number,
  length = 1,
): Float32Array<ArrayBuffer> {
  const half = frequencies.length;
  const table = new Float32Array(positions * 2 * half);
  for (let position = 0; position < positions; position++) {
    frequencies.forEach((frequency, i) => {
      table[position * 2 * half + i] = length * Math.cos(position * frequency);
      table[position * 2 * half + half + i] = length * Math.sin(position * frequency);
    });
  }
  return table;
}
