// When one cell has been measured enough.

import type { Effort } from "../effort";
import type { Instruments, Stop } from "../result";
import { median, notch } from "../statistics";

export { type Effort, efforts } from "../effort";

/** The shortest span that these instruments time to half a percent. */
export function spanSeconds(instruments: Instruments, stamped: boolean, { minSpanSeconds }: Effort): number {
  const { clockStep, completionFloor, timestampQuantum } = instruments;
  return stamped
    ? Math.max(minSpanSeconds, 200 * (timestampQuantum ?? 0))
    : Math.max(minSpanSeconds, 200 * clockStep, Math.min(20 * completionFloor, 0.5));
}

/** How often a cell is looked at. Every look is a chance to stop at a lucky moment, which would make intervals too narrow. */
const LOOK_EVERY = 4;

/** Why the samples are enough, or undefined while they are not. `seconds` is how long they took. */
export function enough(samples: readonly number[], seconds: number, effort: Effort): Stop | undefined {
  const { minRounds, maxRounds, precision, cellSeconds } = effort;
  const { length } = samples;
  if (length >= minRounds && (length - minRounds) % LOOK_EVERY === 0) {
    const uncertainty = notch(samples) / median(samples);
    if (uncertainty <= precision) return "precise";
    // Intervals shrink as the square root of the samples: would the rest of them do?
    const needed = length * (uncertainty / precision) ** 2;
    if (length >= 2 * minRounds && needed > 4 * maxRounds) return "noise";
  }
  if (length >= maxRounds) return "rounds";
  // Slow cells and slow clocks get more time, for an interval needs samples; but not without end.
  const patience = length >= minRounds ? 1 : length >= 6 ? 4 : 12;
  return seconds >= patience * cellSeconds && length >= 3 ? "time" : undefined;
}
