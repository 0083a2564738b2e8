// Submits prefill and decode of a prepared model, in pieces that no driver loses patience with, and waits for them.

import type { Forward, PreparedPass } from "./forward";
import type { ForwardRun } from "./forward_measurement";
import { paced, submit } from "./submits";

export interface Driver {
  /** Reads the prompt, so many layers to a submit; seconds until its first token is on the CPU. */
  prefill(layersPerSubmit: number): Promise<number>;
  /**
   * Writes so many tokens of each sequence after the prompt, the GPU alone. `walls` has the seconds per step of each
   * submit; where the GPU's own clock times every step nobody waits for single submits, and there are none.
   */
  write(steps: number, perSubmit: number): Promise<{ wall: number; walls: number[] }>;
  /** Writes token number `step` after the prompt and reads it back: seconds. */
  writeOne(step: number): Promise<number>;
}

/** The dispatches of a pass in parts of so many layers each; the first and the last have what lies around them too. */
export function partsOf({ dispatches }: PreparedPass, layers: number): { from: number; to: number }[] {
  const starts = dispatches.flatMap(({ layer }, i) => {
    const begins = layer !== null && layer > 0 && layer !== dispatches[i - 1]?.layer;
    return i === 0 || (begins && layer % layers === 0) ? [i] : [];
  });
  return starts.map((from, i) => ({ from, to: starts[i + 1] ?? dispatches.length }));
}

/** Tokens `from` to before `from + count` of the prompts of a batch, sequence by sequence: any will do, for weights are random. */
export const promptTokens = (vocabulary: number, batch: number, from: number, count: number): number[] =>
  Array.from({ length: batch * count }, (_, i) => {
    const [sequence, at] = [Math.floor(i / count), from + (i % count)];
    return (sequence * 7919 + at * 31 + 17) % vocabulary;
  });

/** A driver of a model whose passes are a step of decode, the end of a prompt and, where it has any, a chunk of it. */
export function createDriver(
  ready: Forward,
  { model, batch, depth, prompt, chunk }: ForwardRun,
  chunks: number,
): Driver {
  const { gpu, plan } = ready;
  const { device, clock } = gpu;
  const [step, end, part] = ready.passes;
  if (step === undefined || end === undefined) throw new RangeError("a run has two passes at least");
  const timed = plan.timed > 0;
  const first = depth + prompt;

  const done = () => gpu.await(device.queue.onSubmittedWorkDone(), "running a model");

  return {
    async prefill(layersPerSubmit) {
      const began = clock.now();
      const pieces = Array.from({ length: chunks + 1 }, (_, i) => {
        const pass = i < chunks && part !== undefined ? part : end;
        return partsOf(pass, layersPerSubmit).map((range) => () => {
          if (range.from === 0)
            ready.writePrompt(promptTokens(model.vocab_size, batch, i * chunk, pass.options.tokens));
          submit(device, (encoder) => pass.encode(encoder, depth + i * chunk, range));
        });
      });
      await paced(pieces.flat(), done);
      await ready.readSampled();
      return clock.now() - began;
    },

    async write(steps, perSubmit) {
      const counts = Array.from({ length: Math.ceil(steps / perSubmit) }, (_, i) =>
        Math.min(perSubmit, steps - i * perSubmit),
      );
      const pieces = counts.map((count, group) => () => {
        submit(device, (encoder) => {
          for (let i = group * perSubmit; i < group * perSubmit + count; i++) {
            step.encode(encoder, first + i, undefined, timed ? { each: "pass", first: i } : undefined);
            ready.keepSampled(encoder, i);
          }
        });
      });
      const began = clock.now();
      const walls: number[] = [];
      if (timed) await paced(pieces, done);
      else {
        let before = began;
        for (const [group, piece] of pieces.entries()) {
          piece();
          await done();
          const now = clock.now();
          walls.push((now - before) / counts[group]!);
          before = now;
        }
      }
      return { wall: clock.now() - began, walls };
    },

    async writeOne(number) {
      const began = clock.now();
      submit(device, (encoder) => step.encode(encoder, first + number));
      await ready.readSampled();
      return clock.now() - began;
    },
  };
}
