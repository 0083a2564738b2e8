// The numbers of a task: everybody gets the same.

import type { Matrix } from "../kernels/kernel";
import { randomAt } from "../kernels/random";
import { BLOCK, operandsOf, type Task } from "./tasks";

/** An input without padding, row after row. */
export interface Dense {
  readonly rows: number;
  readonly columns: number;
  readonly values: Float32Array;
}

/** Weights (rows, columns) as q4_0 has them: each is (code - 8) times the scale of its block of 32 in the row. */
export interface Quantised {
  /** One code per byte, 0 to 15. */
  readonly codes: Uint8Array;
  readonly scales: Float32Array;
}

export interface TaskData {
  /** In the order of the kernel's operands; quantised weights are here with their values. */
  readonly inputs: readonly Dense[];
  /** The second input's codes where the task's weights are quantised. */
  readonly quantised: Quantised | undefined;
}

export const matrixOf =
  ({ columns, values }: Dense): Matrix =>
  (row, column) =>
    values[row * columns + column]!;

/** The same matrix with rows and columns exchanged. */
export function transposed({ rows, columns, values }: Dense): Dense {
  const turned = new Float32Array(values.length);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      turned[column * rows + row] = values[row * columns + column]!;
  return { rows: columns, columns: rows, values: turned };
}

/** Turns (a, b) rows of `columns` numbers into (b, a): heads and tokens exchange places. */
export function regrouped({ columns, values }: Dense, a: number, b: number): Float32Array {
  const turned = new Float32Array(values.length);
  for (let i = 0; i < a; i++)
    for (let j = 0; j < b; j++) {
      const from = (i * b + j) * columns;
      turned.set(values.subarray(from, from + columns), (j * a + i) * columns);
    }
  return turned;
}

/** Random numbers in [-1/2, 1/2), a stream per input. */
const generated =
  (input: number, columns: number): Matrix =>
  (row, column) =>
    randomAt(1 + input, row * columns + column);

/** Random codes with random scales that f16 holds exactly. */
const generatedBlocks =
  (input: number, columns: number): Matrix =>
  (row, column) => {
    const at = row * columns + column;
    const scale = 2 ** -5 * (1.5 + randomAt(100 + input, Math.floor(at / BLOCK)));
    return (Math.floor(16 * (randomAt(1 + input, at) + 0.5)) - 8) * scale;
  };

/**
 * The codes and scales behind weights that are known by value only. A scale is the smallest step between the values of
 * a block; where that leaves a value off the grid, the steps are divided further. Throws where no grid fits.
 */
export function quantisedOf({ rows, columns, values }: Dense): Quantised {
  const codes = new Uint8Array(rows * columns);
  const scales = new Float32Array((rows * columns) / BLOCK);
  for (let block = 0; block < scales.length; block++) {
    const own = values.subarray(block * BLOCK, (block + 1) * BLOCK);
    const scale = scaleOf(own);
    if (scale === undefined)
      throw new Error(`block ${block} of the weights is not of q4_0: no scale fits its values`);
    scales[block] = scale;
    own.forEach((value, i) => {
      codes[block * BLOCK + i] = Math.round(value / scale) + 8;
    });
  }
  return { codes, scales };
}

/** The scale of a block's values, or undefined. Codes reach from -8 to 7. */
function scaleOf(values: Float32Array): number | undefined {
  const sorted = [...new Set([0, ...values])].sort((a, b) => a - b);
  const step = sorted.slice(1).reduce((least, value, i) => Math.min(least, value - sorted[i]!), Infinity);
  if (step === Infinity) return 1;
  const largest = Math.max(-sorted[0]!, sorted.at(-1)!);
  for (let divisor = 1; divisor <= 8; divisor++) {
    const scale = Math.fround(largest / Math.round((largest / step) * divisor));
    const fits = [scale, -scale].find((signed) =>
      values.every((value) => {
        const code = Math.round(value / signed);
        return code >= -8 && code <= 7 && Math.abs(code * signed - value) <= 1e-6 * Math.abs(value);
      }),
    );
    if (fits !== undefined) return fits;
  }
  return undefined;
}

/** The numbers of a task: those that our own kernel has in memory, or generated ones where it has none. */
export function dataOf(task: Task, own: readonly Matrix[] | undefined): TaskData {
  const quantises = task.weights === "q4_0";
  const inputs = operandsOf(task)
    .slice(0, -1)
    .map(({ rows, columns }, i): Dense => {
      const at = own?.[i] ?? (quantises && i === 1 ? generatedBlocks : generated)(i, columns);
      const values = new Float32Array(rows * columns);
      for (let row = 0; row < rows; row++)
        for (let column = 0; column < columns; column++) values[row * columns + column] = at(row, column);
      return { rows, columns, values };
    });
  return { inputs, quantised: quantises ? quantisedOf(inputs[1]!) : undefined };
}
