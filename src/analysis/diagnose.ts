// Sentences about what is odd in a result, most important first.

import { forwardName } from "../forward_result";
import { workOf } from "../kernels";
import { isProbe } from "../kernels/probes";
import type { Measurement, Result } from "../result";
import type { Oddity } from "../timing";
import { callName } from "../workloads";
import { mayBeCached, safeRotation } from "./cache_knee";
import { secondsPerCall } from "./estimate";
import { wholeModels } from "./forward";
import { odditiesOf } from "./oddities";
import { measuredRoof } from "./roofline";
import { isSlowed, slowdown } from "./throttling";
import { throughputs } from "./throughput";

/** Half the interval as a share of the median above which a figure is called rough. */
const ROUGH = 0.1;

/** Steps of a clock from this on are coarse: 100 us is what a page that is not isolated gets. */
const COARSE_SECONDS = 50e-6;

/** Above the roof by more than a probe's own noise. */
const ABOVE_ROOF = 1.05;

const nameOf = ({ call, dtype }: Measurement) => `${callName(call)} ${dtype}`;

const listed = ([first, ...others]: readonly string[]) =>
  others.length === 0 ? first : `${first} and ${others.length} more`;

const names = (measurements: readonly Measurement[]) => listed(measurements.map(nameOf));

/** Small shares to a digit: 12 -> "12 %". */
const percentOf = (share: number) => `${Math.round(100 * share)} %`;

type Finding = string | undefined | false;

function device({ device: { software, type, others, description } }: Result): Finding[] {
  const discrete = others.find((other) => /discrete/i.test(other));
  return [
    software !== null &&
      `Software adapter: these are a CPU's numbers, not a GPU's (${software}). Turn on hardware acceleration, or look at the graphics driver.`,
    /integrated/i.test(type) &&
      discrete !== undefined &&
      `The browser handed out the integrated GPU (${description || "unnamed"}) although this machine has another: ${discrete}. Choose it for the browser in the system's graphics settings.`,
  ];
}

function events({ completion, incidents, outcomes }: Result): Finding[] {
  const failed = outcomes.filter((outcome) => outcome.status === "failed");
  return [
    completion.status === "partial" && `Partial result: ${completion.reason}.`,
    ...incidents.slice(0, 3).map(({ says }) => `On the way: ${says}.`),
    incidents.length > 3 && `${incidents.length - 3} more such incidents.`,
    ...failed
      .slice(0, 5)
      .map(({ call, dtype, error }) => `${callName(call)} ${dtype} failed and has no time: ${error}`),
    failed.length > 5 && `${failed.length - 5} more cells failed; the table of cells has them.`,
  ];
}

function speed(result: Result, measured: readonly Measurement[]): Finding[] {
  const hidden = measured.filter((cell) => cell.hidden);
  const seen = measured.filter((cell) => !cell.hidden);
  const slowed = seen.filter((cell) => isSlowed(result, cell));
  const worst = Math.max(0, ...slowed.map((cell) => slowdown(result, cell) ?? 0));
  const drifting = seen.filter((cell) => !isSlowed(result, cell) && odditiesOf(cell).includes("drift"));
  return [
    hidden.length > 0 && `The page was hidden during ${names(hidden)}: browsers slow hidden pages down.`,
    slowed.length > 0 &&
      `The device was slowed down around ${names(slowed)} (a fixed kernel took up to ${percentOf(worst)} longer than usual): heat, power limits or other programs. Let it cool, close what else runs, and measure again.`,
    drifting.length > 0 &&
      `The speed of ${names(drifting)} changed meanwhile, as on a device that grows hot or is still waking up. Measure again.`,
  ];
}

function coverage({ residency, plan, outcomes }: Result, measured: readonly Measurement[]): Finding[] {
  const skipped = plan.dtype.flatMap((dtype) => {
    const found = outcomes.find((outcome) => outcome.status === "skipped" && outcome.dtype === dtype);
    return found?.status === "skipped" ? [`${dtype} was skipped: ${found.reason}.`] : [];
  });
  const cut = measured.filter(({ pieces }) => pieces > 1);
  return [
    ...residency
      .filter(({ layers, ofLayers }) => layers < ofLayers)
      .map(
        ({ model, dtype, layers, ofLayers, bytes }) =>
          `${model} ${dtype}: ${layers} of ${ofLayers} layers resident, cycled (memory=${Math.round(bytes / 2 ** 20)}MiB).`,
      ),
    ...skipped,
    cut.length > 0 &&
      `${cut.length} of ${measured.length} calls were too large for one dispatch here: a part was measured and multiplied (the table of cells says which).`,
  ];
}

/** Whole models: those that have no figures and why, and what to know of those that have. */
function wholes({ forwards, plan }: Result): Finding[] {
  const found = forwards.filter((each) => each.status === "measured");
  const skipped = new Map(
    forwards.flatMap((each) => (each.status === "skipped" ? [[`${each.model} ${each.reason}`, each]] : [])),
  );
  const hidden = found.filter((each) => each.hidden);
  const short = found.filter(({ decode, generate }) => decode.steps < generate);
  return [
    ...forwards.flatMap((each) =>
      each.status === "failed" ? [`${forwardName(each)} was not run whole: ${each.reason}`] : [],
    ),
    ...[...skipped.values()].map(({ model, reason }) => `${model} is not run whole: ${reason}.`),
    ...found
      .filter(({ residentLayers, ofLayers }) => residentLayers < ofLayers)
      .map(
        (each) =>
          `${forwardName(each)}: ${each.residentLayers} of ${each.ofLayers} layers in memory took turns (memory=${Math.round(plan.memory / 2 ** 20)}MiB): a cache may keep what a whole model would read from memory.`,
      ),
    short.length > 0 &&
      `There was no time to write all tokens: ${listed(short.map((each) => `${forwardName(each)} wrote ${each.decode.steps} of ${each.generate}`))}.`,
    hidden.length > 0 &&
      `The page was hidden while ${listed(hidden.map(forwardName))} ran: browsers slow hidden pages down.`,
  ];
}

