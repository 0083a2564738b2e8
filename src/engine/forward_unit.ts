// One whole model of a plan: whether it can be run, in what portions, with which kernels, and how much of it there is
// time for.

import {
  type ForwardCase,
  type ForwardOutcome,
  forwardSeconds,
  type MeasuredForward,
} from "../forward_result";
import type { DType } from "../kernels/elements";
import { memoryBudget } from "../plan";
import type { Result } from "../result";
import { median } from "../statistics";
import {
  allFused,
  knownModel,
  LONGEST_CHUNK,
  linears,
  type ModelConfig,
  noneFused,
  whyNoCache,
  whyNoForward,
  whyTooLarge,
} from "../workloads";
import { unsupported } from "./device";
import { efforts } from "./effort";
import type { FillWeights } from "./forward";
import type { ForwardAmount, ForwardMeasurement, ForwardRun } from "./forward_measurement";
import { forwardPasses, runForward } from "./forward_run";
import { choosing } from "./forward_tune";
import type { Roofs } from "./pieces";
import type { Session } from "./session";
import { DISPATCH_SECONDS } from "./submits";

/** Tokens of a prompt that one pass reads at most, as llama.cpp's ubatch, and at least. */
const CHUNKS = { most: LONGEST_CHUNK, least: 16 };

/** What kernels reach of the roof of arithmetic at least; a guess that only sets the size of a chunk. */
const SHARES = { product: 0.3, attention: 0.05 };

/** A power of two of tokens in which no product and no attention takes too long. */
export function chunkOf(
  model: ModelConfig,
  { prompt, depth, batch }: Pick<ForwardCase, "prompt" | "depth" | "batch">,
  { flops }: Pick<Roofs, "flops">,
): number {
  const layers = model.num_hidden_layers;
  const products = linears(model).flatMap(({ label, N, K, perToken }) =>
    label === "lm_head" ? [] : [(2 * N * K * perToken) / layers],
  );
  const attention = 4 * model.num_attention_heads * model.head_dim * (depth + prompt);
  const perToken = Math.max(Math.max(...products) / SHARES.product, attention / SHARES.attention) / flops;
  const tokens = 2 ** Math.floor(Math.log2(DISPATCH_SECONDS / (batch * perToken)));
  return Math.min(CHUNKS.most, Math.max(CHUNKS.least, tokens));
}

/** What is run first: it tells how long the rest takes, and where there is no time for more, it is all there is. */
const first = (generate: number): ForwardAmount => ({
  generate: Math.min(4, generate),
  interactive: Math.min(4, generate),
  repetitions: 1,
  sustain: 0,
});

/** More would tell no more, and the GPU's clock keeps no more steps. */
const MOST = { generate: 1024, interactive: 256, repetitions: 25 };

/** Prompts that a run reads before those that count. */
const FURTHER_PROMPTS = 2;

/**
 * How much fits into so many seconds at the speed of the first run: two fifths of them for reading, two for writing,
 * which is done twice, and one for writing with each token read back. Undefined where that is no more than was run.
 */
export function amountFor(
  found: Pick<ForwardMeasurement, "prefill" | "decode" | "interactive">,
  generate: number,
  seconds: number,
  sustain = 0,
): ForwardAmount | undefined {
  const ran = first(generate);
  const reading = median(found.prefill.secondsToFirstToken);
  const [writing, interactive] = [found.decode.wall / found.decode.steps, median(found.interactive)];
  const times = (share: number, each: number) => Math.floor((share * seconds) / Math.max(each, 1e-9));
  const between = (least: number, count: number, most: number) => Math.max(least, Math.min(count, most));
  const amount = {
    sustain,
    generate: between(ran.generate, times(0.2, writing), Math.min(generate, MOST.generate)),
    interactive: between(ran.interactive, times(0.2, interactive), Math.min(generate, MOST.interactive)),
    repetitions: between(1, times(0.4, reading) - FURTHER_PROMPTS, MOST.repetitions),
  };
  const more =
    sustain > 0 ||
    (["generate", "interactive", "repetitions"] as const).some((each) => amount[each] > ran[each]);
  return more ? amount : undefined;
}

