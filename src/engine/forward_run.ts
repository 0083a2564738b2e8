// Reads a prompt and writes an answer with a whole model, and says how long each step took.

import {
  type ForwardOptions,
  type ForwardPass,
  type ForwardWork,
  forward,
  forwardWork,
  layersWithin,
} from "../workloads";
import type { Gpu } from "./device";
import { type FillWeights, type Forward, type PreparedPass, prepareForward } from "./forward";
import { breakdown } from "./forward_breakdown";
import { createDriver, type Driver } from "./forward_driver";
import {
  type ForwardAmount,
  type ForwardMeasurement,
  type ForwardMemory,
  type ForwardRun,
  memoryOf,
} from "./forward_measurement";
import { type Choose, planForward } from "./forward_plan";
import { countPerSubmit } from "./submits";
import { largestPiece } from "./weights";

/** The passes of a run: whole chunks of a prompt, its end with the first token sampled, and a step of decode. */
export function forwardPasses(
  gpu: Gpu,
  {
    model,
    dtype,
    cache,
    batch,
    depth,
    prompt,
    chunk,
    generate,
    interactive,
    sampling,
    fused,
    memory,
  }: Omit<ForwardRun, "repetitions" | "sustain">,
): { chunks: number; passes: ForwardPass[] } {
  const chunks = Math.ceil(prompt / chunk) - 1;
  const common: Omit<ForwardOptions, "tokens" | "logits" | "sampling" | "from"> = {
    dtype,
    cache,
    batch,
    capacity: depth + prompt + Math.max(generate, interactive) + 1,
    fused,
    residentLayers: layersWithin(model, dtype, memory),
    largestBinding: largestPiece(gpu),
  };
  const end = {
    ...common,
    tokens: prompt - chunks * chunk,
    logits: "last",
    sampling,
    from: "prompt",
  } as const;
  const step = { ...common, tokens: 1, logits: "last", sampling, from: "sampled" } as const;
  const passes = [forward(model, step), forward(model, end)];
  if (chunks > 0)
    passes.push(forward(model, { ...common, tokens: chunk, logits: "none", sampling: null, from: "prompt" }));
  return { chunks, passes };
}

interface RunOptions {
  readonly choose?: Choose;
  /** Of the weights, or what fills them with a file's. */
  readonly seed?: number | FillWeights;
  /** What is run first, less than all of it; then `more` says what else, knowing how long that took. */
  readonly first?: ForwardAmount;
  readonly more?: (found: ForwardMeasurement) => ForwardAmount | undefined;
  /** Is told what the run takes before any of that is allocated. */
  readonly onPlan?: (memory: ForwardMemory) => void;
}

/**
 * Runs a model: `run` itself, or no more of it than `first` and `more` say. Throws where the model is not known, its
 * tensors fit neither bindings nor memory, or what it computes is not finite or not the same each time.
 */
export async function runForward(
  gpu: Gpu,
  run: ForwardRun,
  { choose, seed, first = run, more = () => undefined, onPlan = () => {} }: RunOptions = {},
): Promise<ForwardMeasurement> {
  for (const field of ["prompt", "chunk", "generate", "repetitions", "batch"] as const) {
    if (!Number.isInteger(run[field]) || run[field] < 1)
      throw new RangeError(`${field} is a whole number from 1, not ${run[field]}`);
  }
  const { chunks, passes } = forwardPasses(gpu, run);
  const plan = planForward(gpu, passes, { steps: run.generate, ...(choose && { choose }) });
  const memory = memoryOf(plan);
  onPlan(memory);
  const ready = await prepareForward(gpu, plan, seed);
  try {
    const driver = createDriver(ready, run, chunks);
    const measure = async (amount: ForwardAmount): Promise<ForwardMeasurement> => ({
      memory,
      ...(await measured(ready, passes, driver, { ...run, ...amount }, chunks)),
    });
    const found = await measure(first);
    const rest = more(found);
    return rest === undefined ? found : await measure(rest);
  } finally {
    ready.destroy();
  }
}

