// Result: what happened, never what it means. The engine writes it, everything after only reads it, and
// JSON is its only form. Rates, medians, verdicts are derived on reading, so that a mended formula mends
// old results too. Units: seconds, bytes.

import * as v from "valibot";
import { positive, problemOf, seconds, share, text, whole } from "./bounds";
import { forwardSchema, MAX_FORWARDS } from "./forward_result";
import { callSchema, dtypeSchema, planSchema } from "./plan";
import { migrate } from "./result_migration";
import { clockSchema, hasSamples, spanSchema, timingSchema } from "./timing";
import { MAX_TRAININGS, trainingSchema } from "./training_result";

export const SCHEMA = 5;

/** Where the engine ran. */
const hostSchema = v.strictObject({
  kind: v.picklist(["browser", "node"]),
  /** User agent, or Node's version. */
  agent: text,
  crossOriginIsolated: v.boolean(),
  mobile: v.boolean(),
  logicalCores: whole(65_536),
});

/** What WebGPU says about the adapter; strings are empty where the browser keeps them to itself. */
const deviceSchema = v.strictObject({
  vendor: text,
  architecture: text,
  device: text,
  description: text,
  /** "discrete GPU" or "integrated GPU" where the browser says so. */
  type: text,
  /** Other adapters of this machine, as they describe themselves. */
  others: v.pipe(v.array(text), v.maxLength(8)),
  /** Why the adapter is taken for a CPU, or null for a GPU. */
  software: v.nullable(text),
  features: v.pipe(v.array(text), v.maxLength(100)),
  limits: v.record(text, v.pipe(v.number(), v.finite(), v.minValue(0))),
});

/** What the clocks and the queue of this device can resolve, measured before anything else. */
const instrumentsSchema = v.strictObject({
  /** Smallest step of performance.now(). */
  clockStep: seconds,
  /** Step of timestamp queries; null without them. */
  timestampQuantum: v.nullable(seconds),
  /** From an empty submit to the report of its completion, median of 20. */
  completionFloor: seconds,
  /** From a submit with one empty dispatch to the report of its completion, median of 20. */
  submitCost: seconds,
  /** One more empty dispatch in the same pass. */
  dispatchCost: seconds,
});

/** Why no more samples were taken. */
export const stops = ["precise", "noise", "time", "rounds", "unknown"] as const;

const cell = { call: callSchema, dtype: dtypeSchema };

const measuredFields = v.strictObject({
  status: v.literal("measured"),
  ...cell,
  tuning: text,
  /** What one dispatch did: the call, or a part of it where the whole was too large for one dispatch. */
  piece: callSchema,
  /** How many such dispatches make the call; not whole where the last piece is smaller. */
  pieces: v.pipe(v.number(), v.finite(), v.minValue(1), v.maxValue(1e9)),
  /** Memory the dispatches rotated through, in bytes; 0 where nothing is streamed. */
  rotation: v.pipe(v.number(), v.integer(), v.minValue(0)),
  clock: clockSchema,
  /** Under continuous load, every dispatch on memory that the last ones did not touch. */
  timing: timingSchema,
  /** `precise`: the interval is narrow; `noise`: it would not become so; `time` and `rounds`: the preset's limits. */
  stopped: v.picklist(stops),
  /** Until two blocks of dispatches agreed, or the preset's limit; null where it was not recorded. */
  warmup: v.nullable(v.strictObject({ seconds, converged: v.boolean() })),
  /** The very first dispatch of this shader on this device; null where it was not recorded. */
  firstRun: v.nullable(spanSchema),
  /** The same with all dispatches on the same memory: what a cache gives. Null where nothing is streamed. */
  cacheHot: v.nullable(timingSchema),
  /** Further rounds after `seconds` of continuous load; null where the plan did not ask for it. */
  sustained: v.nullable(v.strictObject({ seconds, timing: timingSchema })),
  /** Which readings of the reference kernel were taken right before and right after; null without one. */
  readings: v.nullable(v.tuple([whole(10_000), whole(10_000)])),
  /** How often it was begun again, because the device was throttled or the page hidden. */
  repeats: whole(100),
  /** The page was hidden meanwhile: browsers slow such pages down. */
  hidden: v.boolean(),
  /** Largest |error| / magnitude against the float64 reference, before timing; and what rounding may explain. */
  check: v.strictObject({
    elements: whole(1e9),
    /** Workgroups of whose output an element was compared, as a share of all. */
    coverage: share,
    error: share,
    tolerance: share,
    /** Of the output after timing, which equals that of a fresh run; "" where it was not taken. */
    hash: text,
  }),
  compileSeconds: seconds,
});

const measuredSchema = v.pipe(
  measuredFields,
  v.check(
    ({ timing, cacheHot, sustained, clock }) =>
      [timing, cacheHot, sustained?.timing].every((each) => hasSamples(each ?? undefined, clock)),
    "no round was timed by the clock that is named",
  ),
);

const skippedSchema = v.strictObject({ status: v.literal("skipped"), ...cell, reason: text });
const failedSchema = v.strictObject({ status: v.literal("failed"), ...cell, error: text });

const outcomeSchema = v.variant("status", [measuredSchema, skippedSchema, failedSchema]);

const stepSchema = v.strictObject({
  label: text,
  count: v.pipe(whole(1e9), v.minValue(1)),
  call: callSchema,
});

const workloadSchema = v.strictObject({
  id: text,
  model: v.exactOptional(text),
  phase: v.picklist(["prefill", "decode", "kernel"]),
  tokens: whole(1e12),
  batch: whole(1e6),
  layers: whole(1e6),
  steps: v.pipe(v.array(stepSchema), v.maxLength(64), v.readonly()),
});

