import wgsl from "../../shaders/read.wgsl?raw";
import { type Kernel, pick, sizeOf, spotAt, sumTolerance } from "./kernel";
import { preludeFor } from "./prelude";

export type ReadShape = {
  readonly groups: number;
  /** vec4s in each group's slice. */
  readonly words: number;
};

export type ReadTuning = {
  readonly THREADS: number;
  readonly LOADS: number;
  /** 1 where each thread walks through a part of its own. */
  readonly OWN: 0 | 1;
};

/** Probe: sums memory and writes next to nothing. Its best rate is the bandwidth roof of decode. */
export const read: Kernel<ReadShape, ReadTuning> = {
  wgsl,
  fields: ["groups", "words"],
  tunings: {
    "256 threads, 4 loads": { THREADS: 256, LOADS: 4, OWN: 0 },
    "64 threads, 8 loads": { THREADS: 64, LOADS: 8, OWN: 0 },
    "8 threads, 8 loads": { THREADS: 8, LOADS: 8, OWN: 0 },
    "16 threads, 4 own loads": { THREADS: 16, LOADS: 4, OWN: 1 },
    "8 threads, 8 own loads": { THREADS: 8, LOADS: 8, OWN: 1 },
  },
  shapeClass: () => "all",
  demand: ({ THREADS }) => ({ threads: THREADS, workgroupStorage: THREADS * 16 }),
  prelude: (tuning, _shape, dtype) => preludeFor(dtype, tuning),
  workgroups: ({ groups }) => groups,
  spot: ({ groups }, _tuning, workgroup, choice) => spotAt(pick(workgroup, 1, groups, 0), choice & 3),

  operands: ({ groups, words }) => [
    { name: "data", rows: groups, columns: 4 * words, role: "weights" },
    { name: "sums", rows: groups, columns: 4, role: "output", type: "f32" },
  ],

  work: ({ groups, words }, dtype) => ({
    flops: 4 * groups * words,
    bytes: 4 * groups * words * sizeOf[dtype] + 16 * groups,
  }),

  products: ({ words }) => words,

  reference({ words }, [data], row, columns) {
    return columns.map((column) => {
      let value = 0;
      let magnitude = 0;
      for (let word = 0; word < words; word++) {
        const term = data!(row, 4 * word + column);
        value += term;
        magnitude += Math.abs(term);
      }
      return { value, magnitude };
    });
  },

  tolerance: ({ words }) => sumTolerance(words),
};
