// Version 1 of links: a Result as arrays.

import type { CachePoint, Reference, Result } from "../result";
import { median, robustDeviation } from "../statistics";
import { packOutcomes, unpackOutcomes, unpackRow } from "./link_cells";
import { packForward, unpackForward } from "./link_forwards";
import {
  type Call,
  digits,
  type Fields,
  isArray,
  named,
  packCalls,
  unpackCalls,
  values,
} from "./link_tables";
import { packTraining, unpackTraining } from "./link_trainings";

// The fields of version 1 in their order in a link: objects travel as arrays of their values. A field that
// is added to the schema is added to the end of its list, and missing in older links.
const fields = {
  tool: ["version", "commit"],
  host: ["kind", "agent", "crossOriginIsolated", "mobile", "logicalCores"],
  device: ["vendor", "architecture", "device", "description", "software", "features", "type", "others"],
  limits: [
    "maxBufferSize",
    "maxStorageBufferBindingSize",
    "maxComputeInvocationsPerWorkgroup",
    "maxComputeWorkgroupSizeX",
    "maxComputeWorkgroupStorageSize",
    "maxComputeWorkgroupsPerDimension",
  ],
  instruments: ["clockStep", "timestampQuantum", "completionFloor", "submitCost", "dispatchCost"],
  plan: ["preset", "model", "pp", "tg", "depth", "batch", "dtype", "kernel", "memory", "sustain"],
  whole: ["forward", "kv", "fused", "train"],
  residency: ["model", "dtype", "layers", "ofLayers", "bytes"],
  workload: ["id", "phase", "tokens", "batch", "layers", "model"],
} as const;

/** Noise within readings travels in ten-thousandths of them. */
const NOISE_STEPS = 10_000;

/** How far the outer two of three samples are from the middle one where they are as noisy as the readings, as a share. */
function noiseOf({ readings }: Reference): number {
  const variances = readings.map(({ samples }) =>
    samples.length < 3 ? 0 : ((robustDeviation(samples) / median(samples)) ** 2 * 3) / samples.length,
  );
  const mean = variances.reduce((sum, each) => sum + each, 0) / Math.max(1, variances.length);
  return Math.sqrt(mean) / robustDeviation([-1, 0, 1]);
}

/** Readings in thousandths away from the first, and their noise. When they were taken, no report tells. */
function packReference(reference: Reference, place: (call: Call) => number): unknown[] {
  const speeds = reference.readings.map(({ samples }) => median(samples));
  const [first = 1] = speeds;
  return [
    place(reference.call),
    digits(first, 5),
    Math.round(NOISE_STEPS * noiseOf(reference)),
    speeds.map((speed) => Math.round(1000 * (speed / first - 1))),
  ];
}

function unpackReference(packed: unknown, calls: readonly unknown[]): unknown {
  if (!isArray(packed)) return null;
  const [call, first, noise, offsets] = packed;
  if (!isArray(offsets)) return undefined;
  const away = Number(noise) / NOISE_STEPS;
  const readings = offsets.map((offset) => {
    const speed = (1 + Number(offset) / 1000) * Number(first);
    return { at: 0, samples: [speed * (1 - away), speed, speed * (1 + away)] };
  });
  return { call: calls[Number(call)], readings };
}

/** Sizes as powers of two, and rates in hundredths of the last one's. */
function packCurve(curve: readonly CachePoint[]): unknown[] {
  const last = curve.at(-1);
  if (last === undefined) return [];
  const rate = ({ bytes, seconds }: CachePoint) => bytes / seconds;
  return [
    digits(last.seconds, 3),
    curve.map(({ bytes }) => Math.log2(bytes)),
    curve.map((point) => Math.max(1, Math.round((100 * rate(point)) / rate(last)))),
  ];
}

function unpackCurve(packed: unknown): unknown {
  if (!isArray(packed)) return undefined;
  const [seconds, powers, rates] = packed;
  if (!isArray(powers) || !isArray(rates)) return [];
  const all = powers.map((power) => Math.round(2 ** Number(power)));
  const last = all.at(-1) ?? 0;
  return all.map((bytes, i) => ({
    bytes,
    seconds: (Number(seconds) * bytes * 100) / (last * Number(rates[i])),
  }));
}

