// Keeps the screen on: a screen that goes dark slows the GPU down, and on a phone it ends the run.

/** Asks for it, again whenever the page is visible again. A refusal is of no consequence. Returns what lets go. */
export function keepAwake(): () => void {
  let over = false;
  let lock: WakeLockSentinel | undefined;
  const ask = async () => {
    if (document.visibilityState === "hidden") return;
    try {
      // The browser itself has let go of this one when the page was hidden.
      await lock?.release();
      lock = await navigator.wakeLock.request("screen");
      if (over) await lock.release();
    } catch {
      // Not there, not allowed, or the battery is low.
    }
  };
  void ask();
  document.addEventListener("visibilitychange", ask);
  return () => {
    over = true;
    document.removeEventListener("visibilitychange", ask);
    lock?.release().catch(() => {});
  };
}
