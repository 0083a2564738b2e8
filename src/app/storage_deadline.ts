// The browser's storage may be refused, full, or never answer: nobody waits on it for long.

const DEADLINE_MS = 2000;

/** The promise, or an error after the deadline; what comes later still is handed to `tooLate`. */
export function answered<T>(promise: Promise<T>, tooLate?: (value: T) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      reject(new Error("no answer"));
    }, DEADLINE_MS);
    promise
      .then((value) => (late ? tooLate?.(value) : resolve(value)), reject)
      .finally(() => clearTimeout(timer));
  });
}

/** The same deadline for what takes a signal. */
export const deadline = (): AbortSignal => AbortSignal.timeout(DEADLINE_MS);
