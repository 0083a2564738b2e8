// What matmul and matvec compute, A · Bᵀ with B a weight matrix, whatever its numbers are stored as.

import { activationsOf, BLOCK, bitsOf, type DType, quantsOf } from "./elements";
import { type Expected, type Matrix, type Operand, trafficOfAll } from "./kernel";

export type MatmulShape = { readonly M: number; readonly N: number; readonly K: number };

/** A weight matrix of N rows: floats, or whole numbers with their scales. */
export function weightOperands(name: string, N: number, K: number, dtype: DType): Operand[] {
  const quants = quantsOf[dtype];
  if (quants === undefined)
    return [{ name, rows: N, columns: K, role: "weights", element: activationsOf[dtype] }];
  return [
    { name, rows: N, columns: K, role: "weights", element: quants },
    { name: "scales", rows: N, columns: K / BLOCK, role: "weights", element: "f16" },
  ];
}

/** The weights as numbers: their own, or whole numbers times their block's scale. */
export const weightsOf = (weights: Matrix, scales: Matrix | undefined): Matrix =>
  scales === undefined ? weights : (row, k) => weights(row, k) * scales(row, Math.floor(k / BLOCK));

/** Blocks are whole: no model's matrix has a part of one. */
export const wholeBlocks = ({ K }: Pick<MatmulShape, "K">, dtype: DType): string | undefined =>
  quantsOf[dtype] === undefined || K % BLOCK === 0
    ? undefined
    : `${dtype} has blocks of ${BLOCK} weights, and K = ${K} is no multiple of that`;

/** Bits of a weight where they are whole numbers; of floats it does not matter. */
export const weightBits = (dtype: DType): number => bitsOf[quantsOf[dtype] ?? "i8"];

/** What shaders unpack weights with: their bits, vec4us of a block, and fours of neighbours in each of these. */
export function unpacking(dtype: DType) {
  const BITS = weightBits(dtype);
  return { BITS, WORDS: BITS / 4, FOURS: 32 / BITS };
}

/** X rounded to eight bits, and its scales: what a stage before the product hands on. */
export const quantisedInput = (rows: number, K: number): Operand[] => [
  { name: "x_quants", rows, columns: K, role: "scratch", element: "i8" },
  { name: "x_scales", rows, columns: K / BLOCK, role: "scratch", element: "f32" },
];

/** More outputs fill any device, however many rows a workgroup takes; fewer have to be spread with care. */
const SHORT_OUTPUT = 8192;

/** What shares a tuning among products of a few rows. */
export const fewRowsClass = ({ M, N }: MatmulShape): string =>
  `${M} rows, ${N <= SHORT_OUTPUT ? "short" : "long"} output`;

/** FLOP and bytes of A · Bᵀ. */
export const productWork = (operands: readonly Operand[], { M, N, K }: MatmulShape) => ({
  flops: 2 * M * N * K,
  bytes: trafficOfAll(operands),
});

/** Columns `columns` of row `row` of A·Bᵀ, where A is (rows, K) and B (columns, K). */
export function dotProducts(
  a: Matrix,
  b: Matrix,
  K: number,
  row: number,
  columns: readonly number[],
): Expected[] {
  const left = Float64Array.from({ length: K }, (_, k) => a(row, k));
  return columns.map((column) => {
    let value = 0;
    let magnitude = 0;
    for (let k = 0; k < K; k++) {
      const term = left[k]! * b(column, k);
      value += term;
      magnitude += Math.abs(term);
    }
    return { value, magnitude };
  });
}
