// Reads a GGUF header value by value, through a window: nothing is asked of the file that it does not have.

import { type ByteSource, refuse } from "./byte_source";

/** Bytes that are read at once. */
const WINDOW = 2 ** 20;

/** Bytes of a text, at most: a length that was corrupted would ask for more memory than there is. */
const MOST_TEXT = 2 ** 24;

export interface GgufReader {
  readonly file: ByteSource;
  /** Of the next value in the file. */
  readonly offset: number;
  readonly remaining: number;
  u32(what: string): Promise<number>;
  /** A length, a count or an offset: refused where no number holds it exactly. */
  u64(what: string): Promise<number>;
  text(what: string): Promise<string>;
  /** Bytes as they are. */
  bytes(length: number, what: string): Promise<DataView>;
}

/** Reads on from the beginning of a file. Throws BadWeights, with the offset, where it ends too early. */
export function ggufReader(file: ByteSource): GgufReader {
  let held = new Uint8Array(0);
  let begin = 0;
  let offset = 0;

  const take = async (length: number, what: string, most = Number.POSITIVE_INFINITY): Promise<DataView> => {
    const remaining = file.size - offset;
    if (length > remaining) refuse(file, offset, `${what} takes ${length} bytes, and ${remaining} are left`);
    if (length > most) refuse(file, offset, `${what} takes ${length} bytes, and ${most} are the most`);
    if (offset < begin || offset + length > begin + held.length) {
      held = await file.read(offset, Math.min(Math.max(length, WINDOW), remaining));
      begin = offset;
    }
    const view = new DataView(held.buffer, held.byteOffset + offset - begin, length);
    offset += length;
    return view;
  };
  const u64 = async (what: string): Promise<number> => {
    const value = (await take(8, what)).getBigUint64(0, true);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) refuse(file, offset - 8, `${what} is ${value}`);
    return Number(value);
  };
  return {
    file,
    get offset() {
      return offset;
    },
    get remaining() {
      return file.size - offset;
    },
    u32: async (what) => (await take(4, what)).getUint32(0, true),
    u64,
    text: async (what) =>
      new TextDecoder().decode(await take(await u64(`the length of ${what}`), what, MOST_TEXT)),
    bytes: (length, what) => take(length, what),
  };
}
