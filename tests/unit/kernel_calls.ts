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
  {
    kernel: "attention_q8_0",
    shape: { batch: 2, queries: 3, keys: 5, heads: 4, kvHeads: 2, headDim: 64, window: 5 },
  },
  { kernel: "embed", shape: { tokens: 3, vocab: 7, hidden: 20, piece: 1 } },
  { kernel: "rms_norm", shape: { rows: 3, columns: 20, nanoEpsilon: 10_000 } },
  { kernel: "add_rms_norm", shape: { rows: 3, columns: 20, nanoEpsilon: 10_000 } },
  { kernel: "rope", shape: { batch: 2, queries: 3, heads: 4, kvHeads: 2, headDim: 8, capacity: 5 } },
  {
    kernel: "norm_rope",
    shape: { batch: 2, queries: 3, heads: 4, kvHeads: 2, headDim: 8, capacity: 5, nanoEpsilon: 1000 },
  },
  { kernel: "rope_q8_0", shape: { batch: 2, queries: 3, heads: 4, kvHeads: 2, headDim: 32, capacity: 5 } },
  {
    kernel: "norm_rope_q8_0",
    shape: { batch: 2, queries: 3, heads: 4, kvHeads: 2, headDim: 32, capacity: 5, nanoEpsilon: 1000 },
  },
  { kernel: "scaled_embed", shape: { tokens: 3, vocab: 7, hidden: 20, piece: 1 } },
  { kernel: "silu_mul", shape: { rows: 3, columns: 20 } },
  { kernel: "gelu_mul", shape: { rows: 3, columns: 20 } },
  { kernel: "add", shape: { rows: 3, columns: 20 } },
  {
    kernel: "sink_attention",
    shape: { batch: 2, queries: 3, keys: 5, heads: 4, kvHeads: 2, headDim: 8, window: 5 },
  },
  { kernel: "add_bias", shape: { rows: 3, columns: 20 } },
  { kernel: "join", shape: { rows: 3, columns: 20, block: 12 } },
  { kernel: "route", shape: { tokens: 3, experts: 7, chosen: 2 } },
  {
    kernel: "expert_matvec",
    shape: { tokens: 3, chosen: 2, sharing: 2, experts: 6, held: 3, until: 5, woken: 4, N: 7, K: 20 },
  },
  {
    kernel: "expert_swiglu",
    shape: { tokens: 3, chosen: 2, sharing: 2, experts: 6, held: 3, until: 5, woken: 4, N: 7, K: 20 },
  },
  {
    kernel: "expert_matmul",
    shape: { tokens: 30, chosen: 2, sharing: 1, experts: 6, held: 3, until: 5, woken: 6, N: 7, K: 20 },
  },
  {
    kernel: "clamped_swiglu",
    shape: { tokens: 3, chosen: 2, experts: 4, columns: 20, milliLimit: 7000 },
  },
  { kernel: "combine", shape: { tokens: 3, chosen: 2, columns: 20 } },
  { kernel: "biased_combine", shape: { tokens: 3, chosen: 2, columns: 20, experts: 4 } },
  { kernel: "argmax", shape: { rows: 3, columns: 7, block: 4 } },
  { kernel: "sample", shape: { rows: 3, columns: 7, block: 4, milliTemperature: 700, seed: 5 } },
  { kernel: "cross_entropy", shape: { rows: 3, columns: 7 } },
  { kernel: "cross_entropy_backward", shape: { rows: 3, columns: 7 } },
  { kernel: "matmul_nn", shape: { M: 2, N: 3, K: 4 } },
  { kernel: "matmul_tn", shape: { M: 2, N: 3, K: 4 } },
  { kernel: "rms_norm_backward", shape: { rows: 3, columns: 20, nanoEpsilon: 10_000 } },
  { kernel: "add_rms_norm_backward", shape: { rows: 3, columns: 20, nanoEpsilon: 10_000 } },
  { kernel: "column_sum", shape: { rows: 3, columns: 20 } },
  { kernel: "silu_mul_backward", shape: { rows: 3, columns: 20 } },
  ...(["attention_stats", "attention_dq", "attention_dkv"] as const).map((kernel) => ({
    kernel,
    shape: { batch: 2, tokens: 5, heads: 4, kvHeads: 2, headDim: 8, window: 3 },
  })),
  { kernel: "rope_backward", shape: { batch: 2, tokens: 3, heads: 4, kvHeads: 2, headDim: 8 } },
  { kernel: "embed_backward", shape: { tokens: 3, vocab: 7, hidden: 20 } },
  { kernel: "add_embed_backward", shape: { tokens: 3, vocab: 7, hidden: 20 } },
  {
    kernel: "adamw",
    shape: { rows: 3, columns: 20, microBeta1: 900_000, microBeta2: 950_000, picoEpsilon: 10_000 },
  },
  { kernel: "fma", shape: { invocations: 10, chains: 4, steps: 16 } },
  { kernel: "read", shape: { groups: 2, words: 3 } },
  { kernel: "dot", shape: { invocations: 10, chains: 4, steps: 16 } },
  { kernel: "mma", shape: { subgroups: 3, chains: 4, steps: 16, M: 8, N: 16, K: 8 } },
  { kernel: "reread", shape: { groups: 5, words: 3, slices: 2 } },
  { kernel: "copy", shape: { words: 5 } },
  { kernel: "fill", shape: { words: 5, seed: 9, shrink: 1 } },
  { kernel: "empty", shape: { mark: 7 } },
];
export const callOf = (name: KernelName) => calls.find(({ kernel }) => kernel === name)!;

/** A matrix of these rows. */
export const matrix =
  (...rows: number[][]): Matrix =>
  (row, column) =>
    rows[row]![column]!;
