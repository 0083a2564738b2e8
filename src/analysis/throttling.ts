// Was the device as fast as at its best while a cell was measured? The reference kernel, read before and
// after each cell, says so.

import type { Measurement, Reference, Result } from "../result";
import { median, robustDeviation } from "../statistics";
import { odditiesOf } from "./oddities";

/** Slower than the run's good readings by this share: below 10 %, so that 10 % is never missed. */
const THROTTLED = 0.065;

/** And beyond noise: of dozens of readings the best lie two standard deviations below their middle, the worst three above. */
const DEVIATIONS = 5;

/** Seconds per dispatch of each reading. */
const speeds = ({ readings }: Reference) => readings.map(({ samples }) => median(samples));

/** What the reference kernel takes when nothing slows the device: the middle of the three best readings. */
const baseline = (reference: Reference): number =>
  median(
    speeds(reference)
      .sort((a, b) => a - b)
      .slice(0, 3),
  );

/** The variance of a reading that is due to the noise within it, in seconds squared; 0 where samples are too few. */
function ownVariance({ readings }: Reference): number {
  const variances = readings.map(({ samples }) =>
    // The variance of a median is about pi/2 times that of a mean.
    samples.length < 3 ? 0 : (1.57 * robustDeviation(samples) ** 2) / samples.length,
  );
  return variances.reduce((sum, each) => sum + each, 0) / variances.length;
}

/** How much slower than usual the device was around a cell, as a share; undefined where nobody looked. */
export function slowdown({ reference }: Result, { readings }: Measurement): number | undefined {
  if (reference === null || readings === null) return undefined;
  const usual = baseline(reference);
  const around = readings.map((reading) => reference.readings[reading]);
  if (around.some((reading) => reading === undefined)) return undefined;
  return Math.max(...around.map((reading) => median(reading?.samples ?? []) / usual - 1));
}

/** Whether the reference kernel was slower around a cell than its own noise explains. */
export function isSlowed(result: Result, measurement: Measurement): boolean {
  const { reference } = result;
  const slower = slowdown(result, measurement);
  if (reference === null || slower === undefined) return false;
  return slower > Math.max(THROTTLED, (DEVIATIONS * Math.sqrt(ownVariance(reference))) / baseline(reference));
}

/** Whether the device was throttled, or slowed by something else, around or during a cell. */
export const isThrottled = (result: Result, measurement: Measurement): boolean =>
  isSlowed(result, measurement) || odditiesOf(measurement).includes("drift");

/**
 * How much the device's own speed wandered during a run: the standard deviation of the readings beyond what their
 * samples' noise explains, as a share. Two runs cannot be told apart more finely. 0 with fewer than four readings.
 */
export function wander({ reference }: Pick<Result, "reference">): number {
  if (reference === null || reference.readings.length < 4) return 0;
  const all = speeds(reference);
  const excess = robustDeviation(all) ** 2 - ownVariance(reference);
  return Math.sqrt(Math.max(0, excess)) / median(all);
}