/** The result in the form that `unpack` reads. */
export function pack(result: Result): unknown[] {
  const { schema, tool, createdAt, completion, host, device, instruments, plan } = result;
  const calls = packCalls();
  const outcomes = packOutcomes(result.outcomes, calls.place);
  const reference = result.reference && packReference(result.reference, calls.place);
  const workloads = result.workloads.map((workload) => [
    values({ ...workload }, fields.workload),
    workload.steps.map(({ label, count, call }) => [label, count, calls.place(call)]),
  ]);
  return [
    schema,
    createdAt,
    completion.status === "complete" ? 0 : completion.reason,
    values(tool, fields.tool),
    values(host, fields.host),
    values(device, fields.device),
    values(device.limits, fields.limits),
    instruments &&
      values(instruments, fields.instruments).map((value) =>
        typeof value === "number" ? digits(value, 3) : value,
      ),
    [...values({ ...plan }, fields.plan), ...packWhole(plan)],
    plan.calls.map(calls.place),
    result.residency.map((each) => values(each, fields.residency)),
    workloads,
    outcomes,
    ...calls.tables(),
    result.seed,
    reference,
    packCurve(result.cacheCurve),
    result.incidents.map(({ at, says }) => [Math.round(at), says]),
    ...(result.forwards.length + result.trainings.length > 0 ? [result.forwards.map(packForward)] : []),
    ...(result.trainings.length > 0 ? [result.trainings.map(packTraining)] : []),
  ];
}

/** The fields of a result that schema 1 did not have. */
function unpackSince2(
  [seed, reference, curve, incidents]: readonly unknown[],
  calls: readonly unknown[],
): Fields {
  return {
    seed,
    reference: unpackReference(reference, calls),
    cacheCurve: unpackCurve(curve),
    incidents: isArray(incidents) ? incidents.map((each) => named(each, ["at", "says"])) : undefined,
  };
}

/** What a plan says of whole models where nobody asked for anything. */
const asUsual = { forward: false, kv: ["auto"], fused: [true], train: false };

/** What a plan says of whole models. Few plans ask for them: it is missing where it is as usual. */
function packWhole(plan: Result["plan"]): unknown[] {
  const said = values({ ...plan }, fields.whole);
  return JSON.stringify(said) === JSON.stringify(values(asUsual, fields.whole)) ? [] : said;
}

/** The fields of a plan; those of whole models came with schema 4 and 5. */
function unpackPlan(packed: unknown, schema: unknown): Fields {
  const plan = named(packed, fields.plan);
  if (!isSince(4, schema)) return plan;
  const whole = isArray(packed) ? named(packed.slice(fields.plan.length), fields.whole) : {};
  return { ...plan, ...(isSince(5, schema) ? asUsual : { forward: false }), ...whole };
}

const isSince = (first: number, schema: unknown) => typeof schema === "number" && schema >= first;

function unpackWorkload(packed: unknown, calls: readonly unknown[]): unknown {
  const [head, steps] = isArray(packed) ? packed : [];
  if (!isArray(steps)) return undefined;
  return {
    ...named(head, fields.workload),
    steps: steps.map((step) =>
      isArray(step) ? { label: step[0], count: step[1], call: calls[Number(step[2])] } : undefined,
    ),
  };
}

/** Anything at all -> what may be a Result; `parseResult` decides. */
export function unpack(packed: unknown): unknown {
  if (!isArray(packed)) return undefined;
  const [schema, createdAt, partial, tool, host, device, limits, instruments, plan, planCalls, ...more] =
    packed;
  const [residency, workloads, outcomes, kernels, callTable, ...since2] = more;
  const [, , , , forwards = [], trainings = []] = since2;
  if (!isArray(planCalls) || !isArray(residency) || !isArray(workloads) || !isArray(outcomes))
    return undefined;
  if (!isArray(kernels) || !isArray(callTable)) return undefined;
  const calls = unpackCalls(kernels, callTable);
  return {
    ...(schema !== 1 && unpackSince2(since2, calls)),
    ...(isSince(4, schema) && { forwards: isArray(forwards) ? forwards.map(unpackForward) : forwards }),
    ...(isSince(5, schema) && { trainings: isArray(trainings) ? trainings.map(unpackTraining) : trainings }),
    schema,
    tool: named(tool, fields.tool),
    createdAt,
    completion: partial === 0 ? { status: "complete" } : { status: "partial", reason: partial },
    host: named(host, fields.host),
    device: { software: null, ...named(device, fields.device), limits: named(limits, fields.limits) },
    instruments:
      instruments === null ? null : { timestampQuantum: null, ...named(instruments, fields.instruments) },
    plan: { ...unpackPlan(plan, schema), calls: planCalls.map((place) => calls[Number(place)]) },
    workloads: workloads.map((each) => unpackWorkload(each, calls)),
    residency: residency.map((each) => named(each, fields.residency)),
    tunings: [],
    outcomes: schema === 1 ? outcomes.map((row) => unpackRow(row, calls)) : unpackOutcomes(outcomes, calls),
  };
}
