import wgsl from "../../shaders/empty.wgsl?raw";
import { type Kernel, preludeFor } from "./kernel";

/** The number that is written. */
export type EmptyShape = { readonly mark: number };

/** Probe: a dispatch that does next to nothing. Its time is the cost of a dispatch. */
export const empty: Kernel<EmptyShape> = {
  fields: ["mark"],
  variants: {
    one: {
      shaders: { empty: wgsl },
      space: {},
      starts: [{}],
      describe: () => "1 thread",
      demand: () => ({ threads: 1, workgroupStorage: 0 }),
      stages: () => [{ shader: "empty", prelude: preludeFor("f32", {}), workgroups: 1, binds: ["mark"] }],
      spot: () => [0, 0],
    },
  },
  shapeClass: () => "all",
  operands: () => [{ name: "mark", rows: 1, columns: 1, role: "output", element: "f32" }],
  work: () => ({ flops: 0, bytes: 0 }),
  products: () => 1,
  reference: ({ mark }) => [{ value: mark, magnitude: 1 }],
  tolerance: () => 0,
};
