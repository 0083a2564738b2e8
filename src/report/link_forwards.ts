// Links: models that were run whole, as numbers: order statistics in place of samples, work in six digits.

import { fiveDigits, fromOffsets, offsetsOf } from "../analysis/estimate";
import { sixDigits, stepStatistics } from "../analysis/forward";
import type { ForwardOutcome, ForwardSamples, MeasuredForward } from "../forward_result";
import { isArray, named, values } from "./link_tables";

// In their order in a link. Fields that are added come last.
const fields = {
  case: ["model", "dtype", "prompt", "generate", "depth", "batch", "kv", "fused"],
  setting: ["chunk", "residentLayers", "ofLayers"],
  bytes: ["matrix", "vector", "table", "cache", "state", "activations", "scratch", "control"],
  work: ["flops", "weights", "cache", "activations"],
  decode: ["grouped", "steps", "stepsPerSubmit", "dispatches"],
  part: ["label", "kernel", "count", "seconds"],
} as const;

export function packTimes(times: ForwardSamples): number[] {
  const statistics = stepStatistics(times);
  const { count, median, p90, p99 } = statistics;
  return [count, median, p90, p99, ...offsetsOf(statistics)];
}

export function unpackTimes(packed: unknown): unknown {
  const [count, median, p90, p99, ...offsets] = isArray(packed) ? packed : [];
  return {
    kind: "order-statistics",
    ...fromOffsets(Number(count), Number(median), offsets.slice(0, 4).map(Number)),
    p90,
    p99,
  };
}

const packWork = (work: MeasuredForward["decode"]["work"]) =>
  fields.work.map((field) => sixDigits(work[field]));

function packMeasured(run: MeasuredForward): unknown[] {
  const { prefill, decode, interactive, breakdown, sustained } = run;
  return [
    [...values(run, fields.setting), Number(run.hidden)],
    values(run.bytes, fields.bytes),
    [prefill.dispatches, packTimes(prefill.times), packWork(prefill.work)],
    [
      decode.clock === "wall" ? "w" : "t",
      values(decode, fields.decode),
      fiveDigits(decode.wall),
      packTimes(decode.times),
      packWork(decode.work),
    ],
    packTimes(interactive),
    breakdown?.map((part) => values({ ...part, seconds: fiveDigits(part.seconds) }, fields.part)) ?? null,
    ...(sustained === null ? [] : [[fiveDigits(sustained.seconds), packTimes(sustained.times)]]),
  ];
}

function unpackMeasured(packed: readonly unknown[]) {
  const [setting, bytes, prefill, decode, interactive, breakdown, sustained] = packed;
  const [dispatches, reading, promptWork] = isArray(prefill) ? prefill : [];
  const [clock, counts, wall, writing, stepWork] = isArray(decode) ? decode : [];
  return {
    status: "measured",
    ...named(setting, fields.setting),
    hidden: isArray(setting) && setting[fields.setting.length] === 1,
    bytes: named(bytes, fields.bytes),
    prefill: { times: unpackTimes(reading), dispatches, work: named(promptWork, fields.work) },
    decode: {
      clock: clock === "w" ? "wall" : "timestamp-query",
      ...named(counts, fields.decode),
      wall,
      times: unpackTimes(writing),
      work: named(stepWork, fields.work),
    },
    interactive: unpackTimes(interactive),
    sustained: isArray(sustained) ? { seconds: sustained[0], times: unpackTimes(sustained[1]) } : null,
    breakdown: isArray(breakdown) ? breakdown.map((part) => named(part, fields.part)) : null,
  };
}

/** A whole model's outcome as an array. */
export function packForward(outcome: ForwardOutcome): unknown[] {
  const what = outcome.status === "measured" ? packMeasured(outcome) : [outcome.status[0], outcome.reason];
  return [values(outcome, fields.case), ...what];
}

/** Anything at all -> what may be the outcome of a whole model. */
export function unpackForward(packed: unknown): unknown {
  const [wanted, ...what] = isArray(packed) ? packed : [];
  const [mark, reason] = what;
  const given = named(wanted, fields.case);
  if (mark === "s") return { status: "skipped", ...given, reason };
  return mark === "f" ? { status: "failed", ...given, reason } : { ...given, ...unpackMeasured(what) };
}
