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
import { type PreparedPass, prepareForward } from "./forward";
import { breakdown } from "./forward_breakdown";
import {
  type ForwardMeasurement,
  type ForwardMemory,
  type ForwardRun,
  memoryOf,
} from "./forward_measurement";
import { type Choose, planForward } from "./forward_plan";
import { largestPiece } from "./weights";

/** No submit is planned to keep the GPU busy much longer: drivers take a device away that does not answer. */
const SUBMIT_SECONDS = 0.1;

/** The passes of a run: whole chunks of a prompt, its end with the first token sampled, and a step of decode. */
export function forwardPasses(
  gpu: Gpu,
  { model, dtype, batch, depth, prompt, chunk, generate, interactive, sampling, fused, memory }: ForwardRun,
): { chunks: number; passes: ForwardPass[] } {
  const chunks = Math.ceil(prompt / chunk) - 1;
  const common: Omit<ForwardOptions, "tokens" | "logits" | "sampling" | "from"> = {
    dtype,
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

/** The dispatches of a pass in parts, a number of layers each, the last one with what comes after them. */
function partsOf({ dispatches }: PreparedPass, layers: number): { from: number; to: number }[] {
  const starts = dispatches.flatMap(({ label, layer }, i) =>
    i === 0 || (label === "qkv_proj" && layer !== null && layer > 0 && layer % layers === 0) ? [i] : [],
  );
  return starts.map((from, i) => ({ from, to: starts[i + 1] ?? dispatches.length }));
}

/**
 * Runs a model. `onPlan` is told what it takes before any of that is allocated. Throws where the model is not known, its
 * tensors fit neither bindings nor memory, or what it computes is not finite or not the same each time.
 */
export async function runForward(
  gpu: Gpu,
  run: ForwardRun,
  { choose, onPlan = () => {} }: { choose?: Choose; onPlan?: (memory: ForwardMemory) => void } = {},
): Promise<ForwardMeasurement> {
  for (const field of ["prompt", "chunk", "generate", "repetitions", "batch"] as const) {
    if (!Number.isInteger(run[field]) || run[field] < 1)
      throw new RangeError(`${field} is a whole number from 1, not ${run[field]}`);
  }
  const { model, batch, depth, prompt, chunk, generate } = run;
  const { chunks, passes } = forwardPasses(gpu, run);
  const plan = planForward(gpu, passes, { steps: generate, ...(choose && { choose }) });
  const memory = memoryOf(plan);
  onPlan(memory);
  const ready = await prepareForward(gpu, plan);
  try {
    const [step, end, part] = ready.passes as [PreparedPass, PreparedPass, PreparedPass?];
    const { device, clock } = gpu;
    const done = () => gpu.await(device.queue.onSubmittedWorkDone(), "running a model");
    const submit = (encode: (encoder: GPUCommandEncoder) => void) => {
      const encoder = device.createCommandEncoder();
      encode(encoder);
      device.queue.submit([encoder.finish()]);
    };

    /**
     * Does work that submits, one piece after another, with no more than two under way: the GPU never waits, and no wait
     * is for more than that.
     */
    const paced = async (pieces: readonly (() => void)[]) => {
      let before: Promise<unknown> | undefined;
      let latest: Promise<unknown> | undefined;
      for (const piece of pieces) {
        await before;
        piece();
        [before, latest] = [latest, done()];
        // Whoever ends meanwhile leaves it unawaited.
        latest.catch(() => {});
      }
      await before;
      await latest;
    };

    /** Tokens of all sequences from `from` on, `count` of each. */
    const tokens = (from: number, count: number) =>
      Array.from({ length: batch * count }, (_, i) => {
        const [sequence, at] = [Math.floor(i / count), from + (i % count)];
        return (sequence * 7919 + at * 31 + 17) % model.vocab_size;
      });

    /** Reads the prompt, so many layers to a submit; seconds until the first token is on the CPU. */
    const prefill = async (layers: number): Promise<number> => {
      const began = clock.now();
      const pieces = Array.from({ length: chunks + 1 }, (_, i) => {
        const pass = i < chunks && part !== undefined ? part : end;
        return partsOf(pass, layers).map((range, at) => () => {
          if (at === 0) ready.writePrompt(tokens(i * chunk, pass.options.tokens));
          submit((encoder) => pass.encode(encoder, depth + i * chunk, range));
        });
      });
      await paced(pieces.flat());
      await ready.readSampled();
      return clock.now() - began;
    };

    // The first time drivers finish compiling; the second tells how many layers a submit may have.
    await prefill(1);
    const once = await prefill(1);
    const layers = Math.max(1, Math.floor((SUBMIT_SECONDS * model.num_hidden_layers * (chunks + 1)) / once));
    const secondsToFirstToken: number[] = [];
    for (let i = 0; i < run.repetitions; i++) secondsToFirstToken.push(await prefill(layers));

    const first = depth + prompt;
    /** Steps `from` to before `to` in one submit. */
    const steps = (from: number, to: number) =>
      submit((encoder) => {
        for (let i = from; i < to; i++) {
          step.encode(encoder, first + i, undefined, plan.timed > 0 ? { each: "pass", first: i } : undefined);
          ready.keepSampled(encoder, i);
        }
      });
    /** Writes `count` tokens of each sequence; by the wall clock alone every submit is waited for. */
    const write = async (count: number, perSubmit: number) => {
      const walls: number[] = [];
      const began = clock.now();
      let before = began;
      const pieces = Array.from({ length: Math.ceil(count / perSubmit) }, (_, i) => {
        const from = i * perSubmit;
        return { from, to: Math.min(from + perSubmit, count) };
      });
      if (plan.timed > 0)
        await paced(
          pieces.map(
            ({ from, to }) =>
              () =>
                steps(from, to),
          ),
        );
      else {
        for (const { from, to } of pieces) {
          steps(from, to);
          await done();
          walls.push((clock.now() - before) / (to - from));
          before = clock.now();
        }
      }
      return { wall: clock.now() - began, walls };
    };
    const warm = Math.min(2, generate);
    await write(warm, 1);
    const { wall: warmed } = await write(warm, warm);
    const stepsPerSubmit = Math.max(1, Math.floor((SUBMIT_SECONDS * warm) / warmed));
    // Every run begins with the same token.
    await prefill(layers);
    const { wall, walls } = await write(generate, stepsPerSubmit);
    const stamps = await ready.readStamps(generate);
    const written = await ready.readHistory(generate);
    const gpuSteps = stamps?.slice(1).map(({ end: at }, i) => at - stamps[i]!.end);
    const stamped = gpuSteps !== undefined && gpuSteps.length > 0 && gpuSteps.every((seconds) => seconds > 0);

    const [finite] = await ready.readLogits(batch);
    if (!finite?.every(Number.isFinite)) throw new Error("logits are not finite");
    await prefill(layers);
    await write(generate, stepsPerSubmit);
    const again = await ready.readHistory(generate);
    const differs = written.findIndex((token, i) => token !== again[i]);
    if (differs >= 0)
      throw new Error(
        `step ${Math.floor(differs / batch)} wrote another token the second time: what was timed was wrong`,
      );

    const interactive: number[] = [];
    for (let i = 0; i < run.interactive; i++) {
      const began = clock.now();
      submit((encoder) => step.encode(encoder, first + i));
      await ready.readSampled();
      interactive.push(clock.now() - began);
    }

    return {
      memory,
      prefill: {
        secondsToFirstToken,
        tokens: batch * prompt,
        dispatches: end.stages + chunks * (part?.stages ?? 0),
        work: prefillWork(passes, chunks, run),
      },
      decode: {
        clock: stamped ? "timestamp-query" : "wall",
        samples: stamped ? gpuSteps : plan.timed > 0 ? [wall / generate] : walls,
        grouped: stamped ? 1 : plan.timed > 0 ? generate : stepsPerSubmit,
        wall,
        steps: generate,
        dispatches: step.stages,
        stepsPerSubmit,
        work: forwardWork(passes[0]!, first + Math.floor(generate / 2)),
      },
      interactive,
      breakdown: await breakdown(ready, step, first, submit),
      written: [...written].filter((_, i) => i % batch === 0),
    };
  } finally {
    ready.destroy();
  }
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
