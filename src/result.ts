// Result: what happened, never what it means. The engine writes it, everything after only reads it, and
// JSON is its only form. Rates, medians, verdicts are derived on reading, so that a mended formula mends
// old results too. Units: seconds, bytes.

import * as v from "valibot";
import { callSchema, planSchema } from "./plan";

export const SCHEMA = 1;

/** Spans of n, 2n and 3n dispatches make a round, and a round one sample. */
export const SPANS_PER_ROUND = 3;

// Adapters, links and files may say anything; control characters would reach the reader's terminal.
const text = v.pipe(
  v.string(),
  v.maxLength(400),
  v.transform((given) => given.replace(/\p{C}/gu, " ")),
);
const seconds = v.pipe(v.number(), v.finite(), v.minValue(0), v.maxValue(1e6));
const positive = v.pipe(v.number(), v.finite(), v.minValue(1e-12), v.maxValue(1e6));
/** An error as a share of a magnitude. */
const share = v.pipe(v.number(), v.finite(), v.minValue(0), v.maxValue(1e9));
const whole = (max: number) => v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(max));

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

/** n dispatches in one go: by the wall clock and, where there are timestamps, by the GPU's own. */
const spanSchema = v.strictObject({
  dispatches: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1e7)),
  wall: seconds,
  gpu: v.nullable(seconds),
});

/**
 * What reports read of the seconds per dispatch: the median, the interval of the median, the quartiles, and
 * how many samples they stand for. This is how a link thins samples.
 */
const orderStatisticsSchema = v.strictObject({
  count: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1e6)),
  low: positive,
  lowerQuartile: positive,
  median: positive,
  upperQuartile: positive,
  high: positive,
});

const cell = { call: callSchema, dtype: v.picklist(["f32", "f16"]) };

const measuredSchema = v.strictObject({
  status: v.literal("measured"),
  ...cell,
  tuning: text,
  /** What one dispatch did: the call, or a part of it where the whole was too large for one dispatch. */
  piece: callSchema,
  /** How many such dispatches make the call; not whole where the last piece is smaller. */
  pieces: v.pipe(v.number(), v.finite(), v.minValue(1), v.maxValue(1e9)),
  /** Memory the dispatches rotated through, in bytes; 0 where nothing is streamed. */
  rotation: v.pipe(v.number(), v.integer(), v.minValue(0)),
  clock: v.picklist(["timestamp-query", "wall"]),
  /**
   * Rounds of three spans of n, 2n and 3n dispatches in time order; one round gives one sample, the slope.
   * A shared link has order statistics instead.
   */
  timing: v.variant("kind", [
    v.strictObject({
      kind: v.literal("spans"),
      spans: v.pipe(
        v.array(spanSchema),
        v.minLength(SPANS_PER_ROUND),
        v.maxLength(3000),
        v.check((spans) => spans.length % SPANS_PER_ROUND === 0, "spans come in rounds of three"),
        v.check(
          (spans) =>
            spans.every((span, i) => i % SPANS_PER_ROUND === 0 || span.dispatches > spans[i - 1]!.dispatches),
          "each span of a round has more dispatches than the one before",
        ),
      ),
    }),
    v.strictObject({ kind: v.literal("order-statistics"), ...orderStatisticsSchema.entries }),
  ]),
  /** Largest |error| / magnitude against the float64 reference, before timing; and what rounding may explain. */
  check: v.strictObject({
    elements: whole(1e9),
    error: share,
    tolerance: share,
  }),
  compileSeconds: seconds,
});

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

export const resultSchema = v.strictObject({
  schema: v.literal(SCHEMA),
  tool: v.strictObject({ version: text, commit: text }),
  createdAt: v.pipe(v.string(), v.isoTimestamp()),
  /** A partial result keeps every cell that was finished. */
  completion: v.variant("status", [
    v.strictObject({ status: v.literal("complete") }),
    v.strictObject({ status: v.literal("partial"), reason: text }),
  ]),
  host: hostSchema,
  device: deviceSchema,
  instruments: v.nullable(instrumentsSchema),
  plan: planSchema,
  workloads: v.pipe(v.array(workloadSchema), v.maxLength(200)),
  /** How much of each model was in memory at once. Dispatches cycle through it. */
  residency: v.pipe(
    v.array(
      v.strictObject({
        model: text,
        dtype: v.picklist(["f32", "f16"]),
        layers: whole(1e6),
        ofLayers: whole(1e6),
        bytes: whole(2 ** 50),
      }),
    ),
    v.maxLength(64),
  ),
  /** Per kernel, type and shape class: seconds per dispatch of every tuning tried, null where it failed its check. */
  tunings: v.pipe(
    v.array(
      v.strictObject({
        kernel: text,
        dtype: v.picklist(["f32", "f16"]),
        shapeClass: text,
        tried: v.record(text, v.nullable(seconds)),
        picked: text,
      }),
    ),
    v.maxLength(200),
  ),
  outcomes: v.pipe(v.array(outcomeSchema), v.maxLength(2000)),
});

export type Result = v.InferOutput<typeof resultSchema>;
export type HostInfo = Result["host"];
export type DeviceInfo = Result["device"];
export type Instruments = NonNullable<Result["instruments"]>;
export type Span = v.InferOutput<typeof spanSchema>;
export type OrderStatistics = v.InferOutput<typeof orderStatisticsSchema>;
export type Measurement = v.InferOutput<typeof measuredSchema>;
export type Outcome = v.InferOutput<typeof outcomeSchema>;
export type TuningRecord = Result["tunings"][number];

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
  const parsed = v.safeParse(resultSchema, input, { abortEarly: true });
  if (parsed.success) return { ok: true, result: parsed.output };
  const [issue] = parsed.issues;
  const path = issue.path?.map(({ key }) => String(key)).join(".") ?? "result";
  const problem = `${path.slice(0, 120)}: ${issue.message.slice(0, 200)}`;
  return { ok: false, problem: problem.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "\ufffd") };
}
