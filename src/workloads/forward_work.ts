// What a forward pass has to move and compute, by what it is for.

import { type Call, isAttention, kernelOf, workOf } from "../kernels";
import { type DType, weightBytes } from "../kernels/elements";
import { trafficOf } from "../kernels/kernel";
import { type ForwardPass, isMatrix } from "./forward_pass";
import { layerParameters, type ModelConfig, parameters } from "./model";

/** FLOP, and bytes that cross the memory bus: weights, the KV cache, and what passes from call to call. */
export interface ForwardWork {
  readonly flops: number;
  readonly weights: number;
  readonly cache: number;
  readonly activations: number;
}

/** The call with as many keys as there are, where the pass says how many there is room for. */
function withKeys(call: Call, keys: number): Call {
  if (!isAttention(call)) return call;
  const { window, queries } = call.shape;
  // No query sees further than its window: keys before that are never read, and there is no need to count them.
  const seen = Math.min(keys, window + queries - 1);
  const shape = { ...call.shape, keys: seen, window: Math.min(window, seen) };
  return { kernel: call.kernel, shape };
}

/** The work of a pass whose first token stands at `position`. */
export function forwardWork({ dispatches, options }: ForwardPass, position: number): ForwardWork {
  let [flops, weights, cache, activations] = [0, 0, 0, 0];
  for (const dispatch of dispatches) {
    const call = withKeys(dispatch.call, position + options.tokens);
    const { dtype, binds } = dispatch;
    const work = workOf(call, dtype);
    flops += work.flops;
    let rest = work.bytes;
    const kernel = kernelOf(call.kernel);
    for (const operand of kernel.operands(call.shape, dtype)) {
      // Rows that were looked up, or experts that were woken, not all there are: the call's own bytes have them.
      const rows = kernel.rowsRead?.(call.shape) ?? operand.rows;
      const lookedUp = { ...operand, rows };
      if (operand.role === "weights" && isMatrix(binds[operand.name]?.tensor ?? dispatch.label)) {
        weights += trafficOf(lookedUp);
        rest -= trafficOf(lookedUp);
      } else if (operand.role === "kv-cache") {
        cache += trafficOf(operand);
        rest -= trafficOf(operand);
      }
    }
    activations += rest;
  }
  return { flops, weights, cache, activations };
}

/** Bytes of all matrices of a model in a type. */
export const matrixBytes = (model: ModelConfig, dtype: DType): number =>
  parameters(model) * weightBytes[dtype];

/** Bytes of the vocabulary's weights and those of so many layers. */
const residentBytes = (model: ModelConfig, dtype: DType, layers: number): number =>
  matrixBytes(model, dtype) -
  (model.num_hidden_layers - layers) * layerParameters(model) * weightBytes[dtype];

/** How many layers' weights fit into so many bytes beside the vocabulary's, one at least and no more than there are. */
export function layersWithin(model: ModelConfig, dtype: DType, bytes: number): number {
  const none = residentBytes(model, dtype, 0);
  const one = residentBytes(model, dtype, 1);
  const layers = Math.floor((bytes - none) / (one - none));
  return Math.min(model.num_hidden_layers, Math.max(1, layers));
}

/** Why one of a model's layers is too much for so many bytes of weights, or undefined. */
export function whyTooLarge(model: ModelConfig, dtype: DType, memory: number): string | undefined {
  const mebibytes = (bytes: number) => Math.ceil(bytes / 2 ** 20);
  const layer = layerParameters(model) * weightBytes[dtype];
  return layer <= memory
    ? undefined
    : `one layer takes ${mebibytes(layer)} MiB in ${dtype}, and weights may take ${Math.floor(memory / 2 ** 20)}: ` +
        `memory=${mebibytes(residentBytes(model, dtype, 1))}MiB would do`;
}
