// How numbers are stored: element types, their size and rounding, and where they lie in memory.

import { f16Value } from "./f16";
import { randomAt, randomBits } from "./random";

/** What a plan asks for: how weights are stored, and with them activations and the KV cache. */
export const dtypes = ["f32", "f16", "q8_0", "q4_0"] as const;
export type DType = (typeof dtypes)[number];

export type Float = "f32" | "f16";

/**
 * How one number is stored. What is quantised comes with a scale per block of 32, which is an operand of its own: weights
 * are i8 or i4, a KV cache i8x4, which differ in where their numbers lie. u32 is for what is counted or numbered, such
 * as tokens.
 */
export type Element = Float | "i8" | "i4" | "i8x4" | "u32";

export const bitsOf: Readonly<Record<Element, number>> = { f32: 32, f16: 16, i8: 8, i4: 4, i8x4: 8, u32: 32 };

/** Whether numbers are rounded to, and so have a roundoff; the others are written as they are. */
export const isFloat = (element: Element): element is Float => element === "f32" || element === "f16";

/** Unit roundoff: the largest relative error of one rounding to the type. */
export const roundoff: Readonly<Record<Float, number>> = { f32: 2 ** -24, f16: 2 ** -11 };

/** Weights in a block that share a scale, as in GGML's q8_0 and q4_0. */
export const BLOCK = 32;

/** Bytes of a weight, its share of the block's f16 scale included. */
export const weightBytes: Readonly<Record<DType, number>> = {
  f32: 4,
  f16: 2,
  q8_0: 1 + 2 / BLOCK,
  q4_0: 1 / 2 + 2 / BLOCK,
};

/** What activations are computed in and stored as. */
export const activationsOf: Readonly<Record<DType, Float>> = {
  f32: "f32",
  f16: "f16",
  q8_0: "f32",
  q4_0: "f32",
};

/** What a KV cache can be stored as. */
export const cacheTypes = ["f32", "f16", "q8_0"] as const;
export type CacheType = (typeof cacheTypes)[number];

/** What the KV cache is stored as where nothing else is asked for. */
export const cacheOf: Readonly<Record<DType, Float>> = { f32: "f32", f16: "f16", q8_0: "f16", q4_0: "f16" };

/** Bits of a number in a KV cache, its share of its block's f16 scale included. */
export const cacheBits: Readonly<Record<CacheType, number>> = { f32: 32, f16: 16, q8_0: 8 + 16 / BLOCK };

/** What quantised weights are stored as; undefined for weights that are not. */
export const quantsOf: Readonly<Record<DType, "i8" | "i4" | undefined>> = {
  f32: undefined,
  f16: undefined,
  q8_0: "i8",
  q4_0: "i4",
};

/**
 * Where a whole number lies: its word and the lowest bit of it. Of weights four neighbours lie in the four words of a
 * vec4u, in the same bits, so that a shader unpacks four of them with one shift: i8 in blocks of 16, i4 in blocks of 32.
 * In a KV cache they lie in one word: threads that share a head take four numbers each, and load no others.
 */
function placeOf(element: "i8" | "i4" | "i8x4", index: number): { word: number; bit: number } {
  if (element === "i8x4") return { word: index >> 2, bit: 8 * (index & 3) };
  const perWord = 32 / bitsOf[element];
  const block = Math.floor(index / (4 * perWord));
  return { word: 4 * block + (index & 3), bit: ((index >> 2) & (perWord - 1)) * bitsOf[element] };
}

/** Element `index` of memory that is filled with stream `seed`; whole numbers are random bits, two's complement. */
export function storedAt(element: Element, seed: number, index: number): number {
  if (isFloat(element)) return randomAt(seed, index);
  if (element === "u32") return randomBits(seed, index) >>> 0;
  const { word, bit } = placeOf(element, index);
  return signed(randomBits(seed, word), bit, bitsOf[element]);
}

const signed = (word: number, bit: number, bits: number): number =>
  (word << (32 - bits - bit)) >> (32 - bits);

/** Element `index` of raw bytes. */
export function decoder(element: Element, bytes: ArrayBuffer): (index: number) => number {
  if (element === "f32") {
    const numbers = new Float32Array(bytes);
    return (index) => numbers[index] ?? Number.NaN;
  }
  if (element === "f16") {
    const halves = new Uint16Array(bytes);
    return (index) => f16Value(halves[index] ?? 0x7e00);
  }
  const words = new Uint32Array(bytes);
  if (element === "u32") return (index) => words[index] ?? Number.NaN;
  return (index) => {
    const { word, bit } = placeOf(element, index);
    return signed(words[word] ?? 0, bit, bitsOf[element]);
  };
}
