// A KV cache in q8_0: one matrix of whole numbers, a row for each key and after all of these one for each value, and one
// of their scales, an f16 for each block of 32 of a row. Keys and values share both because a shader may bind eight
// buffers on every device, which a rotation with a norm then needs.
//
// A scale is the largest number of its block, which 127 stands for: 127 times what GGML stores. So it keeps its digits
// where that is below the smallest normal f16.

import { BLOCK } from "./elements";
import { type Matrix, type Operand, strideOf } from "./kernel";

/** What a block's largest number becomes. */
export const LARGEST_QUANT = 127;

/** How a kernel's KV cache is stored: as its type says (cacheOf), or in q8_0 whatever the type. */
export type CacheFormat = "floats" | "q8_0";

/** What both matrices take, for so many keys of all sequences and heads together. */
export const quantisedCache = (
  keys: number,
  headDim: number,
  role: Operand["role"],
): readonly [kv: Operand, scales: Operand] => [
  { name: "kv", rows: 2 * keys, columns: headDim, role, element: "i8x4" },
  { name: "scales", rows: 2 * keys, columns: headDim / BLOCK, role, element: "f16" },
];

/** u32s from the scales of one row to those of the next. */
export const scaleWords = (headDim: number): number => strideOf(headDim / BLOCK) / 2;

/** Keys, or from row `first` on values, as the numbers that they stand for. */
export const numbersOf =
  (kv: Matrix, scales: Matrix, first: number): Matrix =>
  (row, column) =>
    (kv(first + row, column) * scales(first + row, Math.floor(column / BLOCK))) / LARGEST_QUANT;

/** Why heads of this size have no place in such a cache, or undefined. */
export const wholeHeads = (name: string, headDim: number): string | undefined =>
  headDim % BLOCK === 0 ? undefined : `${name}'s headDim is a multiple of ${BLOCK}, the block of its cache`;
