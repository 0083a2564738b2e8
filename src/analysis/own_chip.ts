// The measured device as a chip: what a model that was not run would do on it. Each kernel call of the model's workloads
// takes as long as its work at the rates that this very device reached in calls of its kind; nothing is assumed about its
// kernels. docs/model.md states the formulae.

import { type Call, workOf } from "../kernels";
import { type DType, dtypes } from "../kernels/elements";
import type { Result } from "../result";
import {
  decode,
  dispatchesOf,
  knownModel,
  modelIds,
  prefill,
  SMALL_DISPATCHES,
  type Workload,
} from "../workloads";
import { type Estimate, rateOf, secondsPerCall } from "./estimate";
import { exactly } from "./interval";
import { type WholeCosts, wholeCosts } from "./own_whole";
import { type Phase, type Predicted, type PredictionRequest, problemOf } from "./predict";
import { expertsOf, workloadConfig } from "./prediction/architecture";
import type { UsedFigure } from "./prediction/chip_figures";
import { plus, times } from "./prediction/interval";
import type { Terms } from "./prediction/pass_time";
import { measuredRoof } from "./roofline";
import { wander } from "./throttling";
import { throughputs } from "./throughput";

/** Calls whose time follows from one kind of rate: FLOP/s, or bytes/s where a weight or a key is used once or a few times. */
type Kind = "matmul" | "matvec" | "attention of prompts" | "attention of one query";

const kindOf = ({ kernel, shape }: Call): Kind | undefined => {
  if (kernel === "matmul" || kernel === "matvec") return kernel;
  if (kernel !== "attention") return undefined;
  return shape.queries === 1 ? "attention of one query" : "attention of prompts";
};

const isStreamed = (kind: Kind) => kind === "matvec" || kind === "attention of one query";

/** What a call is like, as far as its rate depends on it: logarithms of its work and of what shares each byte read. */
function traitsOf(call: Call, dtype: DType): { readonly work: number; readonly rows: number } {
  const { flops, bytes } = workOf(call, dtype);
  return { work: Math.log(Math.max(flops, 1)), rows: Math.log(Math.max(flops, 1) / bytes) };
}

/** A measured call: its work per second as a natural logarithm, and how far that may be off in e-folds. */
interface Sample {
  readonly kind: Kind;
  readonly work: number;
  readonly rows: number;
  readonly rate: number;
  readonly spread: number;
  readonly model: string | undefined;
}

/** A normal's 95 % interval is 3.92 of its standard deviations wide, and 1.645 of them hold 90 % on either side. */
const WIDTH_95 = 3.92;
const HALF_90 = 1.645;

/** e-folds by which calls of one kind differ for no reason that is known here. */
const UNEXPLAINED = 0.04;
/** And by which they differ more for each e-fold of work or of rows that lies between them. */
const PER_DISTANCE = 0.06;
/** Rows decide more than size does: they are what turns reading into computing. */
const ROWS_WEIGHT = 2;

function samplesOf(result: Result, dtype: DType, without: string | undefined): Sample[] {
  const wandered = wander(result);
  const modelOf = new Map(
    result.workloads.flatMap(({ model, steps }) => steps.map(({ call }) => [JSON.stringify(call), model])),
  );
  return result.outcomes.flatMap((outcome) => {
    if (outcome.status !== "measured" || outcome.dtype !== dtype) return [];
    const kind = kindOf(outcome.call);
    const model = modelOf.get(JSON.stringify(outcome.call));
    if (kind === undefined || (without !== undefined && model === without)) return [];
    const { flops, bytes } = workOf(outcome.call, dtype);
    const { value, low, high } = rateOf(isStreamed(kind) ? bytes : flops, secondsPerCall(outcome));
    const spread = Math.hypot(Math.log(high / low) / WIDTH_95, wandered);
    return [{ kind, ...traitsOf(outcome.call, dtype), rate: Math.log(value), spread, model }];
  });
}

