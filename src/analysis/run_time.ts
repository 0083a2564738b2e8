// How long a run will take, before it is started: what its preset spends on each cell and each search, and how fast the
// device was found to be in an earlier run.

import { type Effort, efforts } from "../effort";
import { type ForwardCase, forwardCases, forwardSeconds } from "../forward_result";
import { type AnyCall, type Call, kernelOf, workOf } from "../kernels";
import { type DType, dtypes } from "../kernels/elements";
import { probesOf } from "../kernels/probes";
import type { Result } from "../result";
import { type TrainingCase, trainingCases, trainingSeconds } from "../training_result";
import {
  callName,
  decode,
  dispatchesOf,
  knownModel,
  layersWithin,
  matrixBytes,
  prefill,
  type Workload,
  whyNoForward,
  whyNoTraining,
} from "../workloads";
import type { Estimate } from "./estimate";
import { measuredRoof, type Roof, rooflineSeconds } from "./roofline";

/** How fast a device was found to be. */
export interface DeviceSpeed {
  readonly roofs: Partial<Readonly<Record<DType, Roof>>>;
  /** Seconds of an empty dispatch. */
  readonly dispatchCost: number;
}

/** The speed of the device of a result; undefined where no roof was measured. */
export function speedOf(result: Result): DeviceSpeed | undefined {
  const roofs = Object.fromEntries(
    dtypes.flatMap((dtype) => {
      const roof = measuredRoof(result, dtype);
      return roof === undefined ? [] : [[dtype, roof]];
    }),
  );
  return Object.keys(roofs).length === 0
    ? undefined
    : { roofs, dispatchCost: result.instruments?.dispatchCost ?? 0 };
}

/** What a run spends its time on. */
const runParts = ["instruments", "roofs", "kernels", "tuning", "whole models", "training"] as const;
export type RunPart = (typeof runParts)[number];

/** Seconds at least and at most. */
interface Span {
  readonly low: number;
  readonly high: number;
}

export interface RunTime {
  /** The value is the geometric middle of the two ends. */
  readonly seconds: Estimate;
  readonly parts: readonly { readonly part: RunPart; readonly seconds: Estimate }[];
}

const span = (low: number, high: number): Span => ({ low, high });
const none = span(0, 0);
const sum = (spans: readonly Span[]): Span =>
  spans.reduce((a, b) => ({ low: a.low + b.low, high: a.high + b.high }), none);
const scaled = ({ low, high }: Span, by: number): Span => ({ low: by * low, high: by * high });
const estimate = ({ low, high }: Span): Estimate => ({ value: Math.sqrt(low * high), low, high });

/*
 * What lies around the measuring itself, in seconds: compiling, checking, filling memory. The lower ends are what simulated GPUs take,
 * on which the CPU costs nothing; the upper ones what runs on software adapters took (six of them, on two cores).
 */
const INSTRUMENTS = span(0.4, 5);
const AROUND_CELL = span(0.03, 2);
const SWEEP = { searched: span(0.8, 18), quick: span(0.1, 2.5) };
const CACHE_CURVE = span(0.5, 5);
const SETTING_UP_MODEL = span(0.3, 6);
/** A search overruns its time by what it is in the midst of; smaller spaces than it has time for end early. */
const searchOf = ({ tuningSeconds }: Effort): Span =>
  span(0.05 + 0.4 * tuningSeconds, 2.5 + 3 * tuningSeconds);

/** No dispatch of a cell is planned to take longer. */
const DISPATCH_SECONDS = 0.035;

/** A round is six spans, or five dispatches where these are longer. */
const ROUND = { spans: 6, dispatches: 5 };

/** Rounds of a cell once more on cached memory. */
const CACHED = { rounds: 6, spanSeconds: 0.008 };

/** Parts of the roofs that kernels reach, at most and at least. */
const REACHED = {
  cell: span(0.1, 0.8),
  prompt: { searched: span(0.04, 0.6), quick: span(0.015, 0.4) },
  step: span(0.25, 1.1),
};

/** Prompts read and steps written by the first run of a whole model, which tells how much there is time for. */
const FIRST_RUN = { prompts: 5, steps: 19 };

/** Seconds of a dispatch of a call. */
function dispatchOf(call: Call, dtype: DType, roof: Roof): Span {
  const { flops, bytes } = workOf(call, dtype);
  const atRoof = Math.max(flops / roof.flops, bytes / roof.bandwidth);
  const within = (share: number) => Math.min(DISPATCH_SECONDS, atRoof / share);
  return span(within(REACHED.cell.high), within(REACHED.cell.low));
}

/** One cell, from its warm-up to the figures beside it. */
function cellOf(dispatch: Span, streams: boolean, effort: Effort, sustain: number): Span {
  const { minRounds, maxRounds, cellSeconds, warmupSeconds, warmupLimit, minSpanSeconds } = effort;
  const round = (each: number, least = minSpanSeconds) =>
    Math.max(ROUND.spans * least, ROUND.dispatches * each);
  const rounds = span(
    minRounds * round(dispatch.low),
    Math.max(
      minRounds * round(dispatch.high),
      Math.min(maxRounds * round(dispatch.high), cellSeconds + round(dispatch.high)),
    ),
  );
  const cached =
    streams && effort.cacheHot
      ? span(
          CACHED.rounds * round(dispatch.low, CACHED.spanSeconds),
          CACHED.rounds * round(dispatch.high, CACHED.spanSeconds),
        )
      : none;
  const loaded = sustain === 0 ? none : sum([rounds, span(sustain, sustain)]);
  return sum([span(warmupSeconds, warmupLimit), rounds, cached, loaded, AROUND_CELL]);
}

