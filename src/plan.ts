// Plan: what to run. One parser for the URL's query (?model=llama-3.2-1b&pp=512) and for the command
// line's words (model=llama-3.2-1b pp=512); lists multiply, as in llama-bench.

import * as v from "valibot";
import { type Call, type KernelName, kernelOf, kernels } from "./kernels";
import { cacheTypes, dtypes } from "./kernels/elements";
import { shown, unknownName } from "./names";
import { callName, decode, type ModelId, modelConfig, modelIds, prefill, type Workload } from "./workloads";

export { unknownName } from "./names";

const kernelNames = Object.keys(kernels) as KernelName[];
export const presets = ["quick", "standard", "rigorous", "smoke"] as const;
export type Preset = (typeof presets)[number];

const naturals = (min: number, max: number) =>
  v.pipe(v.array(v.pipe(v.number(), v.integer(), v.minValue(min), v.maxValue(max))), v.maxLength(16));

/** Why a call cannot be; undefined too where its fields are not even those of the kernel. */
function impossible(kernel: KernelName, shape: Readonly<Record<string, number>>): string | undefined {
  const { fields, impossible } = kernelOf(kernel);
  return fields.every((field) => shape[field] !== undefined) ? impossible?.(shape) : undefined;
}

/** A kernel and every field of its shape. */
export const callSchema = v.pipe(
  v.strictObject({
    kernel: v.picklist(kernelNames),
    shape: v.record(v.string(), v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(2 ** 31))),
  }),
  v.check(
    ({ kernel, shape }) => Object.keys(shape).sort().join() === [...kernelOf(kernel).fields].sort().join(),
    ({ input: { kernel } }) => `the shape of ${kernel} is ${kernelOf(kernel).fields.join(", ")}`,
  ),
  v.check(
    ({ kernel, shape }) => impossible(kernel, shape) === undefined,
    ({ input: { kernel, shape } }) => impossible(kernel, shape) ?? "",
  ),
  // The check above is what the cast says: these names are the fields of this kernel's shape.
  v.transform(({ kernel, shape }) => {
    const ordered = kernelOf(kernel).fields.map((field) => [field, shape[field]]);
    return { kernel, shape: Object.fromEntries(ordered) } as unknown as Call;
  }),
);

const kvWords = ["auto", ...cacheTypes] as const;
const switches = ["on", "off"] as const;

/** How weights are stored. */
export const dtypeSchema = v.picklist(dtypes);

export const planSchema = v.strictObject({
  preset: v.picklist(presets),
  model: v.pipe(v.array(v.picklist(modelIds)), v.maxLength(16)),
  /** Prompt lengths, in tokens. */
  pp: naturals(1, 2 ** 20),
  /** Tokens to write. */
  tg: naturals(1, 2 ** 20),
  /** Tokens in the KV cache before. */
  depth: naturals(0, 2 ** 24),
  /** Sequences decoded at once; prefill reads one prompt at a time. */
  batch: naturals(1, 1024),
  dtype: v.pipe(v.array(dtypeSchema), v.minLength(1), v.maxLength(4)),
  /** Only these kernels of the workloads; all where empty. */
  kernel: v.pipe(v.array(v.picklist(kernelNames)), v.maxLength(16)),
  /** Single calls instead of a model: "kernel=matmul:512x512x512". */
  calls: v.pipe(v.array(callSchema), v.maxLength(64)),
  /** Seconds of continuous load after which each call is measured again; 0 for not at all. */
  sustain: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(600)),
  /** Bytes of GPU memory for weights. */
  memory: v.pipe(v.number(), v.integer(), v.minValue(2 ** 24), v.maxValue(2 ** 40)),
  /** Whether the models are run whole as well, after their kernels. */
  forward: v.boolean(),
  /** How whole models store their KV cache; "auto" is f16, and f32 beside weights of f32. */
  kv: v.pipe(v.array(v.picklist(kvWords)), v.minLength(1), v.maxLength(4)),
  /** Whether whole models are run with kernels that do several things at once, without, or both. */
  fused: v.pipe(v.array(v.boolean()), v.minLength(1), v.maxLength(2)),
  /** Whether the models are trained as well, last of all. */
  train: v.boolean(),
});

