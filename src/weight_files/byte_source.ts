// Files as what reads them sees them: bytes at an offset, never all of them at once. The files are anybody's, so each
// reader holds what they say against their size before it acts on it.

/** A file, or something like it. */
export interface ByteSource {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Exactly these bytes; what asks for more than there is is a bug. */
  read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
}

/** What is wrong with a user's files, in one line. */
export class BadWeights extends Error {}

/** Text from a file as it may stand in a message: short, and without control characters. */
export const quoted = (text: string): string => {
  const plain = text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "\ufffd");
  return plain.length > 60 ? `${plain.slice(0, 57)}...` : plain;
};

/** Throws what is wrong at a place of a file. */
export function refuse(file: ByteSource, offset: number, reason: string): never {
  throw new BadWeights(`${quoted(file.name)}: at byte ${offset}: ${reason}`);
}

/** A Blob or File as a source. */
export const blobSource = (name: string, blob: Blob): ByteSource => ({
  name,
  size: blob.size,
  async read(offset, length) {
    const bytes = await blob
      .slice(offset, offset + length)
      .arrayBuffer()
      .catch((error: unknown) => {
        throw new BadWeights(
          `${quoted(name)}: cannot be read: ${error instanceof Error ? error.message : error}`,
        );
      });
    if (bytes.byteLength !== length) throw new BadWeights(`${quoted(name)}: it has become shorter meanwhile`);
    return new Uint8Array(bytes);
  },
});

/** The JSON in a file of at most `limit` bytes. */
export async function readJsonFile(file: ByteSource, limit: number): Promise<unknown> {
  if (file.size > limit)
    throw new BadWeights(`${quoted(file.name)}: ${file.size} bytes, and no such file has more than ${limit}`);
  const text = new TextDecoder().decode(await file.read(0, file.size));
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new BadWeights(
      `${quoted(file.name)}: not JSON: ${quoted(error instanceof Error ? error.message : "")}`,
    );
  }
}
