import wgsl from "../../shaders/empty.wgsl?raw";
import type { Kernel } from "./kernel";
import { preludeFor } from "./prelude";

/** The number that is written. */
export type EmptyShape = { readonly mark: number };

/** Probe: a dispatch that does next to nothing. Its time is the cost of a dispatch. */
export const empty: Kernel<EmptyShape, Record<string, number>> = {
  wgsl,
  fields: ["mark"],
  tunings: { "1 thread": {} },
  shapeClass: () => "all",
  demand: () => ({ threads: 1, workgroupStorage: 0 }),
  prelude: (tuning, _shape, dtype) => preludeFor(dtype, tuning),
  workgroups: () => 1,
  spot: () => [0, 0],
  operands: () => [{ name: "mark", rows: 1, columns: 1, role: "output" }],
  work: () => ({ flops: 0, bytes: 0 }),
  products: () => 1,
  reference: ({ mark }) => [{ value: mark, magnitude: 1 }],
  tolerance: () => 0,
};