/**
 * A fixed piece of arithmetic that is timed before and after each cell: a stand-in for the clock rate that no
 * browser tells. Samples are seconds per dispatch.
 */
const referenceSchema = v.strictObject({
  call: callSchema,
  readings: v.pipe(
    v.array(
      v.strictObject({
        /** Seconds since the run began. */
        at: seconds,
        samples: v.pipe(v.array(positive), v.minLength(1), v.maxLength(100)),
      }),
    ),
    v.maxLength(10_000),
  ),
});

/** Something that happened to the device or the page and not to one kernel. */
const incidentSchema = v.strictObject({ at: seconds, says: text });

/** Reading a working set of `bytes` again and again: seconds for all of it. */
const cachePointSchema = v.strictObject({ bytes: whole(2 ** 40), seconds: positive });

/** Far more than any search tries. */
const MAX_TRIED = 2000;

/** What a search for the best way to compute a kernel of one type and shape class has found. */
export const tuningRecordSchema = v.strictObject({
  kernel: text,
  dtype: dtypeSchema,
  shapeClass: text,
  /** Seconds per dispatch of everything that was tried, null where it failed its check. */
  tried: v.pipe(
    v.record(text, v.nullable(seconds)),
    v.check((tried) => Object.keys(tried).length <= MAX_TRIED, `more than ${MAX_TRIED} tries`),
  ),
  picked: text,
  /** What was picked, as a search or a later run takes it up; null where it was not recorded. */
  choice: v.nullable(
    v.strictObject({
      variant: text,
      tuning: v.pipe(
        v.record(text, v.pipe(v.number(), v.integer())),
        v.check((tuning) => Object.keys(tuning).length <= 64, "more than 64 parameters"),
      ),
    }),
  ),
  /** How long the search took in this run, 0 where there was none; null where it was not recorded. */
  seconds: v.nullable(seconds),
  /** Known before the run, and used without a search. */
  reused: v.boolean(),
});

export const resultSchema = v.strictObject({
  schema: v.literal(SCHEMA),
  tool: v.strictObject({ version: text, commit: text }),
  createdAt: v.pipe(v.string(), v.isoTimestamp()),
  /** Of all random data in the run. */
  seed: whole(2 ** 32),
  /** A partial result keeps every cell that was finished. */
  completion: v.variant("status", [
    v.strictObject({ status: v.literal("complete") }),
    v.strictObject({ status: v.literal("partial"), reason: text }),
  ]),
  host: hostSchema,
  device: deviceSchema,
  instruments: v.nullable(instrumentsSchema),
  reference: v.nullable(referenceSchema),
  /** From small to large; empty where it was not measured. */
  cacheCurve: v.pipe(v.array(cachePointSchema), v.maxLength(64)),
  incidents: v.pipe(v.array(incidentSchema), v.maxLength(200)),
  plan: planSchema,
  workloads: v.pipe(v.array(workloadSchema), v.maxLength(200)),
  /** How much of each model was in memory at once. Dispatches cycle through it. */
  residency: v.pipe(
    v.array(
      v.strictObject({
        model: text,
        dtype: dtypeSchema,
        layers: whole(1e6),
        ofLayers: whole(1e6),
        bytes: whole(2 ** 50),
      }),
    ),
    v.maxLength(64),
  ),
  /** One for each class of each kernel in each type; many whole models have many classes. */
  tunings: v.pipe(v.array(tuningRecordSchema), v.maxLength(2000)),
  outcomes: v.pipe(v.array(outcomeSchema), v.maxLength(2000)),
  /** Models that were run whole, after their kernels; empty where the plan did not ask for it. */
  forwards: v.pipe(v.array(forwardSchema), v.maxLength(MAX_FORWARDS)),
  /** Models that were trained, last of all; empty where the plan did not ask for it. */
  trainings: v.pipe(v.array(trainingSchema), v.maxLength(MAX_TRAININGS)),
});

export type Result = v.InferOutput<typeof resultSchema>;
export type HostInfo = Result["host"];
export type DeviceInfo = Result["device"];
export type Instruments = NonNullable<Result["instruments"]>;
export type Stop = (typeof stops)[number];
export type Reference = v.InferOutput<typeof referenceSchema>;
export type CachePoint = v.InferOutput<typeof cachePointSchema>;
export type Measurement = v.InferOutput<typeof measuredSchema>;
export type Outcome = v.InferOutput<typeof outcomeSchema>;
export type TuningRecord = v.InferOutput<typeof tuningRecordSchema>;

/** A result, or one line with the path and the reason. */
export type ResultOutcome = { ok: true; result: Result } | { ok: false; problem: string };

/**
 * Reads a Result from parsed JSON of this or an earlier schema. Never throws: the input is hostile.
 */
export function parseResult(input: unknown): ResultOutcome {
  const schema = typeof input === "object" && input !== null && "schema" in input ? input.schema : undefined;
  if (typeof schema !== "number") return { ok: false, problem: "not a Tokenroof result: no schema number" };
  if (schema > SCHEMA)
    return {
      ok: false,
      problem: `schema ${schema} is newer than this version of Tokenroof reads (${SCHEMA}): update it`,
    };
  const parsed = v.safeParse(resultSchema, migrate(input, schema), { abortEarly: true });
  if (parsed.success) return { ok: true, result: parsed.output };
  return { ok: false, problem: problemOf(parsed.issues[0], "result") };
}
