// A file in memory that sees to it that nobody asks for more than it has.

import { expect } from "vitest";
import { BadWeights, type ByteSource } from "../../src/weight_files/byte_source";

/** The largest single read is in `most`. */
export function watched(bytes: Uint8Array, name = "file"): ByteSource & { readonly most: () => number } {
  let most = 0;
  return {
    name,
    size: bytes.length,
    most: () => most,
    async read(offset, length) {
      if (
        !(
          Number.isInteger(offset) &&
          Number.isInteger(length) &&
          offset >= 0 &&
          length >= 0 &&
          offset + length <= bytes.length
        )
      )
        throw new Error(`bytes ${offset} to ${offset + length} were asked of ${bytes.length}`);
      most = Math.max(most, length);
      return Uint8Array.from(bytes.subarray(offset, offset + length));
    },
  };
}

/** Reads hostile bytes: what comes of it is a refusal with its place, or tensors that lie in the file. */
export async function refusedOrInBounds(
  bytes: Uint8Array,
  read: (file: ByteSource) => Promise<readonly { offset: number; bytes: number }[]>,
): Promise<"refused" | "read"> {
  const file = watched(bytes);
  try {
    for (const { offset, bytes: size } of await read(file)) {
      expect(offset).toBeGreaterThanOrEqual(0);
      expect(size).toBeGreaterThanOrEqual(0);
      expect(offset + size).toBeLessThanOrEqual(bytes.length);
    }
    return "read";
  } catch (error) {
    if (!(error instanceof BadWeights)) throw error;
    expect(error.message).toMatch(/^file: at byte \d+: ./);
    expect(error.message).not.toMatch(/[\p{Cc}]/u);
    return "refused";
  } finally {
    expect(file.most()).toBeLessThanOrEqual(bytes.length);
  }
}

/** A copy with one byte changed. */
export const flipped = (bytes: Uint8Array, at: number, by: number): Uint8Array => {
  const changed = Uint8Array.from(bytes);
  changed[at] = (changed[at] ?? 0) ^ by;
  return changed;
};
