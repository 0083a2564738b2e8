// Two ways to divide an output that many kernels share: a workgroup for each row, or a thread for each four numbers.

import { activationsOf } from "./elements";
import { pick, preludeFor, type Variant } from "./kernel";

/** Rows and columns of an output that threads or workgroups divide among them. */
interface Size {
  readonly rows: number;
  readonly columns: number;
}

type ThreadsTuning = { readonly THREADS: number };

interface Text {
  readonly shader: string;
  readonly wgsl: string;
  readonly binds: readonly string[];
  readonly constants?: Readonly<Record<string, number>>;
}

/** A thread for each vec4 of what `sizeOf` says. `placed` says where in the output a row and column of that is. */
export function byFours<Shape>(
  { shader, wgsl, binds, constants = {} }: Text,
  sizeOf: (shape: Shape) => Size,
  placed: (at: readonly [number, number], shape: Shape, choice: number) => readonly [number, number] = (at) =>
    at,
): Variant<Shape, ThreadsTuning> {
  return {
    shaders: { [shader]: wgsl },
    space: { THREADS: [16, 32, 64, 128, 256] },
    starts: [{ THREADS: 64 }, { THREADS: 256 }],
    describe: ({ THREADS }) => `${THREADS} threads`,
    demand: ({ THREADS }) => ({ threads: THREADS, workgroupStorage: 0 }),
    stages: ({ THREADS }, shape, dtype) => {
      const { rows, columns } = sizeOf(shape);
      const workgroups = Math.ceil((rows * Math.ceil(columns / 4)) / THREADS);
      return [
        { shader, prelude: preludeFor(activationsOf[dtype], { THREADS, ...constants }), workgroups, binds },
      ];
    },
    spot(shape, { THREADS }, workgroup, choice) {
      const { rows, columns } = sizeOf(shape);
      const words = Math.ceil(columns / 4);
      const index = pick(workgroup * THREADS, THREADS, rows * words, choice >>> 8);
      if (index === undefined) return undefined;
      const column = Math.min(4 * (index % words) + (choice & 3), columns - 1);
      return placed([Math.floor(index / words), column], shape, (choice >>> 2) & 63);
    },
  };
}

/** A workgroup for each row. `bytes` of workgroup memory for each thread; `outputs` have rows like it, one below the other. */
export const byRows = <Shape>(
  { shader, wgsl, binds, constants = {} }: Text,
  sizeOf: (shape: Shape) => Size,
  { bytes, outputs = 1 }: { readonly bytes: number; readonly outputs?: number },
): Variant<Shape, ThreadsTuning> => ({
  shaders: { [shader]: wgsl },
  space: { THREADS: [8, 16, 32, 64, 128, 256] },
  starts: [{ THREADS: 64 }, { THREADS: 256 }, { THREADS: 8 }],
  describe: ({ THREADS }) => `${THREADS} threads`,
  demand: ({ THREADS }) => ({ threads: THREADS, workgroupStorage: bytes * THREADS }),
  stages: ({ THREADS }, shape, dtype) => [
    {
      shader,
      prelude: preludeFor(activationsOf[dtype], { THREADS, ...constants }),
      workgroups: sizeOf(shape).rows,
      binds,
    },
  ],
  spot(shape, _tuning, workgroup, choice) {
    const { rows, columns } = sizeOf(shape);
    return workgroup >= rows
      ? undefined
      : [(choice % outputs) * rows + workgroup, Math.floor(choice / outputs) % columns];
  },
});
