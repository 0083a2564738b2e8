// Sentences about what is odd in a result, most important first.

import type { Measurement, Result } from "../result";
import { callName } from "../workloads";
import { orderStatistics, secondsPerCall, slopes } from "./statistics";
import { throughputs } from "./throughput";

/** Half the interval as a share of the median above which a figure is called rough. */
const ROUGH = 0.1;

/** Large last-level caches hold this much. */
const CACHE_BYTES = 2 ** 27;

/** Timestamps and wall clock may differ by this share. */
const CLOCKS_AGREE = 0.05;

/** How far the wall clock's slope is from the timestamps', as a share; undefined where only one clock was read. */
function clockDifference({ timing, clock }: Measurement): number | undefined {
  if (timing.kind !== "spans" || clock !== "timestamp-query") return undefined;
  const median = (by: Measurement["clock"]) => orderStatistics(slopes(timing.spans, by)).median;
  return median("wall") / median("timestamp-query") - 1;
}

const names = (measurements: readonly Measurement[]) => {
  const [first, ...others] = measurements.map(({ call, dtype }) => `${callName(call)} ${dtype}`);
  return others.length === 0 ? first : `${first} and ${others.length} more`;
};

/** What a reader has to know before trusting the numbers. */
export function diagnose(result: Result): string[] {
  const { device, host, completion, plan } = result;
  const warnings: string[] = [];
  if (device.software !== null) {
    warnings.push(
      `Software adapter: these are a CPU's numbers, not a GPU's (${device.software}). Turn on hardware acceleration, or look at the graphics driver.`,
    );
  }
  if (completion.status === "partial") warnings.push(`Partial result: ${completion.reason}.`);

  const failed = result.outcomes.filter((outcome) => outcome.status === "failed");
  for (const { call, dtype, error } of failed.slice(0, 5)) {
    warnings.push(`${callName(call)} ${dtype} failed and was not timed: ${error}`);
  }
  if (failed.length > 5)
    warnings.push(`${failed.length - 5} more cells failed; the table of cells has them.`);

  for (const { model, dtype, layers, ofLayers, bytes } of result.residency) {
    if (layers < ofLayers) {
      warnings.push(
        `${model} ${dtype}: ${layers} of ${ofLayers} layers resident, cycled (memory=${Math.round(bytes / 2 ** 20)}MiB).`,
      );
    }
  }
  for (const dtype of plan.dtype) {
    const skipped = result.outcomes.find(
      (outcome) => outcome.status === "skipped" && outcome.dtype === dtype,
    );
    if (skipped?.status === "skipped") warnings.push(`${dtype} was skipped: ${skipped.reason}.`);
  }

  const measured = result.outcomes.filter((outcome) => outcome.status === "measured");
  const cut = measured.filter(({ pieces }) => pieces > 1);
  if (cut.length > 0) {
    warnings.push(
      `${cut.length} of ${measured.length} calls were too large for one dispatch here: a part was measured and multiplied (the table of cells says which).`,
    );
  }
  const cached = measured.filter(({ rotation }) => rotation > 0 && rotation < CACHE_BYTES);
  if (cached.length > 0) {
    warnings.push(
      `${names(cached)} rotated through less than ${CACHE_BYTES / 2 ** 20} MiB: a large cache may have helped.`,
    );
  }
  const rough = measured.filter((cell) => {
    const { value, low, high } = secondsPerCall(cell);
    return (high - low) / 2 > ROUGH * value;
  });
  if (rough.length > 0)
    warnings.push(
      `Noisy: the interval of ${names(rough)} is wider than ±10 %. Close other programs, or use preset=rigorous.`,
    );

  const disagreeing = measured.filter((cell) => Math.abs(clockDifference(cell) ?? 0) > CLOCKS_AGREE);
  if (disagreeing.length > 0) {
    warnings.push(
      `Timestamps and wall clock differ by more than 5 % for ${names(disagreeing)}: timestamps are shown.`,
    );
  }
  for (const each of throughputs(result)) {
    if (!each.complete || each.roof === undefined) continue;
    const share = Math.max(
      each.flopsPerSecond.value / each.roof.flops,
      each.bytesPerSecond.value / each.roof.bandwidth,
    );
    if (share > 1.05) {
      warnings.push(
        `${each.workload.id} ${each.dtype} is faster than the measured roof (${Math.round(share * 100)} %): a cache, or a noisy probe.`,
      );
    }
  }
  if (host.kind === "browser" && !host.crossOriginIsolated) {
    warnings.push(
      "The page is not cross-origin isolated: its clock is coarse (the table of instruments has its step).",
    );
  }
  return warnings;
}
