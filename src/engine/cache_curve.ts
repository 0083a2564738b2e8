// How fast a working set is read again and again, from small to large: where caches end.

import type { Choice } from "../kernels/choices";
import { activationsOf, bitsOf } from "../kernels/elements";
import type { CachePoint } from "../result";
import { CURSORY, check } from "./check";
import { prepare } from "./launch";
import type { Instrument } from "./rounds";
import { quickTime } from "./tune";
import { largestPiece, type Weights } from "./weights";

const SMALLEST = 2 ** 18;
const LARGEST = 2 ** 30;

/** What a workgroup reads: small beside the smallest set, so that several have to share even that. */
const SLICE_BYTES = 2 ** 16;

/** What a dispatch reads at least: enough workgroups for a large GPU. At most: what no device takes long for. */
const LEAST_VOLUME = 2 ** 24;
const MOST_VOLUME = 2 ** 28;

/** A dispatch of the smallest set takes so many times what an empty one costs, or that would hide how fast it is. */
const ABOVE_COST = 100;

/**
 * Reads working sets of 256 KiB, twice as many bytes and so on up to 1 GiB or what there is in memory, with one choice
 * of `read`. A small set is read several times in each dispatch; one that is larger than a binding is read by as many
 * dispatches in turn. Throws where what was read is not what is there.
 */
export async function cacheCurve(
  { gpu, timer, instruments }: Instrument,
  weights: Weights,
  choice: Choice,
): Promise<CachePoint[]> {
  const { dtype } = weights;
  const words = (8 * SLICE_BYTES) / (4 * bitsOf[activationsOf[dtype]]);
  const largest = 2 ** Math.floor(Math.log2(largestPiece(gpu)));

  /**
   * Seconds for all of a working set, where a dispatch reads at least `volume` bytes or all of a binding; undefined
   * where there is less in memory.
   */
  const secondsFor = async (bytes: number, volume: number): Promise<number | undefined> => {
    const piece = Math.min(bytes, largest);
    const perDispatch = Math.max(piece, volume);
    const shape = { groups: perDispatch / SLICE_BYTES, words, slices: piece / SLICE_BYTES };
    const call = { kernel: "reread", shape } as const;
    const launch = await prepare(gpu, weights, call, dtype, choice, bytes / piece);
    try {
      if (launch.rotation < bytes) return undefined;
      await check(gpu, timer, launch, CURSORY);
      return ((await quickTime(timer, launch)) * bytes) / perDispatch;
    } finally {
      launch.destroy();
    }
  };

  const points: CachePoint[] = [];
  let volume = LEAST_VOLUME;
  for (let bytes = SMALLEST; bytes <= Math.min(LARGEST, weights.bytes); bytes *= 2) {
    let seconds = await secondsFor(bytes, volume);
    // The smallest set is read fastest: what is enough for it is enough for all.
    while (
      bytes === SMALLEST &&
      seconds !== undefined &&
      volume < MOST_VOLUME &&
      (seconds * volume) / bytes < ABOVE_COST * instruments.dispatchCost
    ) {
      volume *= 4;
      seconds = await secondsFor(bytes, volume);
    }
    if (seconds === undefined) break;
    points.push({ bytes, seconds });
  }
  return points;
}
