// The second stage of products whose K is split over workgroups: each leaves its part of every sum, and these are added up.

import wgsl from "../../shaders/sum_parts.wgsl?raw";
import type { Float } from "./elements";
import { type Operand, pick, preludeFor, type Stage, spotAt, strideOf } from "./kernel";
import type { MatmulShape } from "./product";

const THREADS = 64;

export const sumShaders = { sum_parts: wgsl };

/** What the first stage leaves: SPLIT outputs, one below the other. */
export const partsOf = (SPLIT: number, { M, N }: MatmulShape): Operand[] =>
  SPLIT === 1 ? [] : [{ name: "parts", rows: SPLIT * M, columns: N, role: "scratch", element: "f32" }];

/** Adds the parts up into the operand named `output`. */
export const sumStage = (elem: Float, SPLIT: number, { M, N }: MatmulShape, output: string): Stage => ({
  shader: "sum_parts",
  prelude: preludeFor(elem, { THREADS, SPLIT }),
  workgroups: Math.ceil((M * Math.ceil(N / 4)) / THREADS),
  binds: ["parts", output],
});

/** An element that a workgroup of that stage writes. */
export function sumSpot({ M, N }: MatmulShape, workgroup: number, choice: number) {
  const stride = strideOf(N);
  const at = pick(4 * workgroup * THREADS, 4 * THREADS, M * stride, choice);
  const column = at === undefined || at % stride >= N ? undefined : at % stride;
  return spotAt(at === undefined ? undefined : Math.floor(at / stride), column);
}