export type Plan = v.InferOutput<typeof planSchema>;

const standard: Plan = {
  preset: "standard",
  model: ["llama-3.2-1b"],
  pp: [512],
  tg: [128],
  depth: [0],
  batch: [1],
  dtype: ["f32", "f16"],
  kernel: [],
  calls: [],
  sustain: 0,
  memory: 2 ** 30,
  forward: false,
  kv: ["auto"],
  fused: [true],
  train: false,
};

/** What a preset stands for when no other word is given; presets also set how long each cell is measured. */
export const presetPlans: Readonly<Record<Preset, Plan>> = {
  standard,
  quick: { ...standard, preset: "quick" },
  rigorous: { ...standard, preset: "rigorous", sustain: 10 },
  smoke: { ...standard, preset: "smoke", model: ["smollm2-135m"], pp: [16], tg: [1], memory: 2 ** 26 },
};

export const defaultPlan = standard;

/** A plan, or one line that says what is wrong with the words for it. */
export type PlanOutcome = { ok: true; plan: Plan } | { ok: false; problem: string };

class BadWord extends Error {}

function name<T extends string>(what: string, valid: readonly T[], given: string): T {
  const found = valid.find((each) => each === given);
  if (found === undefined) throw new BadWord(unknownName(what, given, valid));
  return found;
}

function natural(word: string, given: string): number {
  if (!/^\d{1,9}$/.test(given)) throw new BadWord(`${word}=${shown(given)}: not a whole number`);
  return Number(given);
}

function bytes(given: string): number {
  const match = /^(\d{1,6})(MiB|GiB)$/.exec(given);
  if (match === null) throw new BadWord(`memory=${shown(given)}: a size is written 512MiB or 8GiB`);
  return Number(match[1]) * (match[2] === "GiB" ? 2 ** 30 : 2 ** 20);
}

/** "matmul" is a filter, "matmul:512x512x512" is a call. */
function kernelWord(given: string): KernelName | Call {
  const [stem = "", sizes, ...more] = given.split(":");
  const kernel = name("kernel", kernelNames, stem);
  if (sizes === undefined) return kernel;
  if (more.length > 0) throw new BadWord(`kernel=${shown(given)}: one colon, then the sizes`);
  const { fields } = kernelOf(kernel);
  const values = sizes.split("x").map((size) => natural("kernel", size));
  if (values.length !== fields.length)
    throw new BadWord(`kernel=${shown(given)}: ${kernel} is written ${kernel}:${fields.join("x")}`);
  const shape = Object.fromEntries(fields.map((field, i) => [field, values[i]]));
  const parsed = v.safeParse(callSchema, { kernel, shape });
  if (!parsed.success) throw new BadWord(`kernel=${shown(given)}: ${parsed.issues[0].message}`);
  return parsed.output;
}

/** The values of a list, each once: what is given twice is not measured twice. */
const each = <T>(list: readonly string[], read: (given: string) => T): T[] => [...new Set(list.map(read))];

const naturalsOf = (word: string, list: readonly string[]) => each(list, (given) => natural(word, given));

/** How each word is read. The table is also the list of valid words. */
const words: Readonly<Record<string, (list: string[]) => Partial<Plan>>> = {
  preset: ([one = ""]) => ({ preset: name("preset", presets, one) }),
  model: (list) => ({ model: each(list, (given) => name("model", modelIds, given)) }),
  pp: (list) => ({ pp: naturalsOf("pp", list).filter((tokens) => tokens > 0) }),
  tg: (list) => ({ tg: naturalsOf("tg", list).filter((tokens) => tokens > 0) }),
  depth: (list) => ({ depth: naturalsOf("depth", list) }),
  batch: (list) => ({ batch: naturalsOf("batch", list) }),
  dtype: (list) => ({ dtype: each(list, (given) => name("dtype", dtypes, given)) }),
  kernel(list) {
    const parsed = each(list, kernelWord);
    return {
      kernel: parsed.filter((one) => typeof one === "string"),
      calls: parsed.filter((one) => typeof one !== "string"),
    };
  },
  sustain: ([one = ""]) => ({ sustain: natural("sustain", one) }),
  memory: ([one = ""]) => ({ memory: bytes(one) }),
  forward: ([one = ""]) => ({ forward: name("value of forward", switches, one) === "on" }),
  kv: (list) => ({ kv: each(list, (given) => name("type of KV cache", kvWords, given)) }),
  train: ([one = ""]) => ({ train: name("value of train", switches, one) === "on" }),
  fused: (list) => ({ fused: each(list, (given) => name("value of fused", switches, given) === "on") }),
};

