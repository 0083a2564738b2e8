import wgsl from "../../shaders/matmul.wgsl?raw";
import { dotProducts, type Kernel, pick, sizeOf, splitRange, spotAt, sumTolerance } from "./kernel";
import { preludeFor } from "./prelude";

export type MatmulShape = { readonly M: number; readonly N: number; readonly K: number };

export type MatmulTuning = {
  readonly GROUP_M: number;
  readonly GROUP_N: number;
  readonly THREAD_M: number;
  readonly THREAD_N: number;
  /** vec4s of each row held in workgroup memory; 0 = none, read through the caches. */
  readonly STAGE_K: number;
};

/** C = A · Bᵀ for many rows of A: the kernel that prefill is made of. */
export const matmul: Kernel<MatmulShape, MatmulTuning> = {
  wgsl,
  fields: ["M", "N", "K"],

  // Named by threads, patch per thread and staging. CPUs want the large unstaged patches, GPUs the staged ones.
  tunings: {
    "16x16 of 4x4 staged 4": { GROUP_M: 16, GROUP_N: 16, THREAD_M: 4, THREAD_N: 4, STAGE_K: 4 },
    "16x16 of 8x8 staged 2": { GROUP_M: 16, GROUP_N: 16, THREAD_M: 8, THREAD_N: 8, STAGE_K: 2 },
    "8x8 of 4x4 direct": { GROUP_M: 8, GROUP_N: 8, THREAD_M: 4, THREAD_N: 4, STAGE_K: 0 },
    "4x4 of 8x8 direct": { GROUP_M: 4, GROUP_N: 4, THREAD_M: 8, THREAD_N: 8, STAGE_K: 0 },
    "8x4 of 16x16 direct": { GROUP_M: 8, GROUP_N: 4, THREAD_M: 16, THREAD_N: 16, STAGE_K: 0 },
  },

  shapeClass: ({ M }) => (M < 64 ? "narrow" : "wide"),

  demand: ({ GROUP_M, GROUP_N, THREAD_M, THREAD_N, STAGE_K }, _shape, dtype) => ({
    threads: GROUP_M * GROUP_N,
    workgroupStorage:
      STAGE_K === 0 ? 0 : (GROUP_M * THREAD_M + GROUP_N * THREAD_N) * (STAGE_K + 1) * 4 * sizeOf[dtype],
  }),

  prelude: (tuning, _shape, dtype) => preludeFor(dtype, { ...tuning, STEP_K: Math.max(tuning.STAGE_K, 1) }),

  workgroups: ({ M, N }, { GROUP_M, GROUP_N, THREAD_M, THREAD_N }) =>
    Math.ceil(M / (GROUP_M * THREAD_M)) * Math.ceil(N / (GROUP_N * THREAD_N)),

  spot({ M, N }, { GROUP_M, GROUP_N, THREAD_M, THREAD_N }, workgroup, choice) {
    const [tileM, tileN] = [GROUP_M * THREAD_M, GROUP_N * THREAD_N];
    const tilesM = Math.ceil(M / tileM);
    return spotAt(
      pick((workgroup % tilesM) * tileM, tileM, M, choice >>> 16),
      pick(Math.floor(workgroup / tilesM) * tileN, tileN, N, choice & 0xffff),
    );
  },

  operands: ({ M, N, K }) => [
    { name: "a", rows: M, columns: K, role: "activations" },
    { name: "b", rows: N, columns: K, role: "weights" },
    { name: "c", rows: M, columns: N, role: "output" },
  ],

  work: ({ M, N, K }, dtype) => ({
    flops: 2 * M * N * K,
    bytes: (M * K + N * K + M * N) * sizeOf[dtype],
  }),

  /** Along N; along M too where N cannot give even half as many parts. */
  split({ M, N, K }, parts) {
    const narrow = splitRange(N, parts);
    const more = (parts * narrow) / N;
    return { M: more < 2 ? M : splitRange(M, more), N: narrow, K };
  },

  products: ({ K }) => K,

  reference: ({ K }, [a, b], row, columns) => dotProducts(a!, b!, K, row, columns),

  tolerance: ({ K }) => sumTolerance(K),
};
