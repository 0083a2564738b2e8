// Where caches end: the largest working set that is read clearly faster than the largest of all.

import type { CachePoint, Measurement, Result } from "../result";

/** Faster than memory by this share is a cache's doing. */
const CLEARLY = 1.2;

/** A working set of this many knees is read from memory, whatever a cache keeps of it. */
const SAFE = 4;

/** What is assumed of a cache where nobody measured so far: last-level caches hold this much. */
const ASSUMED = 2 ** 25;

/** The knee of a curve in bytes; 0 where the smallest set is read no faster than the largest, undefined without a curve. */
export function cacheKnee(curve: readonly CachePoint[]): number | undefined {
  const rates = curve.map(({ bytes, seconds }) => bytes / seconds);
  const memory = rates.at(-1);
  if (memory === undefined || curve.length < 3) return undefined;
  return curve.reduce(
    (knee, { bytes }, i) => (rates[i]! > CLEARLY * memory ? Math.max(knee, bytes) : knee),
    0,
  );
}

/** The largest cache that this device may have, in bytes: its knee, or an assumption where the curve ends too early. */
function largestCache({ cacheCurve }: Result): number {
  const knee = cacheKnee(cacheCurve);
  // All of a short curve may lie within one cache.
  const longEnough = (cacheCurve.at(-1)?.bytes ?? 0) > ASSUMED;
  return knee !== undefined && longEnough ? knee : ASSUMED;
}

/** Bytes that have to be rotated through, or a cache may keep some of them from one time to the next. */
export const safeRotation = (result: Result): number => SAFE * largestCache(result);

/** Whether a cache may have helped a cell that is said to read from memory. */
export const mayBeCached = (result: Result, { rotation }: Measurement): boolean =>
  rotation > 0 && rotation < safeRotation(result);
