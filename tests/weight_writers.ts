// Writers of safetensors and GGUF for tests: small, and knowing nothing of the readers.

export interface WrittenTensor {
  readonly name: string;
  readonly dtype: string;
  /** Rows first. */
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

const joined = (parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> => {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  parts.reduce((at, part) => {
    all.set(part, at);
    return at + part.length;
  }, 0);
  return all;
};

const view = (bytes: number, write: (view: DataView) => void): Uint8Array => {
  const out = new Uint8Array(bytes);
  write(new DataView(out.buffer));
  return out;
};

/** A file with these words as its header and these bytes behind it. */
export const withHeader = (header: string, data: Uint8Array = new Uint8Array(0)): Uint8Array<ArrayBuffer> => {
  const text = new TextEncoder().encode(header);
  return joined([view(8, (each) => each.setBigUint64(0, BigInt(text.length), true)), text, data]);
};

export function safetensorsFile(tensors: readonly WrittenTensor[]): Uint8Array<ArrayBuffer> {
  let end = 0;
  const header = Object.fromEntries(
    tensors.map(({ name, dtype, shape, bytes }) => {
      end += bytes.length;
      return [name, { dtype, shape, data_offsets: [end - bytes.length, end] }];
    }),
  );
  const text = JSON.stringify({ __metadata__: { format: "pt" }, ...header });
  return withHeader(text.padEnd(Math.ceil(text.length / 8) * 8), joined(tensors.map(({ bytes }) => bytes)));
}

/** The upper halves of f32, rounded to even. */
export function bf16(numbers: ArrayLike<number>): Uint8Array {
  const out = new Uint8Array(2 * numbers.length);
  const target = new DataView(out.buffer);
  const word = new DataView(new ArrayBuffer(4));
  for (let i = 0; i < numbers.length; i++) {
    word.setFloat32(0, numbers[i]!);
    const bits = word.getUint32(0);
    target.setUint16(2 * i, (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16, true);
  }
  return out;
}

export type WrittenValue =
  | { readonly u32: number }
  | { readonly f32: number }
  | { readonly bool: boolean }
  | { readonly text: string }
  | { readonly texts: readonly string[] }
  | { readonly i32s: readonly number[] }
  | { readonly f32s: readonly number[] };

const u32 = (value: number) => view(4, (each) => each.setUint32(0, value, true));
const f32 = (value: number) => view(4, (each) => each.setFloat32(0, value, true));
const u64 = (value: number) => view(8, (each) => each.setBigUint64(0, BigInt(value), true));
const text = (value: string) => {
  const bytes = new TextEncoder().encode(value);
  return joined([u64(bytes.length), bytes]);
};

function ggufValue(value: WrittenValue): Uint8Array {
  if ("u32" in value) return joined([u32(4), u32(value.u32)]);
  if ("f32" in value) return joined([u32(6), f32(value.f32)]);
  if ("bool" in value) return joined([u32(7), Uint8Array.of(Number(value.bool))]);
  if ("text" in value) return joined([u32(8), text(value.text)]);
  const list = (type: number, parts: readonly Uint8Array[]) =>
    joined([u32(9), u32(type), u64(parts.length), ...parts]);
  if ("texts" in value) return list(8, value.texts.map(text));
  return "i32s" in value ? list(5, value.i32s.map(u32)) : list(6, value.f32s.map(f32));
}

const GGML_TYPES: Readonly<Record<string, number>> = { F32: 0, F16: 1, Q4_0: 2, Q8_0: 8, Q6_K: 14, BF16: 30 };

/** A GGUF file; `dtype` of a tensor is GGML's name, or a number for what there is not. */
export function ggufFile(
  metadata: Readonly<Record<string, WrittenValue>>,
  tensors: readonly WrittenTensor[],
  { version = 3, alignment = 32 } = {},
): Uint8Array<ArrayBuffer> {
  const padded = (length: number) => Math.ceil(length / alignment) * alignment;
  let end = 0;
  const infos = tensors.map(({ name, dtype, shape, bytes }) => {
    const offset = end;
    end += padded(bytes.length);
    const type = GGML_TYPES[dtype] ?? Number(dtype);
    return joined([text(name), u32(shape.length), ...[...shape].reverse().map(u64), u32(type), u64(offset)]);
  });
  const pairs = Object.entries(metadata).map(([key, value]) => joined([text(key), ggufValue(value)]));
  const header = joined([
    new TextEncoder().encode("GGUF"),
    u32(version),
    u64(tensors.length),
    u64(pairs.length),
    ...pairs,
    ...infos,
  ]);
  return joined([
    header,
    new Uint8Array(padded(header.length) - header.length),
    ...tensors.map(({ bytes }) => joined([bytes, new Uint8Array(padded(bytes.length) - bytes.length)])),
  ]);
}

/** The bits of the nearest f16 by trying both neighbours; subnormal numbers too. */
export function halfBits(given: number): number {
  const sign = given < 0 || Object.is(given, -0) ? 0x8000 : 0;
  const size = Math.abs(given);
  if (size >= 65520) return sign | 0x7c00;
  const exponent = Math.max(-14, Math.floor(Math.log2(size)));
  const step = 2 ** (exponent - 10);
  const down = Math.floor(size / step);
  const rest = size / step - down;
  const steps = down + Number(rest > 0.5 || (rest === 0.5 && down % 2 === 1));
  // A carry goes into the exponent.
  return size === 0 ? sign : sign + ((exponent + 14) << 10) + steps;
}

const halfValue = (bits: number): number => {
  const exponent = (bits >>> 10) & 31;
  const fraction = bits & 1023;
  const size = exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15);
  return bits & 0x8000 ? -size : size;
};

/** Numbers as GGML stores them, and what they have become by that. */
export interface Stored {
  readonly bytes: Uint8Array;
  readonly numbers: Float64Array;
}

/** Blocks of 32: what the largest of them is to be, and the bytes of one. */
function storedBlocks(
  given: ArrayLike<number>,
  size: number,
  block: (values: readonly number[], bytes: DataView) => (i: number) => number,
): Stored {
  const blocks = given.length / 32;
  const bytes = new Uint8Array(blocks * size);
  const numbers = new Float64Array(given.length);
  for (let at = 0; at < blocks; at++) {
    const values = Array.from({ length: 32 }, (_, i) => given[32 * at + i]!);
    const valueAt = block(values, new DataView(bytes.buffer, at * size, size));
    for (let i = 0; i < 32; i++) numbers[32 * at + i] = valueAt(i) + 0;
  }
  return { bytes, numbers };
}

/** GGML's reference quantisers, written down from their definition; `type` is one of the types above. */
export function stored(type: string, given: ArrayLike<number>): Stored {
  const numbers = Float64Array.from(given);
  if (type === "F32") {
    const rounded = Float32Array.from(numbers);
    return { bytes: new Uint8Array(rounded.buffer), numbers: Float64Array.from(rounded) };
  }
  if (type === "F16") {
    const bits = Uint16Array.from(numbers, halfBits);
    return { bytes: new Uint8Array(bits.buffer), numbers: Float64Array.from(bits, halfValue) };
  }
  if (type === "BF16") {
    const bytes = bf16(numbers);
    const bits = new Uint16Array(bytes.buffer);
    const words = new Float32Array(Uint32Array.from(bits, (half) => half << 16).buffer);
    return { bytes, numbers: Float64Array.from(words) };
  }
  if (type === "Q8_0")
    return storedBlocks(numbers, 34, (values, bytes) => {
      const scale = Math.max(...values.map(Math.abs)) / 127;
      bytes.setUint16(0, halfBits(scale), true);
      const quants = values.map((each) =>
        scale === 0 ? 0 : Math.sign(each) * Math.round(Math.abs(each / scale)),
      );
      quants.forEach((each, i) => {
        bytes.setInt8(2 + i, each);
      });
      return (i) => halfValue(halfBits(scale)) * quants[i]!;
    });
  return storedBlocks(numbers, 18, (values, bytes) => {
    const furthest = values.reduce((most, each) => (Math.abs(each) > Math.abs(most) ? each : most), 0);
    const scale = furthest / -8;
    bytes.setUint16(0, halfBits(scale), true);
    const quants = values.map((each) => (scale === 0 ? 8 : Math.min(15, Math.trunc(each / scale + 8.5))));
    for (let i = 0; i < 16; i++) bytes.setUint8(2 + i, quants[i]! | (quants[16 + i]! << 4));
    return (i) => halfValue(halfBits(scale)) * (quants[i]! - 8);
  });
}
