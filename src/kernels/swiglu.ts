import { activationsOf, type DType, roundoff } from "./elements";
import { type Expected, type Kernel, type Operand, splitRange, sumTolerance } from "./kernel";
import { MATVEC_MAX_M } from "./matvec";
import { lanes } from "./matvec_floats";
import { packed, quants } from "./matvec_quants";
import {
  dotProducts,
  fewRowsClass,
  type MatmulShape,
  productWork,
  weightOperands,
  weightsOf,
  wholeBlocks,
} from "./product";

/** W holds the gate's N rows, and after them those of the other projection. */
const operands = ({ M, N, K }: MatmulShape, dtype: DType): Operand[] => [
  { name: "x", rows: M, columns: K, role: "activations", element: activationsOf[dtype] },
  ...weightOperands("w", 2 * N, K, dtype),
  { name: "y", rows: M, columns: N, role: "output", element: activationsOf[dtype] },
];

/** The steepest slope of SiLU. */
const STEEPEST_SILU = 1.1;

/** SiLU of each gate times its other; an error of either sum reaches the output times the other factor. */
export const gated = (gates: readonly Expected[], ups: readonly Expected[]): Expected[] =>
  gates.map((gate, i) => {
    const up = ups[i]!;
    const silu = gate.value / (1 + Math.exp(-gate.value));
    const magnitude = STEEPEST_SILU * Math.abs(up.value) * gate.magnitude + Math.abs(silu) * up.magnitude;
    return { value: silu * up.value, magnitude };
  });

/**
 * Y = SiLU(X · Gᵀ) ∘ (X · Uᵀ) for one to eight rows of X: the gate and the up projection of a decoder's feed-forward
 * layer with the activation between them, in one pass over X (SwiGLU: Shazeer, arXiv 2002.05202).
 */
export const swiglu: Kernel<MatmulShape> = {
  fields: ["M", "N", "K"],
  variants: { lanes: lanes(2), quants: quants(2), packed: packed(2) },

  impossible: ({ M }) =>
    M > MATVEC_MAX_M ? `swiglu takes ${MATVEC_MAX_M} rows at most; more are for matmul` : undefined,
  unsupported: wholeBlocks,

  shapeClass: fewRowsClass,
  operands,
  /** Both products; the activation is not counted, as is usual. */
  work: (shape, dtype) => ({
    ...productWork(operands(shape, dtype), shape),
    flops: 4 * shape.M * shape.N * shape.K,
  }),
  split: ({ M, N, K }, parts) => ({ M, N: splitRange(N, parts), K }),
  products: ({ K }) => 2 * K,

  reference({ N, K }, [x, w, scales], row, columns) {
    const weights = weightsOf(w!, scales);
    const gates = dotProducts(x!, weights, K, row, columns);
    const ups = dotProducts(
      x!,
      weights,
      K,
      row,
      columns.map((column) => N + column),
    );
    return gated(gates, ups);
  },

  // exp() may be off by 3 + 2|x| ULP (WGSL 15.7.4), where SiLU itself is then small.
  tolerance: ({ K }) => sumTolerance(K) + 16 * roundoff.f32,
};
