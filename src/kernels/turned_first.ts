// A product whose operands lie the other way, by a variant of matmul: what it wants turned is turned first, in memory of
// its own. Worth it where that variant is so much faster.

import wgsl from "../../shaders/transpose.wgsl?raw";
import { floats } from "./f32_only";
import type { AnyTuning, Operand, Stage, Variant } from "./kernel";
import type { MatmulShape } from "./product";

type Turned = "a" | "b";

/** Four by four numbers a thread. */
const SIDE = 32;
const THREADS = 64;

const turned = (which: Turned, { M, N, K }: MatmulShape): Operand => ({
  ...floats(`${which} turned`, which === "a" ? M : N, K),
  role: "scratch",
});

const turning = (which: Turned, { M, N, K }: MatmulShape): Stage => ({
  shader: "transpose",
  prelude: { constants: { OF_A: Number(which === "a") } },
  workgroups: Math.ceil(K / SIDE) * Math.ceil((which === "a" ? M : N) / SIDE),
  binds: [which, `${which} turned`],
});

/** The variant of matmul, C = A · Bᵀ, for operands of which these lie the other way. */
export const turnedFirst = <Tuning extends AnyTuning>(
  variant: Variant<MatmulShape, Tuning>,
  which: readonly Turned[],
): Variant<MatmulShape, Tuning> => ({
  ...variant,
  shaders: { ...variant.shaders, transpose: wgsl },
  describe: (tuning) => `${variant.describe(tuning)} turned first`,
  demand(tuning, shape, dtype) {
    const own = variant.demand(tuning, shape, dtype);
    return { ...own, threads: Math.max(own.threads, THREADS) };
  },
  stages: (tuning, shape, dtype) => [
    ...which.map((each) => turning(each, shape)),
    ...variant.stages(tuning, shape, dtype).map((stage) => ({
      ...stage,
      binds: stage.binds.map((bound) => (which.some((each) => each === bound) ? `${bound} turned` : bound)),
    })),
  ],
  scratch: (tuning, shape, dtype) => [
    ...which.map((each) => turned(each, shape)),
    ...(variant.scratch?.(tuning, shape, dtype) ?? []),
  ],
});
