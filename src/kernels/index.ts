// The list of kernels. A kernel's name is its key here; kernels that differ in little share a file.

import { adamw } from "./adamw";
import { attention, attention_q8_0 } from "./attention";
import { attention_dkv, attention_dq, attention_stats } from "./attention_backward";
import { sink_attention } from "./attention_sinks";
import { copy } from "./copy";
import { cross_entropy, cross_entropy_backward } from "./cross_entropy";
import { dot } from "./dot";
import type { DType } from "./elements";
import { add, add_bias, gelu_mul, join, silu_mul } from "./elementwise";
import { embed, scaled_embed } from "./embed";
import { add_embed_backward, embed_backward } from "./embed_backward";
import { empty } from "./empty";
import { expert_matmul } from "./expert_matmul";
import { expert_matvec, expert_swiglu } from "./expert_matvec";
import { biased_combine, clamped_swiglu, combine } from "./expert_sums";
import { fill } from "./fill";
import { fma } from "./fma";
import type { Kernel, Work } from "./kernel";
import { matmul } from "./matmul";
import { matmul_nn, matmul_tn } from "./matmul_outer";
import { matvec } from "./matvec";
import { mma } from "./mma";
import { read } from "./read";
import { reread } from "./reread";
import { add_rms_norm, rms_norm } from "./rms_norm";
import { add_rms_norm_backward, column_sum, rms_norm_backward } from "./rms_norm_backward";
import { norm_rope, norm_rope_q8_0, rope, rope_q8_0 } from "./rope";
import { rope_backward } from "./rope_backward";
import { route } from "./route";
import { argmax, sample } from "./sampling";
import { silu_mul_backward } from "./silu_mul_backward";
import { swiglu } from "./swiglu";

export const kernels = {
  matmul,
  matvec,
  swiglu,
  attention,
  attention_q8_0,
  sink_attention,
  embed,
  scaled_embed,
  rms_norm,
  add_rms_norm,
  rope,
  norm_rope,
  rope_q8_0,
  norm_rope_q8_0,
  silu_mul,
  gelu_mul,
  add,
  add_bias,
  join,
  route,
  expert_matvec,
  expert_swiglu,
  expert_matmul,
  clamped_swiglu,
  combine,
  biased_combine,
  argmax,
  sample,
  cross_entropy,
  cross_entropy_backward,
  matmul_nn,
  matmul_tn,
  rms_norm_backward,
  add_rms_norm_backward,
  column_sum,
  silu_mul_backward,
  attention_stats,
  attention_dq,
  attention_dkv,
  rope_backward,
  embed_backward,
  add_embed_backward,
  adamw,
  fma,
  dot,
  mma,
  read,
  reread,
  copy,
  fill,
  empty,
} as const;

export type KernelName = keyof typeof kernels;
export type ShapeOf<K extends KernelName> = (typeof kernels)[K] extends Kernel<infer S> ? S : never;

/** A kernel and the shape it is asked for. Plain data. */
export type Call = { [K in KernelName]: { readonly kernel: K; readonly shape: ShapeOf<K> } }[KernelName];

export type AnyShape = Readonly<Record<string, number>>;
export type AnyKernel = Kernel<AnyShape>;

/** A call whose pairing of name and shape was checked where it was made, or by the schema where it was read. */
export type AnyCall = { readonly kernel: KernelName; readonly shape: AnyShape };

/**
 * The kernel of a name, with its shape type forgotten: for code that treats all kernels alike. The
 * pairing of a name with its shape is checked where a `Call` is made, or by the schema where one is read.
 */
export function kernelOf(name: KernelName): AnyKernel {
  return kernels[name] as unknown as AnyKernel;
}

const attentions = ["attention", "attention_q8_0", "sink_attention"] as const;
type AttentionName = (typeof attentions)[number];

/** Whether a kernel of this name, of a result perhaps, is attention, whatever its KV cache is stored as. */
export const isAttentionName = (kernel: string): boolean => attentions.some((each) => each === kernel);

/** Whether a call is attention, whatever its KV cache is stored as. */
export const isAttention = (call: Call): call is Extract<Call, { kernel: AttentionName }> =>
  isAttentionName(call.kernel);

/** FLOP and bytes of one call. */
export function workOf(call: Call, dtype: DType): Work {
  return kernelOf(call.kernel).work(call.shape, dtype);
}
