import wgsl from "../../shaders/copy.wgsl?raw";
import { activationsOf, bitsOf, type DType } from "./elements";
import { type Kernel, onlyFloats, pick, preludeFor, spotAt, type Variant } from "./kernel";

/** vec4s copied. */
export type CopyShape = { readonly words: number };

type CopyTuning = { readonly THREADS: number; readonly LOADS: number };

const blocks: Variant<CopyShape, CopyTuning> = {
  shaders: { copy: wgsl },
  space: { THREADS: [8, 16, 32, 64, 128, 256], LOADS: [1, 2, 4, 8, 16, 32, 64] },
  starts: [
    { THREADS: 256, LOADS: 4 },
    { THREADS: 64, LOADS: 8 },
    { THREADS: 8, LOADS: 64 },
  ],
  describe: ({ THREADS, LOADS }) => `${THREADS} threads, ${LOADS} loads`,
  demand: ({ THREADS }) => ({ threads: THREADS, workgroupStorage: 0 }),
  stages: (tuning, { words }, dtype) => [
    {
      shader: "copy",
      prelude: preludeFor(activationsOf[dtype], tuning),
      workgroups: Math.ceil(words / (tuning.THREADS * tuning.LOADS)),
      binds: ["source", "target"],
    },
  ],
  spot: ({ words }, { THREADS, LOADS }, workgroup, choice) =>
    spotAt(0, pick(4 * workgroup * THREADS * LOADS, 4 * THREADS * LOADS, 4 * words, choice)),
};

const bytesPerWord = (dtype: DType) => bitsOf[activationsOf[dtype]] / 2;

/** Probe: reads and writes the same number of bytes. */
export const copy: Kernel<CopyShape> = {
  fields: ["words"],
  variants: { blocks },
  unsupported: onlyFloats,
  shapeClass: () => "all",
  operands: ({ words }, dtype) => [
    { name: "source", rows: 1, columns: 4 * words, role: "weights", element: activationsOf[dtype] },
    { name: "target", rows: 1, columns: 4 * words, role: "output", element: activationsOf[dtype] },
  ],
  work: ({ words }, dtype) => ({ flops: 0, bytes: 2 * words * bytesPerWord(dtype) }),
  products: () => 1,
  reference: (_shape, [source], row, columns) =>
    columns.map((column) => {
      const value = source!(row, column);
      return { value, magnitude: Math.abs(value) || 1 };
    }),
  tolerance: () => 0,
};
