import wgsl from "../../shaders/read.wgsl?raw";
import wide from "../../shaders/read_wide.wgsl?raw";
import { activationsOf, bitsOf } from "./elements";
import { type Kernel, onlyFloats, pick, preludeFor, spotAt, sumTolerance, type Variant } from "./kernel";

export type ReadShape = {
  readonly groups: number;
  /** vec4s in each group's slice. */
  readonly words: number;
};

export type ReadTuning = {
  readonly THREADS: number;
  /** Loads in flight. */
  readonly LOADS: number;
  /** 1 where each thread walks through a part of its own. */
  readonly OWN: number;
};

const described = ({ THREADS, LOADS, OWN }: ReadTuning, width: "" | "wide ") =>
  `${THREADS} threads, ${LOADS} ${OWN === 1 ? "own " : ""}${width}loads`;

/** Both variants but for what one load is. */
const sliced = (shader: string): Pick<Variant<ReadShape, ReadTuning>, "demand" | "stages" | "spot"> => ({
  demand: ({ THREADS }) => ({ threads: THREADS, workgroupStorage: THREADS * 16 }),
  stages: (tuning, { groups }, dtype) => [
    {
      shader,
      prelude: preludeFor(activationsOf[dtype], tuning),
      workgroups: groups,
      binds: ["data", "sums"],
    },
  ],
  spot: ({ groups }, _tuning, workgroup, choice) => spotAt(pick(workgroup, 1, groups, 0), choice & 3),
});

const THREADS = [4, 8, 16, 32, 64, 128, 256];

/** One vec4 a load. */
export const narrow: Variant<ReadShape, ReadTuning> = {
  ...sliced("read"),
  shaders: { read: wgsl },
  space: { THREADS, LOADS: [1, 2, 4, 8, 16], OWN: [0, 1] },
  starts: [
    { THREADS: 256, LOADS: 4, OWN: 0 },
    { THREADS: 64, LOADS: 8, OWN: 0 },
    { THREADS: 8, LOADS: 8, OWN: 0 },
    { THREADS: 8, LOADS: 8, OWN: 1 },
  ],
  describe: (tuning) => described(tuning, ""),
};

/** 64 bytes a load: fewer bounds to check, and whole cache lines for a thread that walks by itself. */
export const wideLoads: Variant<ReadShape, ReadTuning> = {
  ...sliced("read_wide"),
  shaders: { read_wide: wide },
  space: { THREADS, LOADS: [1, 2, 4, 8], OWN: [0, 1] },
  starts: [
    { THREADS: 8, LOADS: 2, OWN: 1 },
    { THREADS: 64, LOADS: 2, OWN: 0 },
  ],
  describe: (tuning) => described(tuning, "wide "),
  unfit: (_tuning, { words }) =>
    words % 4 === 0 ? undefined : "slices are not a whole number of 64-byte words",
};

/** Probe: sums memory and writes next to nothing. Its best rate is the bandwidth roof of decode. */
export const read: Kernel<ReadShape> = {
  fields: ["groups", "words"],
  variants: { narrow, wide: wideLoads },
  unsupported: onlyFloats,
  shapeClass: () => "all",

  operands: ({ groups, words }, dtype) => [
    { name: "data", rows: groups, columns: 4 * words, role: "weights", element: activationsOf[dtype] },
    { name: "sums", rows: groups, columns: 4, role: "output", element: "f32" },
  ],

  work: ({ groups, words }, dtype) => ({
    flops: 4 * groups * words,
    bytes: (groups * words * bitsOf[activationsOf[dtype]]) / 2 + 16 * groups,
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
