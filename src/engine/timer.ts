// Times dispatches: spans of n of them in one go, by the wall clock and by the GPU's timestamps.

import type { Instruments } from "../result";
import { uniform } from "../statistics";
import type { Span } from "../timing";
import { sleep } from "./clock";
import { sleepThrough } from "./dawn_polling";
import { type Gpu, guarded } from "./device";
import type { Launch } from "./launch";

/** No pass may keep the GPU busy much longer: drivers take a device away that does not answer (2 s on Windows). */
const PASS_SECONDS = { desktop: 0.1, mobile: 0.03 };

const MAX_PASSES = 64;

/** A completion floor above this is a timer's. */
export const POLLED_SECONDS = 0.01;

/** Groups of spans that may be under way at once: the next one is there before the last one ends, so that the GPU never waits. */
export const IN_FLIGHT = 2;

/** Where the timestamps of one group of spans go. */
interface Slot {
  readonly queries: GPUQuerySet;
  readonly resolved: GPUBuffer;
  readonly staging: GPUBuffer;
}

export interface Timer {
  /** Whether the device has timestamps. */
  readonly timestamps: boolean;
  /** Two spans have to differ by so many seconds for their difference to be the dispatches' and not the clock's. */
  readonly tells: number;
  /** Whether a second group of spans may be started before the first has ended. */
  readonly overlaps: boolean;
  /**
   * Runs spans of these numbers of dispatches one after another: without a pause between them where the timer
   * `overlaps`, else, or where `apart` says so, each is awaited by itself. `estimate` is the expected time of a dispatch, in seconds; it
   * bounds how many go into one pass. GPU time is null without timestamps, and where they make no sense.
   */
  spans(launch: Launch, counts: readonly number[], estimate: number, apart?: "apart"): Promise<Span[]>;
  /** A single span. */
  span(launch: Launch, dispatches: number, estimate: number): Promise<Span>;
  /** Raw timestamps around `passes` passes of one dispatch, in ns. */
  stamps(launch: Launch, passes: number): Promise<BigInt64Array>;
  /** The number in the rotation of the dispatch that wrote the launch's output last. */
  lastDispatch(launch: Launch): number;
  destroy(): void;
}

