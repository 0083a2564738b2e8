// Whether a worker is alive. A worker that the browser has killed for its memory, or that is stuck, says nothing
// at all, and a promise of its never settles: only silence tells.

const BEAT_SECONDS = 1;

/** How long a worker may be silent: its longest pauses are compilations and float64 references of some seconds. */
export const PATIENCE_SECONDS = 15;

const LOOK_SECONDS = 0.5;

/** In the worker: a sign of life every second, for as long as it can give one. */
export function beat(): void {
  setInterval(() => postMessage("alive"), 1000 * BEAT_SECONDS);
}

/**
 * In the page: calls back, once, when the worker has been silent for so long. Counts its own looks and not time, in
 * which a sleeping computer or a blocked page would be silence of the worker; and none while the page is hidden,
 * whose timers browsers slow down. Returns what ends the watch.
 */
export function watch(worker: Worker, patienceSeconds: number, onSilence: () => void): () => void {
  let silence = 0;
  const heard = () => {
    silence = 0;
  };
  worker.addEventListener("message", heard);
  const timer = setInterval(() => {
    silence = document.visibilityState === "hidden" ? 0 : silence + LOOK_SECONDS;
    if (silence <= patienceSeconds) return;
    clearInterval(timer);
    onSilence();
  }, 1000 * LOOK_SECONDS);
  return () => {
    clearInterval(timer);
    worker.removeEventListener("message", heard);
  };
}
