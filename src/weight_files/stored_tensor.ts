// A tensor as it lies in a file: its type, its shape, and where its bytes are.

import type { ByteSource } from "./byte_source";

/** How the numbers of a file are stored that can be read here: so many bytes for each block of so many numbers. */
export const storedTypes = {
  F32: { numbers: 1, bytes: 4 },
  F16: { numbers: 1, bytes: 2 },
  BF16: { numbers: 1, bytes: 2 },
  Q8_0: { numbers: 32, bytes: 34 },
  Q4_0: { numbers: 32, bytes: 18 },
  Q6_K: { numbers: 256, bytes: 210 },
} as const;
export type StoredType = keyof typeof storedTypes;

export const isStoredType = (type: string): type is StoredType => Object.hasOwn(storedTypes, type);

export interface StoredTensor {
  readonly name: string;
  /** A StoredType, or the name of one that cannot be read. */
  readonly type: string;
  /** Rows first: a matrix of N rows of K is [N, K]. */
  readonly shape: readonly number[];
  readonly file: ByteSource;
  /** Of the first byte in the file. */
  readonly offset: number;
  readonly bytes: number;
}

/** Bytes of so many numbers that follow each other; undefined where they are no whole blocks. */
export function storedBytes(type: StoredType, numbers: number): number | undefined {
  const block = storedTypes[type];
  return numbers % block.numbers === 0 ? (numbers / block.numbers) * block.bytes : undefined;
}

/** The product of a shape, or undefined where it is more than a number counts exactly. */
export function elementsOf(shape: readonly number[]): number | undefined {
  let product = 1;
  for (const size of shape) {
    product *= size;
    if (!Number.isSafeInteger(product)) return undefined;
  }
  return product;
}
