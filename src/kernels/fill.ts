import wgsl from "../../shaders/fill.wgsl?raw";
import { type Kernel, pick, sizeOf, spotAt } from "./kernel";
import { preludeFor } from "./prelude";
import { randomAt } from "./random";

/** vec4s written, and the stream they are taken from. */
export type FillShape = { readonly words: number; readonly seed: number };

export type FillTuning = { readonly THREADS: number };

/** Fills memory with seeded random numbers: the synthetic weights. */
export const fill: Kernel<FillShape, FillTuning> = {
  wgsl,
  fields: ["words", "seed"],
  tunings: { "64 threads": { THREADS: 64 } },
  shapeClass: () => "all",
  demand: ({ THREADS }) => ({ threads: THREADS, workgroupStorage: 0 }),
  prelude: (tuning, _shape, dtype) => preludeFor(dtype, tuning),
  workgroups: ({ words }, { THREADS }) => Math.min(Math.ceil(words / THREADS), 16_384),
  spot: ({ words }, { THREADS }, workgroup, choice) =>
    spotAt(0, pick(4 * workgroup * THREADS, 4 * THREADS, 4 * words, choice)),
  operands: ({ words }) => [{ name: "data", rows: 1, columns: 4 * words, role: "output" }],
  work: ({ words }, dtype) => ({ flops: 0, bytes: 4 * words * sizeOf[dtype] }),
  products: () => 1,
  reference: ({ seed }, _inputs, _row, columns) =>
    columns.map((column) => ({ value: randomAt(seed, column), magnitude: 1 })),
  tolerance: () => 0,
};
