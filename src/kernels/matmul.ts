import { activationsOf, type DType } from "./elements";
import { type Kernel, type Operand, splitRange, sumTolerance } from "./kernel";
import { broadcast, broadcastQuants } from "./matmul_broadcast";
import { matrix, matrixDirect, matrixQuants } from "./matmul_matrix";
import { tiled, tiledQuants } from "./matmul_tiled";
import {
  dotProducts,
  type MatmulShape,
  productWork,
  weightOperands,
  weightsOf,
  wholeBlocks,
} from "./product";

const operands = ({ M, N, K }: MatmulShape, dtype: DType): Operand[] => [
  { name: "a", rows: M, columns: K, role: "activations", element: activationsOf[dtype] },
  ...weightOperands("b", N, K, dtype),
  { name: "c", rows: M, columns: N, role: "output", element: activationsOf[dtype] },
];

/** C = A · Bᵀ for many rows of A: the kernel that prefill is made of. */
export const matmul: Kernel<MatmulShape> = {
  fields: ["M", "N", "K"],
  variants: { tiled, broadcast, matrix, matrixDirect, tiledQuants, broadcastQuants, matrixQuants },
  unsupported: wholeBlocks,
  shapeClass: ({ M }) => (M < 64 ? "narrow" : "wide"),
  operands,
  work: (shape, dtype) => productWork(operands(shape, dtype), shape),

  /** Along N; along M too where N cannot give even half as many parts. */
  split({ M, N, K }, parts) {
    const narrow = splitRange(N, parts);
    const more = (parts * narrow) / N;
    return { M: more < 2 ? M : splitRange(M, more), N: narrow, K };
  },

  products: ({ K }) => K,

  reference: ({ K }, [a, b, scales], row, columns) => dotProducts(a!, weightsOf(b!, scales), K, row, columns),

  tolerance: ({ K }) => sumTolerance(K),
};
