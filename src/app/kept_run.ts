// A run with what is around it: the screen stays on, and what was measured outlives the page.

import type { Plan } from "../plan";
import { keepRun, type Marker } from "./crash_marker";
import { type Run, type RunOptions, startRun } from "./engine_client";
import { keepAwake } from "./wake_lock";

export interface KeptRunOptions extends Omit<RunOptions, "earlier"> {
  /** A run of the same plan that was cut short, to go on with. */
  readonly earlier: Marker | undefined;
  /** It cannot be resumed if the page goes: the browser stores nothing, or another tab is measuring. */
  onNotKept(): void;
}

/** Starts a run that can be resumed. */
export function startKeptRun(
  plan: Plan,
  { earlier, onProgress, onNotKept, ...options }: KeptRunOptions,
): Run {
  const letSleep = keepAwake();
  const keeper = keepRun(earlier, onNotKept);
  const run = startRun(plan, {
    ...options,
    earlier: earlier?.result,
    onProgress(progress) {
      keeper.keep(progress);
      onProgress(progress);
    },
  });
  void run.outcome.then(() => {
    letSleep();
    keeper.end();
  });
  return run;
}
