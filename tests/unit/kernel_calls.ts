// A small call of every kernel, and matrices by their rows.

import type { Call, KernelName } from "../../src/kernels";
import type { Matrix } from "../../src/kernels/kernel";

/** A call of every kernel, with no size a multiple of another. */
export const calls: Call[] = [
  { kernel: "matmul", shape: { M: 2, N: 3, K: 4 } },
  { kernel: "matvec", shape: { M: 3, N: 7, K: 20 } },
  { kernel: "swiglu", shape: { M: 3, N: 7, K: 20 } },
  {
    kernel: "attention",
    shape: { batch: 2, queries: 3, keys: 5, heads: 4, kvHeads: 2, headDim: 8, window: 5 },
  },
  { kernel: "fma", shape: { invocations: 10, chains: 4, steps: 16 } },
  { kernel: "read", shape: { groups: 2, words: 3 } },
  { kernel: "dot", shape: { invocations: 10, chains: 4, steps: 16 } },
  { kernel: "mma", shape: { subgroups: 3, chains: 4, steps: 16, M: 8, N: 16, K: 8 } },
  { kernel: "reread", shape: { groups: 5, words: 3, slices: 2 } },
  { kernel: "copy", shape: { words: 5 } },
  { kernel: "fill", shape: { words: 5, seed: 9 } },
  { kernel: "empty", shape: { mark: 7 } },
];
export const callOf = (name: KernelName) => calls.find(({ kernel }) => kernel === name)!;

/** A matrix of these rows. */
export const matrix =
  (...rows: number[][]): Matrix =>
  (row, column) =>
    rows[row]![column]!;
