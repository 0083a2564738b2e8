import wgsl from "../../shaders/copy.wgsl?raw";
import { type Kernel, pick, sizeOf, spotAt } from "./kernel";
import { preludeFor } from "./prelude";

/** vec4s copied. */
export type CopyShape = { readonly words: number };

export type CopyTuning = { readonly THREADS: number; readonly LOADS: number };

/** Probe: reads and writes the same number of bytes. */
export const copy: Kernel<CopyShape, CopyTuning> = {
  wgsl,
  fields: ["words"],
  tunings: {
    "256 threads, 4 loads": { THREADS: 256, LOADS: 4 },
    "64 threads, 8 loads": { THREADS: 64, LOADS: 8 },
    "8 threads, 64 loads": { THREADS: 8, LOADS: 64 },
  },
  shapeClass: () => "all",
  demand: ({ THREADS }) => ({ threads: THREADS, workgroupStorage: 0 }),
  prelude: (tuning, _shape, dtype) => preludeFor(dtype, tuning),
  workgroups: ({ words }, { THREADS, LOADS }) => Math.ceil(words / (THREADS * LOADS)),
  spot: ({ words }, { THREADS, LOADS }, workgroup, choice) =>
    spotAt(0, pick(4 * workgroup * THREADS * LOADS, 4 * THREADS * LOADS, 4 * words, choice)),

  operands: ({ words }) => [
    { name: "source", rows: 1, columns: 4 * words, role: "weights" },
    { name: "target", rows: 1, columns: 4 * words, role: "output" },
  ],

  work: ({ words }, dtype) => ({ flops: 0, bytes: 2 * 4 * words * sizeOf[dtype] }),

  products: () => 1,

  reference: (_shape, [source], row, columns) =>
    columns.map((column) => {
      const value = source!(row, column);
      return { value, magnitude: Math.abs(value) || 1 };
    }),

  tolerance: () => 0,
};
