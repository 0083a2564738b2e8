// How much of a call goes into one dispatch. The whole, if it can: but no binding may be outgrown, and no
// dispatch may take so long that a driver takes the device away.

import { type Call, kernelOf, workOf } from "../kernels";
import { bytesOf, type DType } from "../kernels/kernel";

/** No dispatch is planned to take longer than this. */
const DISPATCH_SECONDS = 0.035;

// Shares of the roofs that an untuned kernel reaches at least; a guess that only sets the size of a piece.
const ARITHMETIC_SHARE = 0.1;
const BANDWIDTH_SHARE = 0.4;

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

/** Divides a call so that each piece fits into a binding of `binding` bytes and takes a bounded time. */
export function divide(call: Call, dtype: DType, roofs: Roofs, binding: number): Pieces {
  const kernel = kernelOf(call.kernel);
  const whole = workOf(call, dtype);
  const seconds = Math.max(
    whole.flops / (ARITHMETIC_SHARE * roofs.flops),
    whole.bytes / (BANDWIDTH_SHARE * roofs.bandwidth),
  );
  const operands = kernel.operands(call.shape);
  const streamed = operands
    .filter(({ role }) => role === "weights" || role === "kv-cache")
    .reduce((sum, operand) => sum + bytesOf(operand, dtype), 0);
  const largest = Math.max(streamed, ...operands.map((operand) => bytesOf(operand, dtype)));
  const parts = Math.ceil(Math.max(seconds / DISPATCH_SECONDS, largest / binding, 1));
  if (parts === 1 || kernel.split === undefined) return { piece: call, pieces: 1 };
  // The split keeps the kernel's fields: the pair is a Call again.
  const piece = { kernel: call.kernel, shape: kernel.split(call.shape, parts) } as unknown as Call;
  const part = workOf(piece, dtype);
  return { piece, pieces: Math.max(1, whole.flops / part.flops) };
}