/** What searches find once: a kernel in a type for a class of shapes. */
const searchKey = ({ kernel, shape }: AnyCall, dtype: DType) =>
  `${kernel} ${dtype} ${kernelOf(kernel).shapeClass(shape)}`;

/** A whole model: setting it up, a first short run, the time that the preset gives it, and a sustained load. */
function wholeModel(given: ForwardCase, roof: Roof, speed: DeviceSpeed, plan: Result["plan"]): Span {
  const model = knownModel(given.model);
  if (model === undefined || whyNoForward(model) !== undefined) return none;
  const { dtype, prompt, depth, batch, generate } = given;
  const effort = efforts[plan.preset];
  const keys = depth + prompt + Math.ceil(generate / 2);
  const step = decode(given.model, model, 1, keys, batch);
  const dispatches = dispatchesOf(step);
  const stepRoof = rooflineSeconds(step, roof, dtype) + dispatches * speed.dispatchCost;
  const promptRoof = batch * rooflineSeconds(prefill(given.model, model, prompt, depth), roof, dtype);
  const share = effort.search ? REACHED.prompt.searched : REACHED.prompt.quick;
  const first = sum([
    scaled(span(promptRoof / share.high, promptRoof / share.low), FIRST_RUN.prompts),
    scaled(span(stepRoof / REACHED.step.high, stepRoof / REACHED.step.low), FIRST_RUN.steps),
  ]);
  const resident = layersWithin(model, dtype, plan.memory) / model.num_hidden_layers;
  const bytes = matrixBytes(model, dtype) * resident;
  // Filling memory with random numbers is arithmetic rather than bandwidth.
  const filling = span(bytes / roof.bandwidth, (10 * bytes) / roof.bandwidth);
  const setUp = sum([SETTING_UP_MODEL, filling]);
  const allowed = forwardSeconds[plan.preset];
  // Where the first amount took all the time there is no second.
  const second = plan.preset === "smoke" ? none : span(first.low < allowed ? allowed : 0, allowed);
  return sum([setUp, first, second, span(plan.sustain, plan.sustain)]);
}

/** Whether there is something to train: small models in f32. */
function isTrained({ model, dtype }: TrainingCase): boolean {
  const config = knownModel(model);
  return dtype === "f32" && config !== undefined && whyNoTraining(config) === undefined;
}

/** Making a model ready, two steps before those that count, and those: at least three, however long they take. */
function trainingOf(plan: Result["plan"]): Span {
  const seconds = trainingSeconds[plan.preset];
  return sum([SETTING_UP_MODEL, span(seconds / 2, 2 * seconds + 5)]);
}

/**
 * The time that a plan will take on a device of this speed; undefined where the speed is not known, or not in a type of the plan.
 * `workloads` are those of the plan. `tuned`: its kernels are known from before, and nothing is searched for.
 */
export function runTime(
  plan: Result["plan"],
  workloads: readonly Workload[],
  speed: DeviceSpeed | undefined,
  tuned = false,
): RunTime | undefined {
  const effort = efforts[plan.preset];
  if (speed === undefined || plan.dtype.some((dtype) => speed.roofs[dtype] === undefined)) return undefined;
  const calls = new Map(workloads.flatMap(({ steps }) => steps.map(({ call }) => [callName(call), call])));
  const probed = new Set(
    plan.dtype.flatMap((dtype) => probesOf(dtype).map((each) => `${each.probe} ${each.dtype}`)),
  );
  // Not every device has matrix units and packed products.
  const always = [...probed].filter((each) => /^(fma|read|copy) /.test(each)).length;
  const probe = sum([
    effort.search ? SWEEP.searched : SWEEP.quick,
    cellOf(span(0.001, DISPATCH_SECONDS / 5), true, effort, 0),
  ]);
  const searches = new Set<string>();
  const cells = plan.dtype.flatMap((dtype) =>
    [...calls.values()].map((call) => {
      searches.add(searchKey(call, dtype));
      const dispatch = dispatchOf(call, dtype, speed.roofs[dtype]!);
      return cellOf(dispatch, call.kernel !== "fma", effort, plan.sustain);
    }),
  );
  const cases = forwardCases(plan);
  const wholes = cases.map((each) => wholeModel(each, speed.roofs[each.dtype]!, speed, plan));
  // Whole models search for what the cells have not: gate and up in one kernel.
  const further = effort.search ? new Set(cases.map(({ dtype }) => dtype)).size : 0;
  const trained = trainingCases(plan).filter(isTrained);
  // Products of either way back, and attention's.
  const backwards = effort.search && trained.length > 0 ? 6 : 0;
  const search = scaled(searchOf(effort), tuned ? 0 : searches.size + further + backwards);
  const parts: readonly (readonly [RunPart, Span])[] = [
    ["instruments", INSTRUMENTS],
    [
      "roofs",
      sum([span(always * probe.low, probed.size * probe.high), effort.cacheHot ? CACHE_CURVE : none]),
    ],
    ["kernels", sum(cells)],
    ["tuning", search],
    ["whole models", sum(wholes)],
    ["training", sum(trained.map(() => trainingOf(plan)))],
  ];
  return {
    seconds: estimate(sum(parts.map(([, each]) => each))),
    parts: parts
      .filter(([, { high }]) => high > 0)
      .map(([part, each]) => ({ part, seconds: estimate(each) })),
  };
}
