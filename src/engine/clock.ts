// The engine's only source of time, so that tests can put a simulated one in its place.

export interface Clock {
  /** Seconds since some moment, in whatever steps the host's clock has. */
  now(): number;
  /** Calls back once, after at least so many seconds. Returns what calls that off. */
  after(seconds: number, callback: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => performance.now() / 1000,
  after(seconds, callback) {
    const timer = setTimeout(callback, 1000 * seconds);
    return () => clearTimeout(timer);
  },
};

export const sleep = (clock: Clock, seconds: number): Promise<void> =>
  new Promise((resolve) => {
    clock.after(seconds, resolve);
  });

/** An await that passed its deadline. What it waited for may only be slow, or may never come. */
export class NoAnswer extends Error {}

/** The promise's own outcome, or NoAnswer with the name of `what` after `seconds`. */
export async function withDeadline<T>(
  clock: Clock,
  promise: Promise<T>,
  what: string,
  seconds: number,
): Promise<T> {
  let callOff = () => {};
  const deadline = new Promise<never>((_, reject) => {
    callOff = clock.after(seconds, () =>
      reject(new NoAnswer(`${what}: no answer in ${Number(seconds.toPrecision(3))} s`)),
    );
  });
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    callOff();
  }
}
