// How fast a working set is read again and again, from small to large: where caches end.

import type { Choice } from "../kernels/choices";
import { activationsOf, bitsOf } from "../kernels/elements";
import type { CachePoint } from "../result";
import type { Gpu } from "./device";
import { atOnePlace, prepare } from "./launch";
import type { Timer } from "./timer";
import { quickTime } from "./tune";
import type { Weights } from "./weights";

const SMALLEST = 2 ** 18;

/** Workgroups of the read kernel: enough for a large GPU, few enough for the smallest set. */
const GROUPS = 256;

/** Reads working sets of `SMALLEST` bytes, twice as many and so on up to `largest`, with one tuning of the read kernel. */
export async function cacheCurve(
  gpu: Gpu,
  timer: Timer,
  weights: Weights,
  choice: Choice,
  largest: number,
): Promise<CachePoint[]> {
  const points: CachePoint[] = [];
  for (let bytes = SMALLEST; bytes <= largest; bytes *= 2) {
    const words = (2 * bytes) / bitsOf[activationsOf[weights.dtype]] / GROUPS;
    const shape = { groups: GROUPS, words };
    const launch = await prepare(gpu, weights, { kernel: "read", shape }, weights.dtype, choice);
    try {
      points.push({ bytes, seconds: await quickTime(timer, atOnePlace(launch)) });
    } finally {
      launch.destroy();
    }
  }
  return points;
}
