// Firefox looks for finished GPU work from a timer of 100 ms, unless something is submitted: every await
// on the GPU then takes 100 ms, whatever was asked. An empty submit now and then makes it look sooner.
// https://bugzilla.mozilla.org/show_bug.cgi?id=1870699

import type { Clock } from "./clock";

/** Submits nothing every few ms until the function that it returns is called. */
export function nudge(clock: Clock, queue: GPUQueue): () => void {
  let pause = 0.001;
  let callOff = () => {};
  const submit = () => {
    queue.submit([]);
    // Less and less often, so that a long dispatch is not disturbed.
    pause = Math.min(1.5 * pause, 0.02);
    callOff = clock.after(pause, submit);
  };
  callOff = clock.after(pause, submit);
  return () => callOff();
}

export const isFirefox = (agent: string): boolean => /\bFirefox\//.test(agent);
