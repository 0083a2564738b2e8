// The work that is compared: shapes as data, the same for everybody.

import { type Call, kernels, workOf } from "../kernels";
import { sizeOf, type Work } from "../kernels/kernel";

/** Weights per block of q4_0, which share a scale. */
export const BLOCK = 32;

/** Bytes of a block of q4_0: 32 codes of 4 bits and a scale of 16. */
const BLOCK_BYTES = BLOCK / 2 + 2;

export type WeightType = "f32" | "q4_0";

export interface Task {
  readonly id: string;
  readonly title: string;
  /** In Tokenroof's own layouts: weights are (N, K), queries (token, head), caches (head, token). */
  readonly call: Extract<Call, { kernel: "matmul" | "matvec" | "attention" }>;
  readonly weights: WeightType;
  /** Which of the two its rate is counted in. */
  readonly rate: keyof Work;
}

const gemm = (M: number, N: number, K: number, weights: WeightType): Task => ({
  id: `gemm-${weights}-${M}x${N}x${K}`,
  title: `GEMM ${weights} ${M}x${N}x${K}`,
  call: { kernel: "matmul", shape: { M, N, K } },
  weights,
  rate: "flops",
});

const gemv = (N: number, K: number, weights: WeightType): Task => ({
  id: `gemv-${weights}-${N}x${K}`,
  title: `GEMV ${weights} 1x${N}x${K}`,
  call: { kernel: "matvec", shape: { M: 1, N, K } },
  weights,
  rate: "bytes",
});

/** Sizes are M x N x K; all of them are multiples of 32, so that no layout needs padding. */
export const tasks: readonly Task[] = [
  gemm(512, 512, 512, "f32"),
  gemm(512, 2048, 2048, "f32"),
  gemv(2048, 2048, "f32"),
  gemv(8192, 2048, "f32"),
  gemv(2048, 2048, "q4_0"),
  gemv(8192, 2048, "q4_0"),
  gemm(128, 2048, 2048, "q4_0"),
  {
    id: "attention-decode",
    title: "attention, 1 query of 8 heads, 1024 keys of 2 heads",
    call: {
      kernel: "attention",
      shape: { batch: 1, queries: 1, keys: 1024, heads: 8, kvHeads: 2, headDim: 64, window: 1024 },
    },
    weights: "f32",
    rate: "bytes",
  },
  {
    id: "attention-prefill",
    title: "attention, causal, 256 tokens of 8 heads",
    call: {
      kernel: "attention",
      shape: { batch: 1, queries: 256, keys: 256, heads: 8, kvHeads: 8, headDim: 64, window: 256 },
    },
    weights: "f32",
    rate: "flops",
  },
];

/** FLOP and bytes that any implementation has to spend on a task. */
export function workOfTask({ call, weights }: Task): Work {
  const work = workOf(call, "f32");
  if (weights === "f32" || call.kernel === "attention") return work;
  const count = call.shape.N * call.shape.K;
  return { ...work, bytes: work.bytes - count * sizeOf.f32 + (count / BLOCK) * BLOCK_BYTES };
}

/** Rows and columns of each input and, last, of the output. */
export function operandsOf({ call }: Task) {
  return call.kernel === "attention"
    ? kernels.attention.operands(call.shape)
    : kernels[call.kernel].operands(call.shape);
}
