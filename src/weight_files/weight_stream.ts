// Tensors of the forward pass out of a file, in pieces: what is in memory at once is a few megabytes, whatever the
// file's size.

import type { DType, Float } from "../kernels/elements";
import { BadWeights, quoted } from "./byte_source";
import { type Encoded, encodeRows, relaidRows, sameBlocks } from "./quantise";
import { decodeStored } from "./stored_numbers";
import { isStoredType, type StoredTensor, type StoredType, storedBytes } from "./stored_tensor";
import type { Part } from "./weight_map";

/** Numbers that are read and converted at once, or one row, or one head where rows of a head change places. */
const PIECE = 2 ** 20;

export interface EncodedRows extends Encoded {
  /** Of the first row in the tensor. */
  readonly row: number;
  /** Bytes of the file that these are. */
  readonly read: number;
}

function storedType({ type, name }: StoredTensor): StoredType {
  if (!isStoredType(type)) throw new BadWeights(`${quoted(name)} is stored as ${quoted(type)}`);
  return type;
}

/** Rows of a part from number `from` on, in the order of the pass. */
async function readRows(
  { tensor, firstRow, columns, interleaved }: Part,
  from: number,
  rows: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const rowBytes = storedBytes(storedType(tensor), columns);
  if (rowBytes === undefined)
    throw new BadWeights(`${quoted(tensor.name)}: rows of ${columns} are no whole blocks`);
  const bytes = await tensor.file.read(tensor.offset + (firstRow + from) * rowBytes, rows * rowBytes);
  if (interleaved === 0) return bytes;
  const ordered = new Uint8Array(bytes.length);
  const half = interleaved / 2;
  for (let row = 0; row < rows; row++) {
    const [head, at] = [Math.floor(row / interleaved), row % interleaved];
    const place = head * interleaved + 2 * (at % half) + Math.floor(at / half);
    ordered.set(bytes.subarray(place * rowBytes, (place + 1) * rowBytes), row * rowBytes);
  }
  return ordered;
}

/** f16 has no numbers beyond 65504: what was finite must stay so. */
function assertFinite({ tensor }: Part, numbers: Float32Array, element: Float): void {
  const limit = element === "f16" ? 65_519 : Number.MAX_VALUE;
  const beyond = numbers.find((value) => !(Math.abs(value) <= limit));
  if (beyond === undefined) return;
  const where = `${quoted(tensor.file.name)}: ${quoted(tensor.name)} has ${beyond}`;
  throw new BadWeights(Number.isFinite(beyond) ? `${where}, which f16 does not hold: take dtype=f32` : where);
}

/** The matrix that these parts are, row after row, as a type stores it. */
export async function* encodedMatrix(parts: readonly Part[], dtype: DType): AsyncGenerator<EncodedRows> {
  let row = 0;
  for (const part of parts) {
    const { tensor, rows, columns, interleaved } = part;
    const type = storedType(tensor);
    const unit = Math.max(1, interleaved);
    const step = unit * Math.max(1, Math.floor(PIECE / columns / unit));
    for (let from = 0; from < rows; from += step) {
      const count = Math.min(step, rows - from);
      const bytes = await readRows(part, from, count);
      if (sameBlocks(type, dtype))
        yield { row, read: bytes.length, ...relaidRows(bytes, count, columns, type) };
      else {
        const numbers = decodeStored(type, bytes, count * columns);
        assertFinite(part, numbers, dtype === "f16" ? "f16" : "f32");
        yield { row, read: bytes.length, ...encodeRows(numbers, columns, dtype) };
      }
      row += count;
    }
  }
}

/** Vectors as one: those that are rows of a tensor, or that follow each other in one row. */
export async function readVector(
  parts: readonly Part[],
  element: Float,
  oneRow: boolean,
): Promise<Uint8Array<ArrayBuffer>> {
  const all: Float32Array[] = [];
  for (const part of parts) {
    const numbers = decodeStored(
      storedType(part.tensor),
      await readRows(part, 0, part.rows),
      part.rows * part.columns,
    );
    for (let i = 0; part.added !== 0 && i < numbers.length; i++) numbers[i]! += part.added;
    assertFinite(part, numbers, element);
    all.push(numbers);
  }
  const joined = new Float32Array(all.reduce((sum, { length }) => sum + length, 0));
  all.reduce((at, numbers) => {
    joined.set(numbers, at);
    return at + numbers.length;
  }, 0);
  const columns = oneRow ? joined.length : (all[0]?.length ?? 1);
  return encodeRows(joined, columns, element).data;
}
