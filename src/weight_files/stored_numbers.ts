// Numbers as files store them, decoded to f32. The layouts are GGML's (ggml-quants.c): blocks of a row, each with its
// scale in f16.

import { f16Value } from "../kernels/f16";
import { type StoredType, storedTypes } from "./stored_tensor";

/** Every f16, by its bits: a table is faster than arithmetic, for there are billions of them. */
let halves: Float32Array | undefined;
const halfTable = (): Float32Array =>
  (halves ??= Float32Array.from({ length: 2 ** 16 }, (_, bits) => f16Value(bits)));

type Decode = (bytes: Uint8Array, view: DataView, out: Float32Array) => void;

const f32: Decode = (_bytes, view, out) => {
  for (let i = 0; i < out.length; i++) out[i] = view.getFloat32(4 * i, true);
};

const f16: Decode = (_bytes, view, out) => {
  const table = halfTable();
  for (let i = 0; i < out.length; i++) out[i] = table[view.getUint16(2 * i, true)]!;
};

/** The upper half of an f32. */
const bf16: Decode = (_bytes, view, out) => {
  const words = new Uint32Array(out.buffer, out.byteOffset, out.length);
  for (let i = 0; i < out.length; i++) words[i] = view.getUint16(2 * i, true) << 16;
};

/** A scale and 32 whole numbers. */
const q8_0: Decode = (_bytes, view, out) => {
  const table = halfTable();
  for (let at = 0, i = 0; i < out.length; at += storedTypes.Q8_0.bytes, i += 32) {
    const scale = table[view.getUint16(at, true)]!;
    for (let j = 0; j < 32; j++) out[i + j] = scale * view.getInt8(at + 2 + j);
  }
};

/** A scale and 16 bytes: the first 16 numbers in their lower halves, the others in their upper ones, less 8. */
const q4_0: Decode = (bytes, view, out) => {
  const table = halfTable();
  for (let at = 0, i = 0; i < out.length; at += storedTypes.Q4_0.bytes, i += 32) {
    const scale = table[view.getUint16(at, true)]!;
    for (let j = 0; j < 16; j++) {
      const pair = bytes[at + 2 + j]!;
      out[i + j] = scale * ((pair & 15) - 8);
      out[i + 16 + j] = scale * ((pair >>> 4) - 8);
    }
  }
};

/**
 * 256 numbers of six bits less 32: the lower four of each in 128 bytes, the upper two in 64, a scale in eight bits for
 * every 16 numbers, and one for all of them in f16 at the end.
 */
const q6_k: Decode = (bytes, view, out) => {
  const table = halfTable();
  for (let at = 0, i = 0; i < out.length; at += storedTypes.Q6_K.bytes, i += 256) {
    const scale = table[view.getUint16(at + 208, true)]!;
    for (let j = 0; j < 256; j++) {
      const [half, in128] = [j >>> 7, j & 127];
      const [quarter, in32] = [in128 >>> 5, j & 31];
      const low = (bytes[at + 64 * half + 32 * (quarter & 1) + in32]! >>> (4 * (quarter >>> 1))) & 15;
      const high = (bytes[at + 128 + 32 * half + in32]! >>> (2 * quarter)) & 3;
      out[i + j] = scale * view.getInt8(at + 192 + (j >>> 4)) * ((low | (high << 4)) - 32);
    }
  }
};

const decoders: Readonly<Record<StoredType, Decode>> = {
  F32: f32,
  F16: f16,
  BF16: bf16,
  Q8_0: q8_0,
  Q4_0: q4_0,
  Q6_K: q6_k,
};

/** So many numbers from the beginning of these bytes. */
export function decodeStored(
  type: StoredType,
  bytes: Uint8Array,
  numbers: number,
): Float32Array<ArrayBuffer> {
  const out = new Float32Array(numbers);
  decoders[type](bytes, new DataView(bytes.buffer, bytes.byteOffset, bytes.length), out);
  return out;
}
