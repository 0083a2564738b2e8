import { activationsOf, type DType } from "./elements";
import { type Kernel, type Operand, splitRange, sumTolerance } from "./kernel";
import { lanes, wide } from "./matvec_floats";
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

/** The most rows of X that are worth reading each weight for only once; above, matmul is the kernel. */
export const MATVEC_MAX_M = 8;

const operands = ({ M, N, K }: MatmulShape, dtype: DType): Operand[] => [
  { name: "x", rows: M, columns: K, role: "activations", element: activationsOf[dtype] },
  ...weightOperands("w", N, K, dtype),
  { name: "y", rows: M, columns: N, role: "output", element: activationsOf[dtype] },
];

/** Y = X · Wᵀ for one to eight rows of X: the kernel that decode is made of. */
export const matvec: Kernel<MatmulShape> = {
  fields: ["M", "N", "K"],
  variants: { lanes: lanes(1), wide, quants: quants(1), packed: packed(1) },

  impossible: ({ M }) =>
    M > MATVEC_MAX_M ? `matvec takes ${MATVEC_MAX_M} rows at most; more are for matmul` : undefined,
  unsupported: wholeBlocks,

  shapeClass: fewRowsClass,
  operands,
  work: (shape, dtype) => productWork(operands(shape, dtype), shape),
  split: ({ M, N, K }, parts) => ({ M, N: splitRange(N, parts), K }),
  products: ({ K }) => K,

  reference: ({ K }, [x, w, scales], row, columns) => dotProducts(x!, weightsOf(w!, scales), K, row, columns),

  tolerance: ({ K }) => sumTolerance(K),
};
