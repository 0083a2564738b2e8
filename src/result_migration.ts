// From one Result schema to the next. The input is hostile: what is not of the old form is passed on as it
// is, for the schema to refuse.

type Fields = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const each = (list: unknown, change: (item: Fields) => Fields): unknown =>
  Array.isArray(list) ? list.map((item) => (isObject(item) ? change(item) : item)) : list;

const merged = (value: unknown, fields: Fields): unknown =>
  isObject(value) ? { ...value, ...fields } : value;

/** Schema 2 adds what the protocol keeps beside the samples: none of it was recorded before. */
function from1(result: Fields): Fields {
  const timing = (given: unknown) =>
    merged(given, isObject(given) && given.kind === "spans" ? { setAside: null } : { odd: [] });
  return {
    ...result,
    schema: 2,
    seed: 0,
    reference: null,
    cacheCurve: [],
    incidents: [],
    device: merged(result.device, { type: "", others: [] }),
    plan: merged(result.plan, { sustain: 0 }),
    outcomes: each(result.outcomes, (outcome) =>
      outcome.status === "measured"
        ? {
            ...outcome,
            timing: timing(outcome.timing),
            stopped: "unknown",
            warmup: null,
            firstRun: null,
            cacheHot: null,
            sustained: null,
            readings: null,
            repeats: 0,
            hidden: false,
            check: merged(outcome.check, { coverage: 0, hash: "" }),
          }
        : outcome,
    ),
  };
}

/** Schema 3 records the choice that a tuning's name stands for, how long its search took and whether there was one. */
const from2 = (result: Fields): Fields => ({
  ...result,
  schema: 3,
  tunings: each(result.tunings, (record) => ({ ...record, choice: null, seconds: null, reused: false })),
});

/** Schema 4 adds models that are run whole: none was before. */
const from3 = (result: Fields): Fields => ({
  ...result,
  schema: 4,
  plan: merged(result.plan, { forward: false }),
  forwards: [],
});

/**
 * Schema 5 says how whole models stored their KV cache, and what they did at once; before, there was one way. It adds
 * models that are trained: none was before.
 */
const from4 = (result: Fields): Fields => ({
  ...result,
  schema: 5,
  plan: merged(result.plan, { kv: ["auto"], fused: [true], train: false }),
  trainings: [],
  forwards: each(result.forwards, (outcome) => ({
    ...outcome,
    kv: outcome.dtype === "f32" ? "f32" : "f16",
    fused: true,
    ...(outcome.status === "measured" && { sustained: null }),
  })),
});

const steps = [from1, from2, from3, from4];

/** A result of any earlier schema in the form of the newest. */
export function migrate(input: unknown, schema: number): unknown {
  if (!isObject(input)) return input;
  // Of a schema that never was, all of it is left to be refused.
  return Number.isInteger(schema) && schema >= 1
    ? steps.slice(schema - 1).reduce((result, step) => step(result), input)
    : input;
}
