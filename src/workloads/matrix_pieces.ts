// Matrices that no binding holds, in pieces that one does: a vocabulary and a layer's matrix by rows, experts' by expert.

import { type DType, weightBytes } from "../kernels/elements";
import type { ModelConfig } from "./model";

/** Bytes of a piece at most, also where bindings hold more: some drivers promise more and then do not give it. */
export const LARGEST_PIECE = 2 ** 29;

/** Rows of a piece are a multiple of this, so that what each piece gives begins at a legal offset. */
const PIECE_ROWS = 128;

/** A matrix in so many pieces of so many rows each; the last one may have rows to spare. */
export interface RowPieces {
  readonly pieces: number;
  readonly rows: number;
}

/** A vocabulary in pieces. */
export function vocabularyPieces(
  { vocab_size, hidden_size }: ModelConfig,
  dtype: DType,
  largestBinding: number,
): RowPieces {
  const pieces = Math.ceil((vocab_size * hidden_size * weightBytes[dtype]) / largestBinding);
  if (pieces <= 1) return { pieces: 1, rows: vocab_size };
  const rows = Math.ceil(vocab_size / pieces / PIECE_ROWS) * PIECE_ROWS;
  return { pieces: Math.ceil(vocab_size / rows), rows };
}

/** A layer's matrix of (N, K) in pieces, none larger than a binding unless PIECE_ROWS are. */
export function rowPieces(
  { N, K }: { readonly N: number; readonly K: number },
  dtype: DType,
  largestBinding: number,
): RowPieces {
  const perRow = K * weightBytes[dtype];
  if (N * perRow <= largestBinding) return { pieces: 1, rows: N };
  const most = Math.max(1, Math.floor(largestBinding / perRow / PIECE_ROWS)) * PIECE_ROWS;
  const rows = Math.ceil(N / Math.ceil(N / most) / PIECE_ROWS) * PIECE_ROWS;
  return N <= rows ? { pieces: 1, rows: N } : { pieces: Math.ceil(N / rows), rows };
}

/** The experts of a layer in pieces: how many each holds, and the first that comes after those. */
export function expertPieces(
  experts: number,
  weightsEach: number,
  dtype: DType,
  largestBinding: number,
): { held: number; until: number }[] {
  const most = Math.max(1, Math.floor(largestBinding / (weightsEach * weightBytes[dtype])));
  const held = Math.ceil(experts / Math.ceil(experts / most));
  return Array.from({ length: Math.ceil(experts / held) }, (_, piece) => {
    const until = Math.min((piece + 1) * held, experts);
    return { held: until - piece * held, until };
  });
}
