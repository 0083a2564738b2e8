// Weights in the type that a run stores them in: rounded, or in blocks of 32 whole numbers with a scale, as GGML makes
// them, laid out as kernels read them (elements.ts).

import { BLOCK, bitsOf, type DType, placeOf } from "../kernels/elements";
import { f16Rounded } from "../kernels/f16";
import { strideOf } from "../kernels/kernel";
import { type StoredType, storedTypes } from "./stored_tensor";

/** Rows of a matrix as a buffer holds them, and the scales that go with them. */
export interface Encoded {
  readonly data: Uint8Array<ArrayBuffer>;
  readonly scales: Uint8Array<ArrayBuffer> | undefined;
}

/** Byte and shift of each number of a block of 32. */
const placesOf = (element: "i8" | "i4") =>
  Array.from({ length: BLOCK }, (_, i) => {
    const { word, bit } = placeOf(element, i);
    return { byte: 4 * word + (bit >>> 3), shift: bit & 7 };
  });
const places = { i8: placesOf("i8"), i4: placesOf("i4") };

/** Rows of `columns` numbers as blocks: `block` gives each one's numbers in `quants`, and the bits of its scale. */
function blocks(
  element: "i8" | "i4",
  rows: number,
  columns: number,
  block: (number: number, quants: Int8Array) => number,
): Encoded {
  const perRow = columns / BLOCK;
  const stride = strideOf(perRow);
  const bytes = (BLOCK * bitsOf[element]) / 8;
  const data = new Uint8Array(rows * perRow * bytes);
  const scales = new Uint16Array(rows * stride);
  const mask = 2 ** bitsOf[element] - 1;
  const quants = new Int8Array(BLOCK);
  const where = places[element];
  for (let row = 0; row < rows; row++) {
    for (let at = 0; at < perRow; at++) {
      const number = row * perRow + at;
      scales[row * stride + at] = block(number, quants);
      for (let i = 0; i < BLOCK; i++) {
        const { byte, shift } = where[i]!;
        data[number * bytes + byte]! |= (quants[i]! & mask) << shift;
      }
    }
  }
  return { data, scales: new Uint8Array(scales.buffer) };
}

/** The largest of a block is 127 times the scale. */
function q8Block(numbers: Float32Array, first: number, quants: Int8Array): number {
  let most = 0;
  for (let i = first; i < first + BLOCK; i++) most = Math.max(most, Math.abs(numbers[i]!));
  const scale = most / 127;
  // Halves go away from zero, as roundf() has it.
  for (let i = 0; i < BLOCK; i++) {
    const value = scale === 0 ? 0 : numbers[first + i]! / scale;
    quants[i] = Math.sign(value) * Math.floor(Math.abs(value) + 0.5);
  }
  return f16Rounded(scale);
}

/** The number furthest from zero is -8 times the scale. */
function q4Block(numbers: Float32Array, first: number, quants: Int8Array): number {
  let furthest = 0;
  for (let i = first; i < first + BLOCK; i++)
    if (Math.abs(numbers[i]!) > Math.abs(furthest)) furthest = numbers[i]!;
  const scale = furthest / -8;
  for (let i = 0; i < BLOCK; i++)
    quants[i] = scale === 0 ? 0 : Math.min(15, Math.floor(numbers[first + i]! / scale + 8.5)) - 8;
  return f16Rounded(scale);
}

/** Rows of numbers in a type. Numbers beyond f16's range become infinite there. */
export function encodeRows(numbers: Float32Array<ArrayBuffer>, columns: number, dtype: DType): Encoded {
  const rows = numbers.length / columns;
  if (dtype === "q8_0" || dtype === "q4_0") {
    const [element, block] = dtype === "q8_0" ? (["i8", q8Block] as const) : (["i4", q4Block] as const);
    return blocks(element, rows, columns, (number, quants) => block(numbers, number * BLOCK, quants));
  }
  return { data: new Uint8Array(floats(numbers, columns, dtype).buffer), scales: undefined };
}

/** Rows of numbers as floats, each as long as a stride. */
function floats(
  numbers: Float32Array<ArrayBuffer>,
  columns: number,
  element: "f32" | "f16",
): Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer> {
  const stride = strideOf(columns);
  if (element === "f32" && stride === columns) return numbers;
  const rows = numbers.length / columns;
  const out = element === "f32" ? new Float32Array(rows * stride) : new Uint16Array(rows * stride);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const value = numbers[row * columns + column]!;
      out[row * stride + column] = element === "f32" ? value : f16Rounded(value);
    }
  }
  return out;
}

/** Whether a file's blocks are those of the type, so that they only have to be laid out anew. */
export const sameBlocks = (type: StoredType, dtype: DType): type is "Q8_0" | "Q4_0" =>
  (type === "Q8_0" && dtype === "q8_0") || (type === "Q4_0" && dtype === "q4_0");

/** A file's own blocks, every number and every scale as it is. */
export function relaidRows(bytes: Uint8Array, rows: number, columns: number, type: "Q8_0" | "Q4_0"): Encoded {
  const size = storedTypes[type].bytes;
  const scaleAt = (at: number) => bytes[at]! | (bytes[at + 1]! << 8);
  if (type === "Q8_0")
    return blocks("i8", rows, columns, (number, quants) => {
      const at = number * size;
      for (let i = 0; i < BLOCK; i++) quants[i] = bytes[at + 2 + i]!;
      return scaleAt(at);
    });
  return blocks("i4", rows, columns, (number, quants) => {
    const at = number * size;
    for (let i = 0; i < BLOCK / 2; i++) {
      const pair = bytes[at + 2 + i]!;
      quants[i] = (pair & 15) - 8;
      quants[i + BLOCK / 2] = (pair >>> 4) - 8;
    }
    return scaleAt(at);
  });
}
