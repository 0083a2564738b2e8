import type { Kernel, Variant } from "./kernel";
import { narrow, type ReadShape, type ReadTuning, read, wideLoads } from "./read";

export type RereadShape = ReadShape & {
  /** Slices of memory, which the groups read in turn: a working set of so many, however much is read. */
  readonly slices: number;
};

/** What stands in the shaders of `read`, and what has to stand there for groups to begin again at the first slice. */
const changes = [
  ["struct Shape { groups: u32, words: u32 }", "struct Shape { groups: u32, words: u32, slices: u32 }"],
  ["let begin = index *", "let begin = index % shape.slices *"],
] as const;

/** The same shader, line by line, on a working set. */
function onSlices(wgsl: string): string {
  return changes.reduce((text, [from, to]) => {
    const parts = text.split(from);
    if (parts.length !== 2) throw new Error(`reread: a shader of read does not have "${from}" once`);
    return parts.join(to);
  }, wgsl);
}

/** Its shaders are made once they are compiled: pages know kernels without their text. */
function again(variant: Variant<ReadShape, ReadTuning>): Variant<RereadShape, ReadTuning> {
  let made: Record<string, string> | undefined;
  return {
    ...variant,
    get shaders() {
      made ??= Object.fromEntries(
        Object.entries(variant.shaders).map(([stem, wgsl]) => [stem, onSlices(wgsl)]),
      );
      return made;
    },
  };
}

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