/** A timer of a device; once calibrated, it judges timestamps by what the wall clock can resolve. */
export function createTimer(gpu: Gpu, instruments?: Instruments): Timer {
  const { device, clock } = gpu;
  const passSeconds = PASS_SECONDS[gpu.mobile ? "mobile" : "desktop"];
  const timestamps = gpu.has("timestamp-query");
  const overlaps = timestamps && !gpu.polls;
  const floor = instruments?.completionFloor ?? 0;
  const slack = 1e-3 + 2 * floor + 2 * (instruments?.clockStep ?? 0);
  // Where completion is looked for from a slow timer, spans that began right after a tick would all be rounded
  // alike: each begins at a random moment between two ticks instead.
  const polled = floor > POLLED_SECONDS;
  const random = uniform(gpu.freshSeed());

  const createSlot = (): Slot => {
    const size = 16 * MAX_PASSES;
    return {
      queries: device.createQuerySet({ type: "timestamp", count: 2 * MAX_PASSES }),
      resolved: device.createBuffer({ size, usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC }),
      staging: device.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST }),
    };
  };
  const slots = timestamps ? Array.from({ length: IN_FLIGHT }, createSlot) : [];
  // After an error a slot's buffer may stay mapped: it is not used again, and neither is the timer.
  const free = [...slots];

  // Dispatches go on through the rotation from span to span.
  const next = new WeakMap<Launch, number>();
  let lastDone = Number.NEGATIVE_INFINITY;

  /** One pass of `count` dispatches as a command buffer. Its timestamps are the `index`th pair. */
  const encode = (launch: Launch, count: number, slot: Slot | undefined, index: number): GPUCommandBuffer => {
    const from = next.get(launch) ?? 0;
    next.set(launch, from + count);
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass(
      slot && {
        timestampWrites: {
          querySet: slot.queries,
          beginningOfPassWriteIndex: 2 * index,
          endOfPassWriteIndex: 2 * index + 1,
        },
      },
    );
    launch.encode(pass, from, count);
    pass.end();
    return encoder.finish();
  };

  /** How the dispatches of each span are divided into passes. */
  const divide = (counts: readonly number[], estimate: number): number[][] => {
    const total = counts.reduce((sum, count) => sum + count, 0);
    const most = Math.max(
      1,
      Math.floor(passSeconds / Math.max(estimate, 1e-9)),
      Math.ceil(total / (MAX_PASSES - counts.length)),
    );
    return counts.map((count) =>
      Array.from({ length: Math.ceil(count / most) }, (_, i) => Math.min(most, count - i * most)),
    );
  };

  /** Submits all passes of a span; each pass by itself, so that no submit is long. */
  const submit = (launch: Launch, passes: readonly number[], slot: Slot | undefined, first: number) => {
    const buffers = passes.map((count, i) => encode(launch, count, slot, first + i));
    const began = clock.now();
    for (const buffer of buffers) device.queue.submit([buffer]);
    return began;
  };

  const resolve = ({ queries, resolved, staging }: Slot, passes: number) => {
    const encoder = device.createCommandEncoder();
    encoder.resolveQuerySet(queries, 0, 2 * passes, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, staging, 0, 16 * passes);
    device.queue.submit([encoder.finish()]);
    const mapped = staging.mapAsync(GPUMapMode.READ, 0, 16 * passes);
    // Whoever ends meanwhile leaves it unawaited.
    mapped.catch(() => {});
    return mapped;
  };

  const stampsOf = ({ staging }: Slot, passes: number) => {
    const stamps = new BigInt64Array(staging.getMappedRange(0, 16 * passes).slice(0));
    staging.unmap();
    return stamps;
  };

  /** Seconds between the stamps of each span's passes; null where an implementation reports nonsense (https://github.com/gpuweb/gpuweb/issues/4995). */
  const elapsed = (stamps: BigInt64Array, spans: readonly (readonly number[])[]): (number | null)[] => {
    let at = 0;
    return spans.map((passes) => {
      let total = 0n;
      let sound = true;
      for (const _ of passes) {
        const time = stamps[2 * at + 1]! - stamps[2 * at]!;
        sound &&= time > 0n;
        total += time;
        at++;
      }
      return sound ? Number(total) / 1e9 : null;
    });
  };

  /** Spans without their GPU time where more of that went by than time has passed. */
  const judged = (spans: Span[], passed: number): Span[] => {
    const stamped = spans.reduce((sum, span) => sum + (span.gpu ?? 0), 0);
    return stamped <= 1.05 * passed + slack ? spans : spans.map((span) => ({ ...span, gpu: null }));
  };

  /** All spans at once; their walls are the times between completions. */
  const overlapped = async (launch: Launch, counts: readonly number[], estimate: number, slot: Slot) => {
    const spans = divide(counts, estimate);
    const passes = spans.reduce((sum, { length }) => sum + length, 0);
    const { submitted, completed, mapped } = await guarded(gpu, `timing ${launch.kernel}`, () => {
      const submitted: number[] = [];
      const completed: Promise<number>[] = [];
      let first = 0;
      for (const each of spans) {
        submitted.push(submit(launch, each, slot, first));
        completed.push(device.queue.onSubmittedWorkDone().then(() => clock.now()));
        first += each.length;
      }
      const all = Promise.all(completed);
      // Whoever ends meanwhile leaves it unawaited.
      all.catch(() => {});
      // Promises in an object are not awaited: the submits are what has to be without an error.
      return { submitted, completed: all, mapped: resolve(slot, passes) };
    });
    const what = `running ${counts.reduce((a, b) => a + b)} × ${launch.kernel}`;
    await gpu.await(mapped, what);
    const times = elapsed(stampsOf(slot, passes), spans);
    const done = await gpu.await(completed, what);
    const walls = done.map((time, i) => {
      const wall = time - Math.max(lastDone, submitted[i]!);
      lastDone = time;
      return Math.max(0, wall);
    });
    // The end of one group may be told with the next one's: what is certain is that all of it came after its submit.
    const passed = done.at(-1)! - submitted[0]!;
    return judged(
      counts.map((dispatches, i): Span => ({ dispatches, wall: walls[i]!, gpu: times[i]! })),
      passed,
    );
  };

  /** A span by itself, awaited. */
  const awaited = async (launch: Launch, dispatches: number, estimate: number): Promise<Span> => {
    const slot = slots[0];
    const spans = divide([dispatches], estimate);
    if (polled && (slot === undefined || overlaps)) await sleep(clock, random() * floor);
    const passes = spans[0]!.length;
    // Reading the timestamps back waits for the work as well: one await, not two.
    const done = () => (slot === undefined ? device.queue.onSubmittedWorkDone() : resolve(slot, passes));
    const { began, ended } = await guarded(gpu, `timing ${launch.kernel}`, () => ({
      began: submit(launch, spans[0]!, slot, 0),
      ended: gpu.polls ? undefined : done(),
    }));
    ended?.catch(() => {});
    if (gpu.polls) await sleepThrough(clock, dispatches * estimate);
    await gpu.await(ended ?? done(), `running ${dispatches} × ${launch.kernel}`);
    const wall = Math.max(0, clock.now() - began);
    const stamped = slot === undefined ? null : elapsed(stampsOf(slot, passes), spans)[0]!;
    return judged([{ dispatches, wall, gpu: stamped }], wall)[0]!;
  };

  const timer: Timer = {
    timestamps,
    overlaps,
    tells: Math.max(0.01, timestamps ? 0 : 3 * floor),

    async spans(launch, counts, estimate, apart) {
      if (!overlaps || apart) {
        const spans: Span[] = [];
        for (const count of counts) spans.push(await awaited(launch, count, estimate));
        return spans;
      }
      const slot = free.pop();
      if (slot === undefined) throw new Error(`more than ${IN_FLIGHT} groups of spans at once`);
      const spans = await overlapped(launch, counts, estimate, slot);
      free.push(slot);
      return spans;
    },

    async span(launch, dispatches, estimate) {
      const [span] = await timer.spans(launch, [dispatches], estimate);
      return span!;
    },

    async stamps(launch, passes) {
      const slot = slots[0]!;
      submit(
        launch,
        Array.from({ length: passes }, () => 1),
        slot,
        0,
      );
      await gpu.await(resolve(slot, passes), "reading timestamps");
      return stampsOf(slot, passes);
    },

    lastDispatch: (launch) => (next.get(launch) ?? 1) - 1,

    destroy() {
      for (const { queries, resolved, staging } of slots) {
        queries.destroy();
        resolved.destroy();
        staging.destroy();
      }
    },
  };
  return timer;
}
