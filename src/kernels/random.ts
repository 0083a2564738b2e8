/** 32 random bits, the `index`th word of stream `seed` (PCG-RXS-M-XS, O'Neill 2014; the golden ratio keeps streams apart). */
export function randomBits(seed: number, index: number): number {
  const state = (Math.imul(index, 747796405) + Math.imul(seed, 2654435769)) | 0;
  const word = Math.imul((state >>> ((state >>> 28) + 4)) ^ state, 277803737);
  return (word >>> 22) ^ word;
}

/**
 * Seeded random numbers that f16 and f32 both hold exactly: multiples of 1/4096 in [-1/2, 1/2), the
 * `index`th of stream `seed`. fill.wgsl writes the same numbers on the GPU, so that any piece of a
 * gigabyte of weights can be checked without reading it back.
 */
export const randomAt = (seed: number, index: number): number =>
  (randomBits(seed, index) >>> 20) / 4096 - 0.5;

/** The inverse of the golden ratio's 2654435769 modulo 2^32. */
const INVERSE = 340573321;

/** The stream whose first number is the one at `by` of stream `seed`. */
export const streamFrom = (seed: number, by: number): number =>
  (seed + Math.imul(Math.imul(by, 747796405), INVERSE)) >>> 0;
