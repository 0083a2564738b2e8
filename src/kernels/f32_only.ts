// What the kernels of a training step have in common: they are computed in f32.

import type { DType } from "./elements";
import type { Operand } from "./kernel";

/** Training keeps weights, gradients and moments in f32. */
export const onlyF32 = (_shape: unknown, dtype: DType): string | undefined =>
  dtype === "f32" ? undefined : `models are trained in f32, not in ${dtype}`;

export const floats = (name: string, rows: number, columns: number): Operand => ({
  name,
  rows,
  columns,
  role: "activations",
  element: "f32",
});

export const written = (name: string, rows: number, columns: number): Operand => ({
  ...floats(name, rows, columns),
  role: "output",
});

/** Numbers of tokens, each below `vocabulary`. */
export const tokenIds = (name: string, tokens: number, vocabulary: number): Operand => ({
  ...floats(name, 1, tokens),
  element: "u32",
  range: [0, vocabulary],
});
