// How much of a call goes into one dispatch. The whole, if it can: but no binding may be outgrown, and no
// dispatch may take so long that a driver takes the device away.

import { type Call, type KernelName, kernelOf, workOf } from "../kernels";
import type { DType } from "../kernels/elements";
import { bytesOf, type Operand } from "../kernels/kernel";

/** No dispatch is planned to take longer than this. */
const DISPATCH_SECONDS = 0.035;

// Shares of the roofs that an untuned kernel reaches at least; a guess that only sets the size of a piece.
const ARITHMETIC_SHARE: Partial<Record<KernelName, number>> & { other: number } = {
  attention: 0.02,
  attention_q8_0: 0.02,
  other: 0.1,
};
const BANDWIDTH_SHARE = 0.4;

/** What every dispatch finds in another piece of memory. */
export const isStreamed = ({ role }: Operand): boolean => role === "weights" || role === "kv-cache";

export interface Roofs {
  /** FLOP/s and byte/s that the probes reached. */
  readonly flops: number;
  readonly bandwidth: number;
}

export interface Pieces {
  readonly piece: Call;
  /** Pieces per call, by work. */
  readonly pieces: number;
}

/** The most bytes that one dispatch of a call binds at once: a streamed piece holds all its operands side by side. */
function largestBinding(call: Call, dtype: DType): number {
  const operands = kernelOf(call.kernel).operands(call.shape, dtype);
  const streamed = operands.filter(isStreamed).reduce((sum, operand) => sum + bytesOf(operand), 0);
  return Math.max(streamed, ...operands.map(bytesOf));
}

/**
 * Divides a call so that each piece takes a bounded time and fits into a binding of `binding` bytes. A call
 * whose smallest part is still too large stays so: preparing it fails and says why.
 */
export function divide(call: Call, dtype: DType, roofs: Roofs, binding: number): Pieces {
  const { split } = kernelOf(call.kernel);
  const whole = workOf(call, dtype);
  const seconds = Math.max(
    whole.flops / ((ARITHMETIC_SHARE[call.kernel] ?? ARITHMETIC_SHARE.other) * roofs.flops),
    whole.bytes / (BANDWIDTH_SHARE * roofs.bandwidth),
  );
  const parts = Math.ceil(Math.max(seconds / DISPATCH_SECONDS, largestBinding(call, dtype) / binding, 1));
  if (parts === 1 || split === undefined) return { piece: call, pieces: 1 };
  // The split keeps the kernel's fields: the pair is a Call again.
  const part = (count: number) =>
    ({ kernel: call.kernel, shape: split(call.shape, count) }) as unknown as Call;
  let piece = part(parts);
  // Parts are rounded up to whole tiles and heads, which may be more than fits.
  for (let count = 2 * parts; largestBinding(piece, dtype) > binding; count *= 2) {
    const smaller = part(count);
    if (largestBinding(smaller, dtype) === largestBinding(piece, dtype)) break;
    piece = smaller;
  }
  // Six digits are enough, and short in a link.
  const pieces = Number((whole.flops / workOf(piece, dtype).flops).toPrecision(6));
  return { piece, pieces: Math.max(1, pieces) };
}
