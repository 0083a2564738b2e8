import wgsl from "../../shaders/fill.wgsl?raw";
import { bitsOf, type DType, type Element, quantsOf, storedAt } from "./elements";
import { type Kernel, pick, preludeFor, spotAt, type Variant } from "./kernel";

export type FillShape = {
  /** 16-byte words written. */
  readonly words: number;
  /** The stream they are taken from. */
  readonly seed: number;
  /** What floats are divided by: a power of two, so that they stay exact. */
  readonly shrink: number;
};

type FillTuning = { readonly THREADS: number };

const filled = (dtype: DType): Element => quantsOf[dtype] ?? (dtype === "f16" ? "f16" : "f32");

/** Elements in 16 bytes. */
const perWord = (dtype: DType) => 128 / bitsOf[filled(dtype)];

/** What the shader writes: see there. */
const WRITES: Readonly<Record<Element, number>> = { f32: 0, f16: 1, i8: 2, i4: 2, i8x4: 2, u32: 2 };

const words: Variant<FillShape, FillTuning> = {
  shaders: { fill: wgsl },
  space: { THREADS: [64] },
  starts: [{ THREADS: 64 }],
  describe: ({ THREADS }) => `${THREADS} threads`,
  demand: ({ THREADS }) => ({ threads: THREADS, workgroupStorage: 0 }),
  stages: ({ THREADS }, { words }, dtype) => [
    {
      shader: "fill",
      prelude: preludeFor("f32", { THREADS, WRITES: WRITES[filled(dtype)] }),
      workgroups: Math.min(Math.ceil(words / THREADS), 16_384),
      binds: ["data"],
    },
  ],
  // Four numbers at least are in a word of any type.
  spot: ({ words }, { THREADS }, workgroup, choice) =>
    spotAt(0, pick(4 * workgroup * THREADS, 4 * THREADS, 4 * words, choice)),
};

/** Fills memory with seeded random numbers: the synthetic weights. */
export const fill: Kernel<FillShape> = {
  fields: ["words", "seed", "shrink"],
  variants: { words },
  shapeClass: () => "all",
  operands: ({ words }, dtype) => [
    { name: "data", rows: 1, columns: perWord(dtype) * words, role: "output", element: filled(dtype) },
  ],
  work: ({ words }) => ({ flops: 0, bytes: 16 * words }),
  products: () => 1,
  reference: ({ seed, shrink }, _inputs, _row, columns, dtype) =>
    columns.map((column) => {
      const value = storedAt(filled(dtype), seed, column);
      return { value: quantsOf[dtype] === undefined ? value / shrink : value, magnitude: 1 };
    }),
  tolerance: () => 0,
};