/** What each oddity of samples means; drift is a matter of the device's speed. */
const meanings: Readonly<Record<Exclude<Oddity, "drift">, (cells: string) => string>> = {
  "two speeds": (cells) =>
    `Two speeds: the samples of ${cells} fall into two groups, as when clocks or caches switch; the median is one of them.`,
  "clocks disagree": (cells) =>
    `Timestamps and wall clock differ by more than 5 % for ${cells}: timestamps are shown.`,
  outliers: (cells) => `Interruptions: many samples of ${cells} lie far from the others; none was dropped.`,
};

function samples(result: Result, measured: readonly Measurement[]): Finding[] {
  const having = (oddity: Oddity) => measured.filter((cell) => odditiesOf(cell).includes(oddity));
  const rough = measured.filter((cell) => {
    const { value, low, high } = secondsPerCall(cell);
    return (high - low) / 2 > ROUGH * value;
  });
  const hopeless = rough.filter(({ stopped }) => stopped === "noise");
  const setAside = measured.filter(({ timing }) => timing.kind === "spans" && timing.setAside !== null);
  const cached = measured.filter((cell) => mayBeCached(result, cell));
  const oddities = ["two speeds", "clocks disagree", "outliers"] as const;
  return [
    rough.length > 0 &&
      `Noisy: the interval of ${names(rough)} is wider than ±10 %. Close other programs${result.plan.preset === "rigorous" ? "" : ", or use preset=rigorous"}.`,
    hopeless.length > 0 && `More samples would not have helped ${names(hopeless)}: the noise is stable.`,
    ...oddities.map((oddity) => {
      const cells = having(oddity);
      return cells.length > 0 && meanings[oddity](names(cells) ?? "");
    }),
    setAside.length > 0 &&
      `Timestamps made no sense for ${names(setAside)}: the first rounds were set aside and the wall clock was used.`,
    cached.length > 0 &&
      `${names(cached)} rotated through less than ${Math.round(safeRotation(result) / 2 ** 20)} MiB, of which a cache here may keep some: it may have helped.`,
  ];
}

function roofs(result: Result, measured: readonly Measurement[]): Finding[] {
  const above = measured.filter((cell) => {
    const { call, dtype } = cell;
    const roof = measuredRoof(result, dtype);
    if (roof === undefined || isProbe(call.kernel)) return false;
    const { flops, bytes } = workOf(call, dtype);
    return Math.max(flops / roof.flops, bytes / roof.bandwidth) > ABOVE_ROOF * secondsPerCall(cell).value;
  });
  const whole = throughputs(result).flatMap((each) => {
    if (!each.complete || each.roof === undefined) return [];
    const reached = Math.max(
      each.flopsPerSecond.value / each.roof.flops,
      each.bytesPerSecond.value / each.roof.bandwidth,
    );
    return reached > ABOVE_ROOF ? [`${each.workload.id} ${each.dtype} (${percentOf(reached)})`] : [];
  });
  const runs = wholeModels(result).flatMap(({ run, perToken: { measured: step, roofline } }) =>
    roofline !== undefined && roofline > ABOVE_ROOF * step.value
      ? [`${forwardName(run)} (${percentOf(roofline / step.value)})`]
      : [],
  );
  return [
    runs.length > 0 &&
      `Run whole, faster than the measured roof: ${runs.join(", ")}. A cache, or a noisy probe.`,
    whole.length > 0 && `Faster than the measured roof: ${whole.join(", ")}. A cache, or a noisy probe.`,
    whole.length === 0 &&
      above.length > 0 &&
      `Faster than the measured roof: ${names(above)}. A cache, or a noisy probe.`,
  ];
}

function instruments({ instruments: found, host }: Result): Finding[] {
  if (found === null) return [];
  const { clockStep, timestampQuantum } = found;
  const isolation =
    host.kind === "browser" && !host.crossOriginIsolated ? " (the page is not cross-origin isolated)" : "";
  const micros = (seconds: number) => `${Math.round(seconds * 1e6)} µs`;
  return [
    timestampQuantum === null &&
      "No GPU timestamps here: the wall clock alone was used, and intervals are wider.",
    timestampQuantum !== null &&
      timestampQuantum >= COARSE_SECONDS &&
      `Coarse timestamps: they step by ${micros(timestampQuantum)}, so everything was timed over 200 steps.`,
    clockStep >= COARSE_SECONDS && `Coarse clock: it steps by ${micros(clockStep)}${isolation}.`,
  ];
}

/** What a reader has to know before trusting the numbers. */
export function diagnose(result: Result): string[] {
  const measured = result.outcomes.filter((outcome) => outcome.status === "measured");
  return [
    ...device(result),
    ...events(result),
    ...speed(result, measured),
    ...coverage(result, measured),
    ...wholes(result),
    ...samples(result, measured),
    ...roofs(result, measured),
    ...instruments(result),
  ].filter((finding) => typeof finding === "string");
}
