// Simulated time: it stands still while code runs, but for what the code's work is said to cost, and jumps from
// event to event. A promise that nothing will ever settle is a deadlock, and found at once.

import type { Clock } from "../../src/engine/clock";

interface Event {
  readonly at: number;
  readonly order: number;
  readonly fire: () => void;
  cancelled: boolean;
}

/** Reading a clock takes this long; a loop that waits for it to move ends. */
const READ_SECONDS = 2e-7;

export class SimulatedClock implements Clock {
  /** Seconds since the simulation began, exactly. */
  exact = 0;
  readonly #events: Event[] = [];
  #order = 0;

  /** A clock whose readings move in steps of `step` seconds. */
  constructor(readonly step: number) {}

  now(): number {
    this.exact += READ_SECONDS;
    return Math.floor(this.exact / this.step) * this.step;
  }

  after(seconds: number, callback: () => void): () => void {
    return this.at(this.exact + seconds, callback);
  }

  /** Calls back at an exact time. */
  at(time: number, fire: () => void): () => void {
    const event: Event = { at: time, order: this.#order++, fire, cancelled: false };
    // Kept sorted, latest first; events are few at any time.
    let place = this.#events.length;
    while (place > 0 && this.#before(this.#events[place - 1]!, event)) place--;
    this.#events.splice(place, 0, event);
    return () => {
      event.cancelled = true;
    };
  }

  #before(a: Event, b: Event): boolean {
    return a.at < b.at || (a.at === b.at && a.order < b.order);
  }

  /** The host's own work takes time too. */
  work(seconds: number): void {
    this.exact += seconds;
  }

  /** Runs the simulation until a promise settles. Throws where nothing is left to happen before that. */
  async drive<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    const done = () => {
      settled = true;
    };
    promise.then(done, done);
    for (;;) {
      // Everything that is ready to run runs before time goes on.
      await new Promise((resolve) => setImmediate(resolve));
      if (settled) return promise;
      const event = this.#events.pop();
      if (event === undefined) throw new Error("deadlock: what is awaited will never happen");
      if (event.cancelled) continue;
      this.exact = Math.max(this.exact, event.at);
      event.fire();
    }
  }
}