/** Seconds of a call at the rates of measured calls like it, nearer ones counting more; undefined where there are none. */
function secondsOf(call: Call, dtype: DType, samples: readonly Sample[]): Estimate | undefined {
  const kind = kindOf(call);
  const { work, rows } = traitsOf(call, dtype);
  const near = samples
    .filter((each) => each.kind === kind)
    .map((each) => {
      const distance = Math.abs(each.work - work) + ROWS_WEIGHT * Math.abs(each.rows - rows);
      return { ...each, distance, weight: 1 / (0.1 + distance) ** 2 };
    });
  const total = near.reduce((sum, { weight }) => sum + weight, 0);
  if (kind === undefined || total === 0) return undefined;
  const mean = (of: (each: (typeof near)[number]) => number) =>
    near.reduce((sum, each) => sum + each.weight * of(each), 0) / total;
  const rate = mean((each) => each.rate);
  const variance =
    mean((each) => (each.rate - rate) ** 2) +
    mean((each) => each.spread ** 2) +
    (UNEXPLAINED + PER_DISTANCE * Math.min(...near.map(({ distance }) => distance))) ** 2;
  const { flops, bytes } = workOf(call, dtype);
  const seconds = (isStreamed(kind) ? bytes : flops) / Math.exp(rate);
  const half = HALF_90 * Math.sqrt(variance);
  return { value: seconds, low: seconds * Math.exp(-half), high: seconds * Math.exp(half) };
}

const nothing: Terms = {
  weightsRead: 0,
  cacheRead: 0,
  arithmetic: 0,
  attention: 0,
  unpacking: 0,
  activations: 0,
  overhead: 0,
  communication: 0,
};

/** The time of a pass and what it is made of; the name of a kernel that was not measured, where one was not. */
function passOf(
  workload: Workload,
  tokens: number,
  passes: number,
  dtype: DType,
  samples: readonly Sample[],
  dispatchCost: number,
): Phase | { readonly missing: string } {
  const terms: Record<keyof Terms, number> = { ...nothing };
  let seconds = exactly(0);
  for (const { call, count } of workload.steps) {
    const each = secondsOf(call, dtype, samples);
    const kind = kindOf(call);
    if (each === undefined || kind === undefined) return { missing: `${kind ?? call.kernel} in ${dtype}` };
    const all = times(each, count);
    seconds = plus(seconds, all);
    const term =
      kind === "attention of one query"
        ? "cacheRead"
        : kind === "matvec"
          ? "weightsRead"
          : kind === "matmul"
            ? "arithmetic"
            : "attention";
    terms[term] += passes * all.value;
  }
  const overhead = dispatchesOf(workload) * dispatchCost;
  terms.overhead = passes * overhead;
  const time = times(plus(seconds, exactly(overhead)), passes);
  return { seconds: time, tokensPerSecond: rateOf(tokens, time), terms };
}

/** What lies between kernels, from the models that were run whole on this device; undefined where none was. */
function betweenKernels(
  result: Result,
  dtype: DType,
  samples: readonly Sample[],
  without: string | undefined,
): WholeCosts | undefined {
  return wholeCosts(
    result,
    dtype,
    ({ model: id, prompt, depth, batch, decode: { steps } }) => {
      const model = knownModel(id);
      if (model === undefined) return undefined;
      // A prompt's last token is written from, and so is all that was written before.
      const keys = depth + prompt + Math.floor(steps / 2);
      const step = decode(id, model, 1, keys, batch);
      const writing = passOf(step, batch, 1, dtype, samples, 0);
      const reading = passOf(prefill(id, model, prompt, depth), prompt, batch, dtype, samples, 0);
      if ("missing" in writing || "missing" in reading) return undefined;
      return {
        step: writing.seconds.value,
        dispatches: dispatchesOf(step),
        reading: reading.seconds.value,
      };
    },
    without,
  );
}

/** What is asked of the measured device: a request without a chip. */
export type OwnRequest = Omit<PredictionRequest, "chip" | "chips" | "stack" | "cacheBytes">;

/** What a factor adds to a time. */
const beyond = (time: Estimate, factor: Estimate): Estimate => ({
  value: time.value * (factor.value - 1),
  low: time.low * (factor.low - 1),
  high: time.high * (factor.high - 1),
});

/** A phase that takes longer than its kernels. */
function lengthened({ seconds, tokensPerSecond, terms }: Phase, by: Estimate): Phase {
  const time = plus(seconds, by);
  return {
    seconds: time,
    tokensPerSecond: rateOf(tokensPerSecond.value * seconds.value, time),
    terms: { ...terms, overhead: terms.overhead + by.value },
  };
}