export const planWordNames = Object.keys(words);

/** The words of a plan that make a context, with their largest values: "depth=4096 pp=512 tg=128". */
function contextWords({ depth, pp, tg }: Plan): string {
  const words = { depth, pp, tg };
  return Object.entries(words)
    .flatMap(([word, list]) => (Math.max(0, ...list) > 0 ? [`${word}=${Math.max(...list)}`] : []))
    .join(" ");
}

function validate(plan: Plan): Plan {
  const parsed = v.safeParse(planSchema, plan);
  if (!parsed.success) {
    const [issue] = parsed.issues;
    throw new BadWord(`${issue.path?.map(({ key }) => key).join(".") ?? "plan"}: ${issue.message}`);
  }
  for (const id of plan.model) {
    const limit = modelConfig(id).max_position_embeddings;
    const [pp, tg] = [Math.max(0, ...plan.pp), Math.max(0, ...plan.tg)];
    // A whole model reads and then writes, one token of each at least, and what it writes first was the last of what it read.
    const tokens = plan.forward ? Math.max(1, pp) + Math.max(1, tg) + 1 : Math.max(pp, tg);
    const longest = Math.max(0, ...plan.depth) + tokens;
    if (longest > limit)
      throw new BadWord(
        `${contextWords(plan)}: ${id} reads ${limit} tokens at most (max_position_embeddings), this plan asks for ${longest}`,
      );
  }
  if (plan.model.length > 0 && plan.pp.length + plan.tg.length === 0)
    throw new BadWord("pp=0 tg=0: nothing to measure");
  if (plan.forward && plan.model.length === 0) throw new BadWord("forward=on: there is no model to run");
  if (plan.train && plan.model.length === 0) throw new BadWord("train=on: there is no model to train");
  const count = plan.model.length * plan.depth.length * (plan.pp.length + plan.tg.length * plan.batch.length);
  if (count > 64) throw new BadWord(`this plan multiplies to ${count} workloads; 64 at most`);
  const runs = Math.max(1, plan.pp.length) * Math.max(1, plan.tg.length) * plan.batch.length;
  const ways = plan.kv.length * plan.fused.length;
  const whole = plan.model.length * plan.dtype.length * plan.depth.length * runs * ways;
  if (plan.forward && whole > 64)
    throw new BadWord(`forward=on: this plan multiplies to ${whole} runs of whole models; 64 at most`);
  const trained = plan.model.length * plan.dtype.length * Math.max(1, plan.pp.length) * plan.batch.length;
  if (plan.train && trained > 64)
    throw new BadWord(`train=on: this plan multiplies to ${trained} models to train; 64 at most`);
  return plan;
}

/**
 * Reads a plan from `key=value` pairs in any order. A later pair of the same key replaces an earlier
 * one; a word that is not given takes the preset's value.
 */
export function parsePlan(pairs: Iterable<readonly [string, string]>): PlanOutcome {
  try {
    const given: Partial<Plan> = {};
    for (const [key, value] of pairs) {
      const read = words[name("word", planWordNames, key) as keyof typeof words];
      Object.assign(given, read?.(value.split(",").map((one) => one.trim())));
    }
    // Calls alone are no reason to measure a model as well.
    const callsOnly = (given.calls?.length ?? 0) > 0 && given.kernel?.length === 0;
    const base = { ...presetPlans[given.preset ?? "standard"], ...(callsOnly && { model: [] }) };
    return { ok: true, plan: validate({ ...base, ...given }) };
  } catch (error) {
    if (error instanceof BadWord) return { ok: false, problem: error.message };
    throw error;
  }
}

