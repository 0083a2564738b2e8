// Clocks take 0.2 to 0.5 s to rise, so a kernel is warmed up by time, and until its speed no longer changes.

import { type Effort, spanSeconds } from "./effort";
import type { Launch } from "./launch";
import type { Instrument } from "./rounds";

/** Two blocks of dispatches in a row that agree to this share. */
const AGREE = 0.02;

const BLOCK_SECONDS = 0.05;

/** While blocks are too short, the next has so many times the dispatches. */
const GROWTH = 4;

export interface Warmup {
  readonly seconds: number;
  /** Whether the last two blocks agreed. */
  readonly converged: boolean;
  /** Seconds per dispatch in the last block. */
  readonly estimate: number;
}

/** Runs blocks of a launch for at least the effort's time, until two agree or the limit is reached. */
export async function warmUp(
  { gpu, timer, instruments }: Instrument,
  launch: Launch,
  effort: Effort,
): Promise<Warmup> {
  const began = gpu.clock.now();
  let estimate = 0;
  for (let dispatches = 1; ; ) {
    const span = await timer.span(launch, dispatches, estimate);
    const time = span.gpu ?? Math.max(span.wall - instruments.completionFloor, instruments.clockStep, 1e-9);
    const previous = estimate;
    estimate = Math.max(time / dispatches, 1e-8);
    const seconds = gpu.clock.now() - began;
    // What is shorter than its clock can tell says nothing yet.
    const resolved = spanSeconds(instruments, span.gpu !== null, effort);
    const block = Math.max(Math.min(BLOCK_SECONDS, effort.warmupSeconds), resolved);
    if (time < block / 2 && dispatches < 65_536) {
      // A first dispatch may be far slower than the next, and a short span than its clock's step.
      dispatches = Math.min(GROWTH * dispatches, 65_536);
      continue;
    }
    const converged = Math.abs(estimate / previous - 1) <= AGREE;
    if (seconds >= effort.warmupSeconds && (converged || seconds >= effort.warmupLimit))
      return { seconds, converged, estimate };
    dispatches = Math.max(1, Math.round(block / estimate));
  }
}
