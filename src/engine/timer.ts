// Times n dispatches in one go, by the wall clock and by the GPU's timestamps.

import type { Span } from "../result";
import { sleepThrough } from "./dawn_polling";
import { type Gpu, guarded } from "./device";
import { type Launch, readBack } from "./launch";

/** No pass may keep the GPU busy much longer: drivers take a device away that does not answer (2 s on Windows). */
const PASS_SECONDS = { desktop: 0.1, mobile: 0.03 };

const MAX_PASSES = 64;

export interface Timer {
  /** Whether the device has timestamps. */
  readonly timestamps: boolean;
  /**
   * Runs `dispatches` and waits for them. `estimate` is the expected time of one, in seconds; it bounds
   * how many go into one pass. GPU time is null without timestamps, and where they make no sense.
   */
  span(launch: Launch, dispatches: number, estimate: number): Promise<Span>;
  /** Raw timestamps around `passes` passes of one dispatch, in ns. */
  stamps(launch: Launch, passes: number): Promise<BigInt64Array>;
  destroy(): void;
}

export function createTimer(gpu: Gpu): Timer {
  const { device } = gpu;
  const passSeconds = PASS_SECONDS[gpu.mobile ? "mobile" : "desktop"];
  const timestamps = gpu.has("timestamp-query");
  const queries = timestamps
    ? device.createQuerySet({ type: "timestamp", count: 2 * MAX_PASSES })
    : undefined;
  const resolved = timestamps
    ? device.createBuffer({
        size: 16 * MAX_PASSES,
        usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
      })
    : undefined;
  // Dispatches go on through the rotation from span to span.
  const position = new WeakMap<Launch, number>();

  /** The passes as command buffers, ready to be submitted one by one. */
  const encode = (launch: Launch, passes: readonly number[]): GPUCommandBuffer[] =>
    passes.map((count, i) => {
      const from = position.get(launch) ?? 0;
      position.set(launch, from + count);
      const encoder = device.createCommandEncoder();
      const stamps = queries && {
        timestampWrites: {
          querySet: queries,
          beginningOfPassWriteIndex: 2 * i,
          endOfPassWriteIndex: 2 * i + 1,
        },
      };
      const pass = encoder.beginComputePass(stamps);
      launch.encode(pass, from, count);
      pass.end();
      return encoder.finish();
    });

  const submit = (buffers: readonly GPUCommandBuffer[]) => {
    for (const buffer of buffers) device.queue.submit([buffer]);
  };

  const readStamps = async (passes: number) => {
    const encoder = device.createCommandEncoder();
    encoder.resolveQuerySet(queries!, 0, 2 * passes, resolved!, 0);
    device.queue.submit([encoder.finish()]);
    return new BigInt64Array(await readBack(gpu, resolved!, 16 * passes));
  };

  return {
    timestamps,

    span(launch, dispatches, estimate) {
      return guarded(gpu, `timing ${launch.kernel}`, async () => {
        const most = Math.max(
          1,
          Math.floor(passSeconds / Math.max(estimate, 1e-9)),
          Math.ceil(dispatches / MAX_PASSES),
        );
        const passes = Array.from({ length: Math.ceil(dispatches / most) }, (_, i) =>
          Math.min(most, dispatches - i * most),
        );
        const buffers = encode(launch, passes);
        const began = performance.now();
        submit(buffers);
        if (gpu.polls) await sleepThrough(dispatches * estimate);
        // Reading the timestamps back waits for the work as well: one await, not two.
        const stamps = timestamps
          ? await readStamps(passes.length)
          : await gpu.await(device.queue.onSubmittedWorkDone(), `running ${dispatches} × ${launch.kernel}`);
        const wall = (performance.now() - began) / 1000;
        if (stamps === undefined) return { dispatches, wall, gpu: null };

        let total = 0n;
        for (let i = 0; i < passes.length; i++) {
          const elapsed = stamps[2 * i + 1]! - stamps[2 * i]!;
          // Implementations may report anything here: https://github.com/gpuweb/gpuweb/issues/4995
          if (elapsed <= 0n) return { dispatches, wall, gpu: null };
          total += elapsed;
        }
        const seconds = Number(total) / 1e9;
        return { dispatches, wall, gpu: seconds > 1.05 * wall + 1e-3 ? null : seconds };
      });
    },

    async stamps(launch, passes) {
      submit(
        encode(
          launch,
          Array.from({ length: passes }, () => 1),
        ),
      );
      return readStamps(passes);
    },

    destroy() {
      queries?.destroy();
      resolved?.destroy();
    },
  };
}
