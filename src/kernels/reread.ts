import type { Kernel, Variant } from "./kernel";
import { narrow, type ReadShape, type ReadTuning, read, wideLoads } from "./read";

export type RereadShape = ReadShape & {
  /** Slices of memory, which the groups read in turn: a working set of so many, however much is read. */
  readonly slices: number;
};

/** A variant of `read` whose groups begin again at the first slice. */
const again = (variant: Variant<ReadShape, ReadTuning>): Variant<RereadShape, ReadTuning> => ({
  ...variant,
  stages: (tuning, shape, dtype) =>
    variant.stages(tuning, shape, dtype).map((stage) => ({
      ...stage,
      prelude: {
        ...stage.prelude,
        constants: { ...stage.prelude.constants, SLICES: shape.slices },
      },
    })),
});

/**
 * `read` on a working set of its own size: a small one is read by many groups in one dispatch, whose own cost it would
 * drown in. With the choices of `read`.
 */
export const reread: Kernel<RereadShape> = {
  fields: ["groups", "words", "slices"],
  variants: { narrow: again(narrow), wide: again(wideLoads) },
  unsupported: read.unsupported!,
  shapeClass: () => "all",

  operands(shape, dtype) {
    const [data, sums] = read.operands(shape, dtype);
    return [{ ...data!, rows: shape.slices }, sums!];
  },

  /** Everything that is read, from wherever. */
  work: read.work,

  products: read.products,

  reference: (shape, inputs, row, columns, dtype) =>
    read.reference(shape, inputs, row % shape.slices, columns, dtype),

  tolerance: read.tolerance,
};