const samples = (list: readonly number[]) => ({
  kind: "samples" as const,
  // A coarse clock may have seen nothing pass.
  seconds: list.map((each) => Math.max(each, 1e-12)),
});

/** What came of it as a result keeps it. */
function recorded(
  wanted: ForwardCase,
  { chunk }: ForwardRun,
  { memory, prefill, decode, interactive, breakdown, sustained }: ForwardMeasurement,
  hidden: boolean,
): MeasuredForward {
  const { residentLayers, ofLayers, byRole } = memory;
  return {
    status: "measured",
    ...wanted,
    chunk,
    residentLayers,
    ofLayers,
    bytes: { ...byRole },
    prefill: {
      times: samples(prefill.secondsToFirstToken),
      dispatches: prefill.dispatches,
      work: { ...prefill.work },
    },
    decode: {
      clock: decode.clock,
      times: samples(decode.samples),
      grouped: decode.grouped,
      steps: decode.steps,
      stepsPerSubmit: decode.stepsPerSubmit,
      wall: Math.max(decode.wall, 1e-12),
      dispatches: decode.dispatches,
      work: { ...decode.work },
    },
    interactive: samples(interactive),
    sustained: sustained && { seconds: sustained.seconds, times: samples(sustained.samples) },
    breakdown: breakdown?.map((each) => ({ ...each })) ?? null,
    hidden,
  };
}

/** A model that no list knows, with weights of its own. */
export interface OwnModel {
  /** What results call it. */
  readonly name: string;
  readonly model: ModelConfig;
  fill(dtype: DType): FillWeights;
}

/**
 * Runs one whole model of a plan, or `own` where it is of that name. Weights that cells were measured on make room for
 * its own. Throws where it fails; a model or a type that nothing here computes is skipped.
 */
export async function measureForward(
  session: Session,
  result: Result,
  wanted: ForwardCase,
  roofs: Roofs,
  own?: OwnModel,
): Promise<ForwardOutcome> {
  const { gpu, visibility } = session;
  const { plan } = result;
  const given = own?.name === wanted.model ? own : undefined;
  const model = given?.model ?? knownModel(wanted.model);
  if (model === undefined) throw new Error(`there is no model ${wanted.model}`);
  const memory = memoryBudget(plan, gpu.mobile);
  const reason =
    unsupported(gpu, wanted.dtype) ??
    whyNoForward(model) ??
    whyNoCache(model, wanted.dtype, wanted.kv) ??
    whyTooLarge(model, wanted.dtype, memory);
  if (reason !== undefined) return { status: "skipped", ...wanted, reason: reason.slice(0, 400) };

  session.freeWeights();
  const run: ForwardRun = {
    ...wanted,
    model,
    // Room for as much as there may be time for.
    generate: Math.min(wanted.generate, MOST.generate),
    interactive: Math.min(wanted.generate, MOST.interactive),
    repetitions: MOST.repetitions,
    sustain: plan.sustain,
    chunk: Math.min(wanted.prompt, chunkOf(model, wanted, roofs)),
    sampling: { kind: "greedy" },
    // Without a search a product of this run's own is the safer choice for gate and up.
    fused: !wanted.fused ? noneFused : { ...allFused, gateUp: efforts[plan.preset].search },
    cache: wanted.kv,
    memory,
  };
  const choose = await choosing(session, result, forwardPasses(gpu, run).passes);
  const how = { choose, ...(given && { seed: given.fill(wanted.dtype) }) };
  const { timesHidden } = visibility;
  const found = await runForward(gpu, run, {
    ...how,
    first: first(wanted.generate),
    more: (tried) =>
      plan.preset === "smoke"
        ? undefined
        : amountFor(tried, wanted.generate, forwardSeconds[plan.preset], plan.sustain),
  });
  return recorded(wanted, run, found, visibility.hidden || visibility.timesHidden > timesHidden);
}
