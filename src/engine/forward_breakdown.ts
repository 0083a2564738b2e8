// Where the time of a step goes, by what each dispatch does.

import { median } from "../statistics";
import type { Forward, PreparedPass } from "./forward";
import type { ForwardMeasurement } from "./forward_measurement";

/** Times that a step is taken apart. */
const BREAKDOWNS = 3;

/** One step with every dispatch timed by itself, the median of a few, summed up by label. */
export async function breakdown(
  ready: Forward,
  step: PreparedPass,
  position: number,
): Promise<ForwardMeasurement["breakdown"]> {
  const count = step.dispatches.length;
  if (ready.plan.timed < count) return null;
  const runs: number[][] = [];
  for (let i = 0; i < BREAKDOWNS; i++) {
    const { device } = ready.gpu;
    const encoder = device.createCommandEncoder();
    step.encode(encoder, position, undefined, { each: "dispatch", first: 0 });
    device.queue.submit([encoder.finish()]);
    const stamps = await ready.readStamps(count);
    if (stamps === null) return null;
    runs.push(stamps.map(({ begin, end }) => Math.max(0, end - begin)));
  }
  const labels = new Map<string, { label: string; kernel: string; count: number; seconds: number }>();
  step.dispatches.forEach(({ label, call }, i) => {
    const known = labels.get(label) ?? { label, kernel: call.kernel, count: 0, seconds: 0 };
    const seconds = median(runs.map((run) => run[i] ?? 0));
    labels.set(label, { ...known, count: known.count + 1, seconds: known.seconds + seconds });
  });
  return [...labels.values()].sort((a, b) => b.seconds - a.seconds);
}
