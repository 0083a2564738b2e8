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
