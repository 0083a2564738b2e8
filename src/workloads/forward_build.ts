// What the parts of a forward pass are made with: calls collected one after another, and the names of what they work on.

import { activationsOf, bitsOf, type CacheType, cacheOf, type DType, dtypes } from "../kernels/elements";
import { MATVEC_MAX_M } from "../kernels/matvec";
import { decoderOf, whyNoCache } from "./decoder";
import { type Bound, type BoundRows, collector, type ForwardOptions } from "./forward_pass";
import { rowPieces, vocabularyPieces } from "./matrix_pieces";
import type { ModelConfig } from "./model";

/**
 * The type in which rope and attention have activations as weights of `dtype` do, and a cache of this type; what has a
 * cache in q8_0 has it in any type.
 */
function cachedIn(model: ModelConfig, dtype: DType, cache: CacheType): DType {
  const same = (each: DType) =>
    cache === "q8_0"
      ? each === dtype
      : activationsOf[each] === activationsOf[dtype] && cacheOf[each] === cache;
  const found = whyNoCache(model, dtype, cache) === undefined ? dtypes.find(same) : undefined;
  if (found === undefined) throw new RangeError(whyNoCache(model, dtype, cache));
  return found;
}

/** What the parts of a pass are made with. */
export function builder(model: ModelConfig, options: ForwardOptions) {
  const { dtype, cache, batch, tokens, fused } = options;
  const { hidden_size: hidden } = model;
  const decoder = decoderOf(model);
  const { nanoEpsilon } = decoder;
  const M = batch * tokens;
  const { tensors, dispatches, call } = collector(dtype, cachedIn(model, dtype, cache));
  const vocabulary = vocabularyPieces(model, dtype, options.largestBinding);
  // The residual goes back and forth between two tensors: no call reads and writes the same one.
  let residual = 0;

  const norm = (label: string, layer: number | null, weight: string, x: string, normed = "normed") =>
    call(
      label,
      layer,
      { kernel: "rms_norm", shape: { rows: M, columns: hidden, nanoEpsilon } },
      { x, weight, normed },
    );

  const product = (
    label: string,
    layer: number | null,
    weights: string | BoundRows,
    shape: { M: number; N: number; K: number },
    input: string,
    output: string | Bound,
    as = dtype,
  ) =>
    shape.M <= MATVEC_MAX_M
      ? call(label, layer, { kernel: "matvec", shape }, { x: input, w: weights, y: output }, as)
      : call(label, layer, { kernel: "matmul", shape }, { a: input, b: weights, c: output }, as);

  return {
    model,
    options,
    decoder,
    M,
    tensors,
    dispatches,
    call,
    norm,
    vocabulary,
    pieces: Array.from({ length: vocabulary.pieces }, (_, piece) => piece),

    product,

    /** A product with a layer's matrix, which may be too large for one binding: then it comes in pieces of its rows. */
    linear(
      label: string,
      layer: number,
      weights: string,
      { M: rows, N, K }: { M: number; N: number; K: number },
      input: string,
      output: string,
    ) {
      const split = rowPieces({ N, K }, dtype, options.largestBinding);
      if (split.pieces === 1) return product(label, layer, weights, { M: rows, N, K }, input, output);
      // Of one row the pieces' columns lie behind each other as they are; of several each has a block.
      const tensor = rows === 1 ? output : "blocks";
      for (let piece = 0; piece < split.pieces; piece++) {
        const offset = (piece * rows * split.rows * bitsOf[activationsOf[dtype]]) / 8;
        const shape = { M: rows, N: split.rows, K };
        product(label, layer, `${weights}.${piece}`, shape, input, { tensor, offset });
      }
      if (rows > 1) {
        const shape = { rows, columns: N, block: split.rows };
        call(label, layer, { kernel: "join", shape }, { blocks: "blocks", out: output });
      }
    },

    /** Adds what a block has given, and norms the sum for the next one. */
    connect(label: string, layer: number | null, weight: string, given: string) {
      const [x, sum] = [`residual.${residual}`, `residual.${1 - residual}`];
      residual = 1 - residual;
      const shape = { rows: M, columns: hidden };
      if (fused.addNorm) {
        const operands = { x, y: given, weight, sum, normed: "normed" };
        call(label, layer, { kernel: "add_rms_norm", shape: { ...shape, nanoEpsilon } }, operands);
      } else {
        call("residual", layer, { kernel: "add", shape }, { x, y: given, sum });
        norm(label, layer, weight, sum);
      }
    },
  };
}

export type Builder = ReturnType<typeof builder>;

/** The tensor with a layer's own weights of this name: layers may share them in turn. */
export const weightsAt = ({ options }: Builder, layer: number, name: string): string =>
  `layers.${layer % options.residentLayers}.${name}`;