/** Reads command-line words such as "model=llama-3.2-1b" and "preset=quick". */
export function parsePlanWords(given: readonly string[]): PlanOutcome {
  const pairs = given.map((word): [string, string] => {
    const at = word.indexOf("=");
    return at < 0 ? [word, ""] : [word.slice(0, at), word.slice(at + 1)];
  });
  return parsePlan(pairs);
}

const switchWord = (on: boolean) => (on ? "on" : "off");

const memoryWord = (size: number) =>
  size % 2 ** 30 === 0 ? `${size / 2 ** 30}GiB` : `${Math.round(size / 2 ** 20)}MiB`;

/** The words that differ from the preset's own, in a fixed order: what the URL shows. */
export function planPairs(plan: Plan): [string, string][] {
  const base = presetPlans[plan.preset];
  const pairs: [string, string][] = plan.preset === "standard" ? [] : [["preset", plan.preset]];
  const list = (word: string, value: readonly unknown[], usual: readonly unknown[]) => {
    if (value.join() !== usual.join()) pairs.push([word, value.join(",") || "0"]);
  };
  const kernel = [
    ...plan.kernel,
    ...plan.calls.map(({ kernel, shape }) => `${kernel}:${Object.values(shape).join("x")}`),
  ];
  // Calls alone stand for no model; then the preset's own has to be said.
  const usual = plan.calls.length > 0 && plan.kernel.length === 0 ? [] : base.model;
  if (plan.model.length > 0) list("model", plan.model, usual);
  list("pp", plan.pp, base.pp);
  list("tg", plan.tg, base.tg);
  list("depth", plan.depth, base.depth);
  list("batch", plan.batch, base.batch);
  list("dtype", plan.dtype, base.dtype);
  list("kernel", kernel, []);
  if (plan.sustain !== base.sustain) pairs.push(["sustain", String(plan.sustain)]);
  if (plan.memory !== base.memory) pairs.push(["memory", memoryWord(plan.memory)]);
  if (plan.forward) pairs.push(["forward", "on"]);
  list("kv", plan.kv, base.kv);
  list("fused", plan.fused.map(switchWord), base.fused.map(switchWord));
  if (plan.train) pairs.push(["train", "on"]);
  return pairs;
}

/** The plan as command-line words: `parsePlanWords` reads the same plan back. */
export const planWords = (plan: Plan): string =>
  planPairs(plan)
    .map(([key, value]) => `${key}=${value}`)
    .join(" ");

/** A workload with only some of its kernels: no longer a pass through the model, so it has no tokens. */
function only(workload: Workload, names: readonly KernelName[]): Workload {
  if (names.length === 0) return workload;
  const steps = workload.steps.filter(({ call }) => names.includes(call.kernel));
  return { ...workload, id: `${workload.id} [${names.join(", ")}]`, phase: "kernel", tokens: 0, steps };
}

/** A phone's browser is ended rather than refused memory: weights have this at most. */
const PHONE_WEIGHTS = 2 ** 28;

/** Bytes that weights may take: what the plan says, and on a phone no more than it bears. */
export const memoryBudget = ({ memory }: Pick<Plan, "memory">, mobile: boolean): number =>
  mobile ? Math.min(memory, PHONE_WEIGHTS) : memory;

/** Every workload that a plan asks for, in the order in which it is reported. */
export function workloadsOf(plan: Plan): Workload[] {
  const ofModel = (id: ModelId) => {
    const model = modelConfig(id);
    return plan.depth.flatMap((depth) => [
      ...plan.pp.map((tokens) => prefill(id, model, tokens, depth)),
      ...plan.tg.flatMap((tokens) => plan.batch.map((batch) => decode(id, model, tokens, depth, batch))),
    ]);
  };
  const single = (call: Call): Workload => ({
    id: callName(call),
    phase: "kernel",
    tokens: 0,
    batch: 1,
    layers: 0,
    steps: [{ label: call.kernel, call, count: 1 }],
  });
  return [...plan.model.flatMap(ofModel).map((each) => only(each, plan.kernel)), ...plan.calls.map(single)];
}