/** Prefill until it is warm, then as often as asked; decode, twice, for it has to write the same; then step by step. */
async function measured(
  ready: Forward,
  passes: readonly ForwardPass[],
  driver: Driver,
  run: ForwardRun,
  chunks: number,
): Promise<Omit<ForwardMeasurement, "memory">> {
  const { model, batch, depth, prompt, generate } = run;
  const [step, end, part] = ready.passes as [PreparedPass, PreparedPass, PreparedPass?];

  // The first time drivers finish compiling; the second tells how many layers a submit may have.
  await driver.prefill(1);
  const once = await driver.prefill(1);
  const layers = countPerSubmit(model.num_hidden_layers * (chunks + 1), once);
  const secondsToFirstToken: number[] = [];
  for (let i = 0; i < run.repetitions; i++) secondsToFirstToken.push(await driver.prefill(layers));
  const begun = await ready.readSampled();

  const warm = Math.min(2, generate);
  await driver.write(warm, 1);
  const { wall: warmed } = await driver.write(warm, warm);
  const stepsPerSubmit = countPerSubmit(warm, warmed);
  /** Writes the answer from its beginning. */
  const answer = async () => {
    ready.writeSampled(begun);
    const { wall, walls } = await driver.write(generate, stepsPerSubmit);
    return { wall, walls, tokens: await ready.readHistory(generate) };
  };
  const { wall, walls, tokens } = await answer();
  const gpuSteps = stepsBetween(await ready.readStamps(generate));
  const logits = await ready.readLogits(batch);
  if (!logits.every((row) => row.every(Number.isFinite))) throw new Error("logits are not finite");
  const differs = (await answer()).tokens.findIndex((token, i) => token !== tokens[i]);
  if (differs >= 0) {
    const number = Math.floor(differs / batch);
    throw new Error(`step ${number} wrote another token the second time: what was timed was wrong`);
  }

  const interactive: number[] = [];
  for (let i = 0; i < run.interactive; i++) interactive.push(await driver.writeOne(i));
  const sustained = await sustain(ready, driver, run, stepsPerSubmit);
  // Timed by the wall clock each submit is a sample; where it was to be by the GPU's, all of it is one.
  const byWall =
    walls.length > 0
      ? { samples: walls, grouped: stepsPerSubmit }
      : { samples: [wall / generate], grouped: generate };
  return {
    prefill: {
      secondsToFirstToken,
      tokens: batch * prompt,
      dispatches: end.stages + chunks * (part?.stages ?? 0),
      work: prefillWork(passes, chunks, run),
    },
    decode: {
      ...(gpuSteps !== null
        ? { clock: "timestamp-query", samples: gpuSteps, grouped: 1 }
        : { clock: "wall", ...byWall }),
      wall,
      steps: generate,
      dispatches: step.stages,
      stepsPerSubmit,
      work: forwardWork(passes[0]!, depth + prompt + Math.floor(generate / 2)),
    },
    interactive,
    sustained,
    breakdown: await breakdown(ready, step, depth + prompt),
    written: [...tokens].filter((_, i) => i % batch === 0),
  };
}

/** Writes the answer again and again for as long as asked, and times the last time. */
async function sustain(
  ready: Forward,
  driver: Driver,
  { sustain: wanted, generate }: ForwardRun,
  stepsPerSubmit: number,
): Promise<ForwardMeasurement["sustained"]> {
  if (wanted === 0) return null;
  const { clock } = ready.gpu;
  const began = clock.now();
  for (;;) {
    const { wall, walls } = await driver.write(generate, stepsPerSubmit);
    const seconds = clock.now() - began;
    if (seconds < wanted) continue;
    const stamps = stepsBetween(await ready.readStamps(generate));
    return { seconds, samples: stamps ?? (walls.length > 0 ? walls : [wall / generate]) };
  }
}

/** From the end of each step to that of the next by the GPU's own clock; null where it has none, or stood still. */
function stepsBetween(stamps: readonly { end: number }[] | null): number[] | null {
  const seconds = stamps?.slice(1).map(({ end }, i) => end - stamps[i]!.end) ?? [];
  return seconds.length > 0 && seconds.every((each) => each > 0) ? seconds : null;
}

/** What reading the whole prompt takes. */
function prefillWork(
  passes: readonly ForwardPass[],
  chunks: number,
  { depth, chunk }: ForwardRun,
): ForwardWork {
  const [, end, part] = passes;
  const all = Array.from({ length: chunks }, (_, i) => forwardWork(part!, depth + i * chunk));
  return [forwardWork(end!, depth + chunks * chunk), ...all].reduce((a, b) => ({
    flops: a.flops + b.flops,
    weights: a.weights + b.weights,
    cache: a.cache + b.cache,
    activations: a.activations + b.activations,
  }));
}