/**
 * Predicts a request on the device of a result, from the calls that it measured in the weights' type. `without` leaves a
 * model's own calls out, so that a prediction can be checked against what was measured. Never guesses: a type or a kernel
 * that was not measured is named, and how to measure it.
 */
export function predictOwn(result: Result, request: OwnRequest, without?: string): Predicted {
  const { weights, prompt, output, batch } = request;
  const refused = (reason: string): Predicted => ({ status: "not-predicted", reason });
  const problem = problemOf(request);
  if (problem !== undefined) return refused(problem);
  const dtype = dtypes.find((each) => each === weights.id);
  if (dtype === undefined)
    return refused(`weights in ${weights.id} do not run here: ${dtypes.join(", ")} do`);
  if (expertsOf(request.model) !== undefined || request.model.kv_lora_rank !== undefined)
    return refused(
      `${request.model._name_or_path}: experts and latent attention are not predicted from cells`,
    );
  const samples = samplesOf(result, dtype, without);
  const name = request.model._name_or_path;
  const model = workloadConfig(request.model);
  const whole = betweenKernels(result, dtype, samples, without);
  const cost = whole?.perDispatch ?? result.instruments?.dispatchCost ?? 0;
  const context = prompt + Math.ceil(output / 2);
  const step = passOf(decode(name, model, 1, context, batch), batch, 1, dtype, samples, cost);
  const kernels = passOf(prefill(name, model, prompt, 0), prompt * batch, batch, dtype, samples, 0);
  const unmeasured = (what: string) => refused(`no ${what} was measured: run dtype=${dtype} with pp and tg`);
  if ("missing" in step) return unmeasured(step.missing);
  if ("missing" in kernels) return unmeasured(kernels.missing);
  const reading =
    whole === undefined
      ? lengthened(kernels, exactly(batch * dispatchesOf(prefill(name, model, prompt, 0)) * cost))
      : lengthened(kernels, beyond(kernels.seconds, whole.prompts));
  const latency = plus(reading.seconds, times(step.seconds, output - 1));
  return {
    status: "predicted",
    prefill: reading,
    decode: step,
    ttft: reading.seconds,
    tpot: step.seconds,
    ...(whole !== undefined && { interactive: plus(step.seconds, exactly(whole.readBack)) }),
    latency,
    throughput: rateOf(output * batch, latency),
    chips: 1,
    stack: "webgpu",
    figures: measuredFigures(result, dtype),
    assumptions: [
      `from ${samples.length} calls that this device measured in ${dtype}`,
      whole === undefined
        ? `${SMALL_DISPATCHES} small dispatches per layer at the measured cost of one: their own work is not counted`
        : `what lies between kernels, and reading tokens back, as in ${whole.runs} ${whole.runs === 1 ? "run" : "runs"} of whole models in ${dtype}`,
      "WebGPU does not tell how much memory a device has: taken to hold the model",
    ],
  };
}

/** A workload of a result that was run, as its other models predict it: what tells how far such predictions are off. */
export interface OwnCheck {
  readonly workload: Workload;
  readonly dtype: DType;
  readonly measured: Estimate;
  readonly predicted: Estimate;
}

/** Models that the engine runs and this result does not have. */
export function otherModelIds({ workloads }: Result): string[] {
  const measured = new Set(workloads.map(({ model }) => model));
  return modelIds.filter((id) => !measured.has(id));
}

/** Predicts every model of a result from the calls of its other models, and sets what was measured beside it. Tokens/s. */
export function ownChecks(result: Result): OwnCheck[] {
  return throughputs(result).flatMap((each) => {
    const { workload, dtype } = each;
    if (!each.complete || each.tokensPerSecond === undefined) return [];
    const samples = samplesOf(result, dtype, workload.model);
    const found = passOf(workload, workload.tokens, 1, dtype, samples, 0);
    if ("missing" in found) return [];
    return [{ workload, dtype, measured: each.tokensPerSecond, predicted: found.tokensPerSecond }];
  });
}

function measuredFigures(result: Result, dtype: DType): UsedFigure[] {
  const roof = measuredRoof(result, dtype);
  if (roof === undefined) return [];
  const of = (name: string, value: number): UsedFigure => ({
    name,
    value,
    source: "",
    kind: "measured",
    derivation: "best of this device's own probes",
  });
  return [of("matrix peak", roof.flops), of("bandwidth", roof.bandwidth)];
}
