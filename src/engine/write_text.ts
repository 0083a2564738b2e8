// Greedy decoding with the weights of a file: a prompt is read in chunks, and each token is on the CPU before the next
// step is submitted, as a program has it that shows a text while it is written.

import { cacheOf, type DType } from "../kernels/elements";
import { allFused, LONGEST_CHUNK, type ModelConfig } from "../workloads";
import type { Gpu } from "./device";
import { type FillWeights, type Forward, prepareForward } from "./forward";
import { partsOf } from "./forward_driver";
import { type ForwardMemory, memoryOf } from "./forward_measurement";
import { type Choose, planForward } from "./forward_plan";
import { forwardPasses } from "./forward_run";
import { submit } from "./submits";

/** Tokens of a prompt that one pass reads at most: on a CPU a dispatch of more would keep it busy for too long. */
const CHUNK = { hardware: LONGEST_CHUNK, software: 64 };

export interface TextRun {
  readonly model: ModelConfig;
  readonly dtype: DType;
  /** Tokens of the prompt, one at least. */
  readonly prompt: readonly number[];
  /** Tokens to write at most. */
  readonly most: number;
  /** Tokens after which nothing is written. */
  readonly ends: readonly number[];
  readonly fill: FillWeights;
  readonly choose?: Choose;
}

export interface WrittenTokens {
  /** What was written, without the token that ended it. */
  readonly tokens: readonly number[];
  /** Whether the model ended it. */
  readonly ended: boolean;
  /** From the submit of the prompt to its first token on the CPU, the second time that it was read. */
  readonly secondsToFirstToken: number;
  /** Seconds of each further step, from submit to token. */
  readonly steps: readonly number[];
  readonly memory: ForwardMemory;
}

/** The passes of a text: a step, the end of the prompt, and where it has any, whole chunks of it. */
function passesOf(gpu: Gpu, { model, dtype, prompt, most }: TextRun) {
  const chunk = gpu.info.software === null ? CHUNK.hardware : CHUNK.software;
  const { chunks, passes } = forwardPasses(gpu, {
    model,
    dtype,
    cache: cacheOf[dtype],
    batch: 1,
    depth: 0,
    prompt: prompt.length,
    chunk,
    // The last token is written and not read: prompt and text may fill the model's context.
    generate: most - 1,
    interactive: 0,
    sampling: { kind: "greedy" },
    fused: allFused,
    memory: Number.POSITIVE_INFINITY,
  });
  return { chunk, chunks, passes };
}

/** A prepared model with a prompt in front of it. */
function reader(ready: Forward, { prompt }: TextRun, chunk: number, chunks: number) {
  const { gpu } = ready;
  const { device } = gpu;
  const [step, end, part] = ready.passes;
  if (step === undefined || end === undefined) throw new RangeError("a text has two passes at least");
  const token = async () => (await ready.readSampled())[0] ?? 0;
  return {
    /** Reads the prompt; the token after it. */
    async prefill(): Promise<number> {
      for (let i = 0; i <= chunks; i++) {
        const pass = i < chunks && part !== undefined ? part : end;
        ready.writePrompt(prompt.slice(i * chunk, i * chunk + pass.options.tokens));
        // One layer to a submit: no driver loses patience.
        for (const range of partsOf(pass, 1))
          submit(device, (encoder) => pass.encode(encoder, i * chunk, range));
        if (i < chunks) await gpu.await(device.queue.onSubmittedWorkDone(), "reading a prompt");
      }
      return token();
    },
    /** The token after the one that was sampled last, which stands at `position`. */
    next(position: number): Promise<number> {
      submit(device, (encoder) => step.encode(encoder, position));
      return token();
    },
  };
}

/**
 * Loads the weights, reads the prompt and writes until the model ends the text or `most` tokens are there. Throws where
 * the device cannot hold it, or logits are not finite.
 */
export async function writeTokens(
  gpu: Gpu,
  run: TextRun,
  { onLoaded = () => {}, onToken }: { onLoaded?: () => void; onToken: (tokens: readonly number[]) => void },
): Promise<WrittenTokens> {
  if (run.prompt.length === 0) throw new RangeError("a prompt has one token at least");
  const { chunk, chunks, passes } = passesOf(gpu, run);
  const plan = planForward(gpu, passes, { steps: 1, ...(run.choose && { choose: run.choose }) });
  const ready = await prepareForward(gpu, plan, run.fill);
  try {
    onLoaded();
    const { prefill, next } = reader(ready, run, chunk, chunks);
    // The first time drivers finish compiling.
    await prefill();
    const { clock } = gpu;
    const began = clock.now();
    let latest = await prefill();
    const secondsToFirstToken = clock.now() - began;
    const finite = (await ready.readLogits(1)).every((row) => row.every(Number.isFinite));
    if (!finite)
      throw new Error(
        `logits are not finite in ${run.dtype}${run.dtype === "f16" ? ": numbers grow too large for it, take dtype=f32" : ""}`,
      );

    const tokens: number[] = [];
    const steps: number[] = [];
    const over = () => run.ends.includes(latest) || tokens.length === run.most;
    while (!over()) {
      tokens.push(latest);
      onToken(tokens);
      if (tokens.length === run.most) break;
      const at = clock.now();
      latest = await next(run.prompt.length + tokens.length - 1);
      steps.push(clock.now() - at);
    }
    return { tokens, ended: run.ends.includes(latest), secondsToFirstToken, steps, memory: memoryOf(plan) };
  } finally {
    ready.destroy();
  }
}
