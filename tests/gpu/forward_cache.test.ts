// A whole transformer with a KV cache in q8_0, in a real browser: against itself with the usual cache, and against itself
// by other ways.

import { describe, expect, test } from "vitest";
import { type Forward, prepareForward } from "../../src/engine/forward";
import { bytesByRole, planForward } from "../../src/engine/forward_plan";
import { type CacheType, cacheOf, type DType, dtypes } from "../../src/kernels/elements";
import { allFused, forward, type ModelConfig } from "../../src/workloads";
import { useDevice } from "./device";
import { argmaxOf, worstError } from "./forward_reference";
import { tinyModels } from "./tiny_models";
import { notRun } from "./whole_models";

const gpu = useDevice();

/** Of the largest logit: what eight bits for each key and value change, and what a number on the edge of two steps does. */
const TOLERANCE = 2e-2;

/** Heads of one block, of two with norms, and of three with a window. */
const models: readonly (readonly [string, ModelConfig])[] = [
  ["heads of 32", tinyModels["llama, heads of an odd kind"]],
  ["normed heads of 64", { ...tinyModels.qwen3, head_dim: 64 }],
  ["heads of 96 and a window", { ...tinyModels.mistral, head_dim: 96 }],
];

const CAPACITY = 16;

type Pass = { readonly batch?: number; readonly tokens: number };

function prepared(model: ModelConfig, dtype: DType, cache: CacheType, given: readonly Pass[]) {
  const passes = given.map(({ batch = 1, tokens }) =>
    forward(model, {
      dtype,
      cache,
      batch,
      tokens,
      capacity: CAPACITY,
      logits: "all",
      sampling: null,
      from: "prompt",
      fused: allFused,
      residentLayers: model.num_hidden_layers,
      largestBinding: 2 ** 27,
    }),
  );
  return prepareForward(gpu(), planForward(gpu(), passes, { steps: 0 }), 3);
}

async function logitsOf(ready: Forward, pass: number, prompt: readonly number[], position = 0) {
  const { options, encode } = ready.passes[pass]!;
  ready.writePrompt(prompt);
  const encoder = gpu().device.createCommandEncoder();
  encode(encoder, position);
  gpu().device.queue.submit([encoder.finish()]);
  return ready.readLogits(options.batch * options.tokens);
}

const prompt = (seed: number) => Array.from({ length: 12 }, (_, i) => (seed * 7919 + i * i * 31) % 300);

describe.each(dtypes)("weights in %s", (dtype) => {
  test.for(models)(
    "%s: logits are those of the usual cache, however they are computed",
    async ([name, model], { skip }) => {
      const reason = notRun(gpu(), dtype);
      if (reason !== undefined) return skip(reason);
      const tokens = prompt(4);
      const usual = await prepared(model, dtype, cacheOf[dtype], [{ tokens: 12 }]);
      const expected = await logitsOf(usual, 0, tokens);
      usual.destroy();

      const ready = await prepared(model, dtype, "q8_0", [{ tokens: 12 }, { tokens: 1 }, { tokens: 4 }]);
      const all = await logitsOf(ready, 0, tokens);
      const error = worstError(all, expected);
      expect(error).toBeLessThan(TOLERANCE);
      // It is another cache: not the usual one under its name.
      expect(error).toBeGreaterThan(0);
      expect(all.map(argmaxOf)).toEqual(expected.map(argmaxOf));

      const steps: Float64Array[] = [];
      for (const [i, token] of tokens.entries()) steps.push(...(await logitsOf(ready, 1, [token], i)));
      const fours: Float64Array[] = [];
      for (let i = 0; i < 12; i += 4) fours.push(...(await logitsOf(ready, 2, tokens.slice(i, i + 4), i)));
      console.log(
        `${name}, ${dtype}: ${[error, worstError(steps, all), worstError(fours, all)].map((e) => e.toExponential(1)).join(", ")}`,
      );
      expect(worstError(steps, all)).toBeLessThan(TOLERANCE);
      expect(worstError(fours, all)).toBeLessThan(TOLERANCE);
      ready.destroy();
    },
  );

  test("a batch is its sequences one by one", async ({ skip }) => {
    const reason = notRun(gpu(), dtype);
    if (reason !== undefined) return skip(reason);
    const [, model] = models[1]!;
    const both = [prompt(1), prompt(2)];
    const many = await prepared(model, dtype, "q8_0", [
      { batch: 2, tokens: 12 },
      { batch: 2, tokens: 1 },
    ]);
    const together = await logitsOf(many, 0, both.flat());
    const next = await logitsOf(many, 1, [7, 8], 12);
    many.destroy();
    const one = await prepared(model, dtype, "q8_0", [{ tokens: 12 }, { tokens: 1 }]);
    for (const [i, tokens] of both.entries()) {
      const alone = await logitsOf(one, 0, tokens);
      expect(worstError(together.slice(12 * i, 12 * i + 12), alone)).toBeLessThan(TOLERANCE);
      const after = await logitsOf(one, 1, [7 + i], 12);
      expect(worstError([next[i]!], after)).toBeLessThan(TOLERANCE);
    }
    one.destroy();
  });
});

test.each(models)("%s: what the cache takes is planned to the byte", (_, model) => {
  const options = {
    dtype: "f32",
    batch: 3,
    tokens: 1,
    capacity: CAPACITY,
    logits: "all",
    sampling: null,
  } as const;
  const rest = { from: "prompt", fused: allFused, residentLayers: 1, largestBinding: 2 ** 27 } as const;
  const plan = planForward(gpu(), [forward(model, { ...options, ...rest, cache: "q8_0" })], { steps: 0 });
  // Keys and values of two heads in three sequences; scales are padded to four, of two bytes each.
  const rows = model.num_hidden_layers * 2 * 2 * 3 * CAPACITY;
  expect(bytesByRole(plan).cache).toBe(rows * (model.head_dim + 4 * 2));
});
