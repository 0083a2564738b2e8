// Version 1 of links: a Result as arrays, with what repeats kept once.

import { fromOffsets, offsetsOf, secondsPerDispatch } from "../analysis/statistics";
import type { Outcome, Result } from "../result";

const MIB = 2 ** 20;

const digits = (value: number, count: number) => Number(value.toPrecision(count));

/** An object by its field names. */
type Fields = Readonly<Record<string, unknown>>;

// The fields of version 1 in their order in a link: objects travel as arrays of their values. A field that
// is added to the schema is added to the end of its list, and missing in older links.
const fields = {
  tool: ["version", "commit"],
  host: ["kind", "agent", "crossOriginIsolated", "mobile", "logicalCores"],
  device: ["vendor", "architecture", "device", "description", "software", "features"],
  limits: [
    "maxBufferSize",
    "maxStorageBufferBindingSize",
    "maxComputeInvocationsPerWorkgroup",
    "maxComputeWorkgroupSizeX",
    "maxComputeWorkgroupStorageSize",
    "maxComputeWorkgroupsPerDimension",
  ],
  instruments: ["clockStep", "timestampQuantum", "completionFloor", "submitCost", "dispatchCost"],
  plan: ["preset", "model", "pp", "tg", "depth", "batch", "dtype", "kernel", "memory"],
  residency: ["model", "dtype", "layers", "ofLayers", "bytes"],
  workload: ["id", "phase", "tokens", "batch", "layers", "model"],
} as const;

const isArray = (value: unknown): value is unknown[] => Array.isArray(value);

const values = (object: Fields, names: readonly string[]): unknown[] => names.map((name) => object[name]);

/** The reverse of `values`. A value that is not there leaves its field out. */
function named(packed: unknown, names: readonly string[]): Fields {
  if (!isArray(packed)) return {};
  return Object.fromEntries(
    names.flatMap((name, i) => (packed[i] === undefined || packed[i] === null ? [] : [[name, packed[i]]])),
  );
}

/** Keeps each value once and gives its place. */
function interner() {
  const table: unknown[] = [];
  const places = new Map<string, number>();
  return {
    table,
    place(value: unknown): number {
      const key = JSON.stringify(value);
      const known = places.get(key);
      if (known !== undefined) return known;
      places.set(key, table.length);
      return table.push(value) - 1;
    },
  };
}

type Call = Outcome["call"];

/** Calls by place: a kernel's field names once, then the numbers of each call. */
function packCalls() {
  const kernels = interner();
  const calls = interner();
  return {
    tables: [kernels.table, calls.table],
    place: ({ kernel, shape }: Call) =>
      calls.place([kernels.place([kernel, ...Object.keys(shape)]), ...Object.values(shape)]),
  };
}

function unpackCalls(kernels: readonly unknown[], calls: readonly unknown[]): unknown[] {
  return calls.map((call) => {
    const [place, ...sizes] = isArray(call) ? call : [];
    const signature = kernels[Number(place)];
    if (!isArray(signature)) return undefined;
    const [kernel, ...names] = signature;
    return { kernel, shape: named(sizes, names.map(String)) };
  });
}

function packOutcome(outcome: Outcome, place: (call: Call) => number): unknown[] {
  const head = [place(outcome.call), outcome.dtype];
  if (outcome.status === "skipped") return ["s", ...head, outcome.reason];
  if (outcome.status === "failed") return ["f", ...head, outcome.error];
  const { tuning, piece, pieces, rotation, clock, check, compileSeconds } = outcome;
  const statistics = secondsPerDispatch(outcome);
  const { count, median } = statistics;
  // The median has five digits: a whole number and an exponent are shorter than "0.0046951".
  const [mantissa = "", exponent] = median.toExponential(4).split("e");
  return [
    clock === "wall" ? "w" : "t",
    ...head,
    tuning,
    place(piece),
    pieces,
    Math.round(rotation / MIB),
    check.elements,
    digits(check.error, 2),
    digits(check.tolerance, 2),
    digits(compileSeconds, 1),
    count,
    Number(mantissa.replace(".", "")),
    Number(exponent),
    ...offsetsOf(statistics),
  ];
}

function unpackOutcome(packed: unknown, calls: readonly unknown[]): unknown {
  if (!isArray(packed)) return undefined;
  const [mark, call, dtype, ...rest] = packed;
  const head = { call: calls[Number(call)], dtype };
  if (mark === "s") return { status: "skipped", ...head, reason: rest[0] };
  if (mark === "f") return { status: "failed", ...head, error: rest[0] };
  const [
    tuning,
    piece,
    pieces,
    rotation,
    elements,
    error,
    tolerance,
    compileSeconds,
    count,
    digits,
    exponent,
    ...offsets
  ] = rest;
  return {
    status: "measured",
    ...head,
    tuning,
    piece: calls[Number(piece)],
    pieces,
    rotation: Number(rotation) * MIB,
    clock: mark === "w" ? "wall" : "timestamp-query",
    timing: {
      kind: "order-statistics",
      ...fromOffsets(Number(count), Number(`${digits}e${Number(exponent) - 4}`), offsets.map(Number)),
    },
    check: { elements, error, tolerance },
    compileSeconds,
  };
}

/** The result in the form that `unpack` reads. */
export function pack(result: Result): unknown[] {
  const { schema, tool, createdAt, completion, host, device, instruments, plan } = result;
  const calls = packCalls();
  const outcomes = result.outcomes.map((outcome) => packOutcome(outcome, calls.place));
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
    values({ ...plan }, fields.plan),
    plan.calls.map(calls.place),
    result.residency.map((each) => values(each, fields.residency)),
    workloads,
    outcomes,
    ...calls.tables,
  ];
}

/** Anything at all -> what may be a Result; `parseResult` decides. */
export function unpack(packed: unknown): unknown {
  if (!isArray(packed)) return undefined;
  const [schema, createdAt, partial, tool, host, device, limits, instruments, plan, planCalls, ...more] =
    packed;
  const [residency, workloads, outcomes, kernels, callTable] = more;
  if (!isArray(planCalls) || !isArray(residency) || !isArray(workloads) || !isArray(outcomes))
    return undefined;
  if (!isArray(kernels) || !isArray(callTable)) return undefined;
  const calls = unpackCalls(kernels, callTable);
  return {
    schema,
    tool: named(tool, fields.tool),
    createdAt,
    completion: partial === 0 ? { status: "complete" } : { status: "partial", reason: partial },
    host: named(host, fields.host),
    device: { software: null, ...named(device, fields.device), limits: named(limits, fields.limits) },
    instruments:
      instruments === null ? null : { timestampQuantum: null, ...named(instruments, fields.instruments) },
    plan: { ...named(plan, fields.plan), calls: planCalls.map((place) => calls[Number(place)]) },
    workloads: workloads.map((each) => {
      const [head, steps] = isArray(each) ? each : [];
      if (!isArray(steps)) return undefined;
      return {
        ...named(head, fields.workload),
        steps: steps.map((step) =>
          isArray(step) ? { label: step[0], count: step[1], call: calls[Number(step[2])] } : undefined,
        ),
      };
    }),
    residency: residency.map((each) => named(each, fields.residency)),
    tunings: [],
    outcomes: outcomes.map((outcome) => unpackOutcome(outcome, calls)),
  };
}
