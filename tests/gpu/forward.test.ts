// A whole transformer in a real browser: against float64, and against itself by other ways.

import { describe, expect, test, vi } from "vitest";
import { type Forward, prepareForward } from "../../src/engine/forward";
import { bytesByRole, type Choose, firstFitting, planForward } from "../../src/engine/forward_plan";
import { fittingStarts } from "../../src/engine/pipeline";
import { kernelOf } from "../../src/kernels";
import { variantOf } from "../../src/kernels/choices";
import { cacheOf, cacheTypes, type DType, dtypes, quantsOf, weightBytes } from "../../src/kernels/elements";
import { wokenExperts } from "../../src/kernels/experts";
import { gumbelAt } from "../../src/kernels/sampling";
import {
  allFused,
  type ForwardOptions,
  forward,
  type ModelConfig,
  noneFused,
  whyNoCache,
} from "../../src/workloads";
import { eased } from "./adapter";
import { useDevice } from "./device";
import { argmaxOf, referenceLogits, sameChoices, worstError } from "./forward_reference";
import { tinyModels } from "./tiny_models";
import { notRun } from "./whole_models";

const gpu = useDevice();

/** Of the largest logit. Weights of four bits are the same on both sides: only what is computed with them counts. */
const TOLERANCE: Readonly<Record<DType, number>> = { f32: 1e-4, f16: 2e-2, q8_0: 2e-2, q4_0: 2e-2 };

/** Of the largest logit, between a cache in f32 and one in half as many bits. */
const CACHE_TOLERANCE = 2e-2;

const tokens = (count: number, seed: number, vocabulary = 300) =>
  Array.from({ length: count }, (_, i) => (seed * 7919 + i * i * 31 + i * 17) % vocabulary);

const whole: Omit<ForwardOptions, "dtype" | "cache" | "tokens"> = {
  batch: 1,
  capacity: 24,
  logits: "all",
  sampling: null,
  from: "prompt",
  fused: allFused,
  residentLayers: 1,
  largestBinding: 2 ** 27,
};

type Changes = Partial<ForwardOptions> & { readonly tokens: number };

/**
 * A prompt for a model: of experts one that leaves none of its choices within rounding, the best of some. Where two
 * experts are as good, what is computed exactly and what is not go different ways, and both are right.
 */
function steady(ready: Forward, model: ModelConfig, count: number, seed: number): number[] {
  if (model.num_experts_per_tok === undefined) return tokens(count, seed);
  const tried = Array.from({ length: 24 }, (_, i) => {
    const prompt = tokens(count, seed + i);
    const margins: number[] = [];
    referenceLogits(model, ready.weight, prompt, ready.passes[0]!.options, margins);
    return { prompt, margin: Math.min(...margins) };
  });
  return tried.reduce((a, b) => (b.margin > a.margin ? b : a)).prompt;
}

/** A model with a pass for each of these options. */
async function prepared(
  model: ModelConfig,
  dtype: DType,
  changes: readonly Changes[],
  {
    seed = 1,
    steps = 0,
    choose = firstFitting(gpu()),
  }: { seed?: number; steps?: number; choose?: Choose } = {},
): Promise<Forward> {
  const passes = changes.map((each) =>
    forward(model, {
      ...whole,
      residentLayers: model.num_hidden_layers,
      cache: cacheOf[dtype],
      ...each,
      dtype,
    }),
  );
  return prepareForward(gpu(), planForward(gpu(), passes, { steps, choose }), seed);
}

/** Runs a pass of a prompt and gives the logits that it has left. */
async function logitsOf(ready: Forward, pass: number, prompt: readonly number[], position = 0) {
  const { options, encode } = ready.passes[pass]!;
  ready.writePrompt(prompt);
  const encoder = gpu().device.createCommandEncoder();
  encode(encoder, position);
  gpu().device.queue.submit([encoder.finish()]);
  return ready.readLogits(options.logits === "all" ? options.batch * options.tokens : options.batch);
}

const reference = (ready: Forward, model: ModelConfig, prompt: readonly number[]) =>
  referenceLogits(model, ready.weight, prompt, ready.passes[0]!.options);

const models = Object.entries(tinyModels) as [string, ModelConfig][];

describe.each(dtypes)("%s", (dtype) => {
  const skipped = () => notRun(gpu(), dtype);

  test.for(models)("%s: logits of every token agree with float64", async ([name, model], { skip }) => {
    const reason = skipped();
    if (reason !== undefined) return skip(reason);
    const ready = await prepared(model, dtype, [{ tokens: 13 }]);
    const prompt = steady(ready, model, 13, 3);
    const actual = await logitsOf(ready, 0, prompt);
    const expected = reference(ready, model, prompt);
    const error = worstError(actual, expected);
    console.log(`${name} ${dtype}: ${error.toExponential(1)} from float64`);
    expect(error).toBeLessThan(TOLERANCE[dtype]);
    expect(sameChoices(actual, expected, dtype === "f32" ? 0 : TOLERANCE[dtype])).toBe(true);
    ready.destroy();
  });

  test.for(models)(
    "%s: reading a prompt is writing it token by token, or in parts",
    async ([, model], { skip }) => {
      const reason = skipped();
      if (reason !== undefined) return skip(reason);
      const ready = await prepared(model, dtype, [
        { tokens: 12 },
        { tokens: 1 },
        { tokens: 4 },
        { tokens: 9 },
        { tokens: 3 },
      ]);
      const prompt = steady(ready, model, 12, 5);
      const all = await logitsOf(ready, 0, prompt);
      const steps: Float64Array[] = [];
      for (const [i, token] of prompt.entries()) steps.push(...(await logitsOf(ready, 1, [token], i)));
      expect(worstError(steps, all)).toBeLessThan(TOLERANCE[dtype]);
      const fours: Float64Array[] = [];
      for (let i = 0; i < 12; i += 4) fours.push(...(await logitsOf(ready, 2, prompt.slice(i, i + 4), i)));
      expect(worstError(fours, all)).toBeLessThan(TOLERANCE[dtype]);
      const uneven = [
        ...(await logitsOf(ready, 3, prompt.slice(0, 9), 0)),
        ...(await logitsOf(ready, 4, prompt.slice(9), 9)),
      ];
      expect(worstError(uneven, all)).toBeLessThan(TOLERANCE[dtype]);
      for (const other of [steps, fours, uneven])
        expect(sameChoices(other, all, dtype === "f32" ? 0 : TOLERANCE[dtype])).toBe(true);
      ready.destroy();
    },
  );

  const some = (...names: string[]) => models.filter(([name]) => names.includes(name));

  test.for(some("qwen3", "qwen3_moe", "gpt_oss"))(
    "%s: a batch is its sequences one by one",
    async ([, model], { skip }) => {
      const reason = skipped();
      if (reason !== undefined) return skip(reason);
      const many = await prepared(model, dtype, [
        { batch: 3, tokens: 5 },
        { batch: 3, tokens: 1 },
      ]);
      const sequences = [1, 101, 201].map((seed) => steady(many, model, 6, seed));
      const prompts = sequences.map((sequence) => sequence.slice(0, 5));
      const together = await logitsOf(many, 0, prompts.flat());
      const next = await logitsOf(
        many,
        1,
        sequences.map((sequence) => sequence[5]!),
        5,
      );
      many.destroy();
      for (const [i, prompt] of prompts.entries()) {
        const one = await prepared(model, dtype, [{ tokens: 5 }, { tokens: 1 }]);
        const alone = await logitsOf(one, 0, prompt);
        expect(worstError(together.slice(5 * i, 5 * i + 5), alone)).toBeLessThan(TOLERANCE[dtype]);
        const after = await logitsOf(one, 1, sequences[i]!.slice(5), 5);
        expect(worstError([next[i]!], after)).toBeLessThan(TOLERANCE[dtype]);
        one.destroy();
      }
    },
  );

  test.for(some("llama", "qwen3_moe", "gpt_oss"))(
    "%s: fused is unfused, and the last token is the last of all",
    async ([, model], { skip }) => {
      const reason = skipped();
      if (reason !== undefined) return skip(reason);
      const ready = await prepared(model, dtype, [
        { tokens: 6 },
        { tokens: 6, fused: noneFused },
        { tokens: 6, logits: "last" },
        { tokens: 1 },
        { tokens: 1, fused: noneFused },
      ]);
      const sequence = steady(ready, model, 7, 4);
      const prompt = sequence.slice(0, 6);
      expect(ready.passes[1]!.dispatches.length).toBeGreaterThan(ready.passes[0]!.dispatches.length);
      const fused = await logitsOf(ready, 0, prompt);
      expect(worstError(await logitsOf(ready, 1, prompt), fused)).toBeLessThan(TOLERANCE[dtype]);
      expect(worstError(await logitsOf(ready, 2, prompt), fused.slice(-1))).toBeLessThan(TOLERANCE[dtype]);
      const step = await logitsOf(ready, 3, sequence.slice(6), 6);
      expect(worstError(await logitsOf(ready, 4, sequence.slice(6), 6), step)).toBeLessThan(TOLERANCE[dtype]);
      ready.destroy();
    },
  );

  test("norms round what the next product would round first, to the same numbers", async ({ skip }) => {
    const reason = skipped() ?? (quantsOf[dtype] === undefined ? "weights are floats" : undefined);
    if (reason !== undefined) return skip(reason);
    const packed: Choose = ({ kernel, shape }, type) => {
      const fitting = fittingStarts(gpu(), kernel, shape, type);
      return fitting.find(({ variant }) => variant === "packed") ?? fitting[0]!;
    };
    const apart = { ...allFused, normQuantise: false };
    const ready = await prepared(
      tinyModels.llama,
      dtype,
      [
        { tokens: 3 },
        { tokens: 3, fused: apart },
        { tokens: 1 },
        { tokens: 1, fused: { ...allFused, qkv: false } },
      ],
      { choose: packed },
    );
    const [few, many] = ready.passes.map(({ stages }) => stages);
    if (!gpu().packedDot) return expect(few).toBe(many);
    // Two norms of each layer but the first, the norm before the feed-forward layer there, and the last one.
    expect(many! - few!).toBe(2 * tinyModels.llama.num_hidden_layers);
    const prompt = tokens(3, 8);
    const fused = await logitsOf(ready, 0, prompt);
    expect(fused).toEqual(await logitsOf(ready, 1, prompt));
    expect(await logitsOf(ready, 2, [4], 3)).toEqual(await logitsOf(ready, 3, [4], 3));
    ready.destroy();
  });

  test.for(some("llama", "qwen3_moe", "gpt_oss"))(
    "%s: matrices in pieces are those that are whole",
    async ([, model], { skip }) => {
      const reason = skipped();
      if (reason !== undefined) return skip(reason);
      // 128 rows of a dense matrix, or two experts.
      const largestBinding = 2 ** 13 * weightBytes[dtype];
      // A fused product is for matrices that are whole.
      const fused = { ...allFused, gateUp: false };
      const passes = [
        { tokens: 11, fused },
        { tokens: 1, fused },
      ];
      const whole = await prepared(model, dtype, passes);
      const split = await prepared(
        model,
        dtype,
        passes.map((each) => ({ ...each, largestBinding })),
      );
      const names = split.plan.buffers.map(({ name }) => name);
      const piece =
        model.num_experts_per_tok === undefined
          ? "layers.1.gate_up_proj.1"
          : "layers.1.experts.gate_up_proj.1";
      expect(names).toEqual(expect.arrayContaining(["embed_tokens.1", piece]));
      const prompt = tokens(11, 6);
      for (const [pass, given, position] of [
        [0, prompt, 0],
        [1, [5], 11],
      ] as const)
        expect(await logitsOf(split, pass, given, position)).toEqual(
          await logitsOf(whole, pass, given, position),
        );
      whole.destroy();
      split.destroy();
    },
  );

  test("a vocabulary in pieces, and layers that take turns with their weights", async ({ skip }) => {
    const reason = skipped();
    if (reason !== undefined) return skip(reason);
    const options = { tokens: 11, largestBinding: 2 ** 13, residentLayers: 2 };
    for (const [, model] of some("llama", "mistral", "qwen3_moe", "gpt_oss")) {
      const ready = await prepared(model, dtype, [
        options,
        { ...options, logits: "last", sampling: { kind: "greedy" } },
      ]);
      const prompt = steady(ready, model, 11, 9);
      expect(ready.plan.buffers.map(({ name }) => name)).toContain("embed_tokens.1");
      const actual = await logitsOf(ready, 0, prompt);
      const expected = reference(ready, model, prompt);
      expect(worstError(actual, expected)).toBeLessThan(TOLERANCE[dtype]);
      const [last] = await logitsOf(ready, 1, prompt);
      expect([...(await ready.readSampled())]).toEqual([argmaxOf(last!)]);
      ready.destroy();
    }
  });

  test("a KV cache of another type than is usual beside these weights", async ({ skip }) => {
    const reason = skipped();
    if (reason !== undefined) return skip(reason);
    const model = tinyModels["llama, heads of an odd kind"];
    const caches = cacheTypes.filter((cache) => whyNoCache(model, dtype, cache) === undefined);
    expect(caches).toContain(cacheOf[dtype]);
    const prompt = tokens(9, 2);
    const found: { bytes: number; logits: Float64Array[] }[] = [];
    for (const cache of caches) {
      const ready = await prepared(model, dtype, [
        { tokens: 9, cache },
        { tokens: 1, cache },
      ]);
      const logits = [...(await logitsOf(ready, 0, prompt)), ...(await logitsOf(ready, 1, [5], 9))];
      found.push({ bytes: bytesByRole(ready.plan).cache, logits });
      ready.destroy();
    }
    const [first] = found;
    for (const { logits } of found) expect(worstError(logits, first!.logits)).toBeLessThan(CACHE_TOLERANCE);
    // Another type, another size: it is not the same cache under another name.
    expect(new Set(found.map(({ bytes }) => bytes)).size).toBe(caches.length);
  });

  test("with subgroups and without them", async ({ skip }) => {
    const reason = skipped();
    if (reason !== undefined) return skip(reason);
    if (gpu().subgroupSize === 0) return skip("no subgroups of one size");
    const by =
      (wanted: boolean): Choose =>
      ({ kernel, shape }, type) => {
        const fitting = fittingStarts(gpu(), kernel, shape, type);
        const found = fitting.find(
          (choice) =>
            (variantOf(kernelOf(kernel), choice).demand(choice.tuning, shape, type).subgroup !==
              undefined) ===
            wanted,
        );
        return found ?? fitting[0]!;
      };
    const prompt = tokens(10, 6);
    const model = tinyModels["llama, heads of an odd kind"];
    const results: Float64Array[][] = [];
    for (const wanted of [true, false]) {
      const ready = await prepared(model, dtype, [{ tokens: 10 }, { tokens: 1 }], { choose: by(wanted) });
      const used = ready.plan.passes
        .flatMap(({ dispatches }) => dispatches)
        .filter(
          ({ call, choice }) =>
            variantOf(kernelOf(call.kernel), choice).demand(choice.tuning, call.shape, dtype).subgroup,
        );
      expect(used.length > 0).toBe(wanted);
      results.push([...(await logitsOf(ready, 0, prompt)), ...(await logitsOf(ready, 1, [5], 10))]);
      ready.destroy();
    }
    expect(worstError(results[0]!, results[1]!)).toBeLessThan(TOLERANCE[dtype]);
  });
});

test("synthetic tokens wake as many experts as if each was as likely", async () => {
  const [experts, chosen, count] = [64, 4, 16];
  const expected = wokenExperts(experts, chosen, count);
  for (const model of [
    { ...tinyModels.qwen3_moe, num_experts: experts, num_experts_per_tok: chosen, num_hidden_layers: 6 },
    { ...tinyModels.gpt_oss, num_local_experts: experts, num_experts_per_tok: chosen, num_hidden_layers: 6 },
  ]) {
    const ready = await prepared(model, "f32", [{ tokens: count }]);
    const choices: number[][] = [];
    referenceLogits(model, ready.weight, tokens(count, 3), ready.passes[0]!.options, [], choices);
    ready.destroy();
    const woken = Array.from({ length: 6 }, (_, layer) => {
      const ofLayer = choices.slice(layer * count, (layer + 1) * count);
      expect(ofLayer).toHaveLength(count);
      return new Set(ofLayer.flat()).size;
    });
    const mean = woken.reduce((a, b) => a + b) / woken.length;
    console.log(`${model.model_type}: ${woken.join(", ")} experts of ${experts} woken, ${expected} expected`);
    expect(mean / expected).toBeGreaterThan(0.85);
    expect(mean / expected).toBeLessThan(1.1);
  }
});

describe("decoding without the CPU", () => {
  const steps = 9;
  const decodes = (sampling: ForwardOptions["sampling"]): Changes[] => [
    { batch: 2, tokens: 4, logits: "last", sampling },
    { batch: 2, tokens: 1, logits: "last", sampling, from: "sampled" },
  ];

  /** Reads a prompt and writes `count` tokens, at most fifty in one submit, one submit after the other. */
  async function run(ready: Forward, prompt: readonly number[], count = steps): Promise<void> {
    const { device } = gpu();
    ready.writePrompt(prompt);
    for (let from = 0; from < count; from += 50) {
      if (from > 0) await device.queue.onSubmittedWorkDone();
      const encoder = device.createCommandEncoder();
      for (let step = from; step < Math.min(count, from + 50); step++) {
        if (step === 0) ready.passes[0]!.encode(encoder, 0);
        else ready.passes[1]!.encode(encoder, 3 + step);
        ready.keepSampled(encoder, step);
      }
      device.queue.submit([encoder.finish()]);
    }
  }

  test("writes the most likely token each time, as float64 would", async () => {
    const model = tinyModels.qwen2;
    const prompts = [tokens(4, 11), tokens(4, 12)];
    const ready = await prepared(model, "f32", decodes({ kind: "greedy" }), { steps });
    await run(ready, prompts.flat());
    const history = await ready.readHistory(steps);
    for (const [sequence, prompt] of prompts.entries()) {
      const written = Array.from({ length: steps }, (_, step) => history[2 * step + sequence]!);
      const logits = reference(ready, model, [...prompt, ...written]);
      expect(logits.slice(3, -1).map(argmaxOf)).toEqual(written);
    }
    ready.destroy();
  });

  test("draws tokens at a temperature, the same for the same seed", async () => {
    const model = tinyModels.llama;
    const prompts = [tokens(4, 13), tokens(4, 14)];
    const runs: number[][] = [];
    for (const seed of [5, 5, 6]) {
      const sampling = { kind: "temperature", temperature: 2, seed } as const;
      const ready = await prepared(model, "f32", decodes(sampling), { steps });
      await run(ready, prompts.flat());
      const history = [...(await ready.readHistory(steps))];
      runs.push(history);
      for (const [sequence, prompt] of prompts.entries()) {
        const written = Array.from({ length: steps }, (_, step) => history[2 * step + sequence]!);
        const logits = reference(ready, model, [...prompt, ...written]).slice(3, -1);
        const drawn = logits.map((row, step) => {
          // Noise is numbered by the position that the pass began at.
          const position = step === 0 ? 0 : 3 + step;
          return argmaxOf(
            row.map((logit, i) => logit + 2 * gumbelAt(seed + position, sequence * row.length + i)),
          );
        });
        expect(drawn).toEqual(written);
      }
      ready.destroy();
    }
    expect(runs[1]).toEqual(runs[0]);
    expect(runs[2]).not.toEqual(runs[0]);
  });

  test("allocates nothing, writes nothing and waits for nothing from step to step", async () => {
    const ready = await prepared(tinyModels.llama, "f32", decodes({ kind: "greedy" }), { steps });
    const { device } = gpu();
    ready.writePrompt(tokens(8, 15));
    const spies = [
      vi.spyOn(device, "createBuffer"),
      vi.spyOn(device, "createBindGroup"),
      vi.spyOn(device, "createComputePipelineAsync"),
      vi.spyOn(device.queue, "writeBuffer"),
      vi.spyOn(GPUBuffer.prototype, "mapAsync"),
    ];
    await run(ready, tokens(8, 15));
    // The prompt alone.
    expect(spies.map((spy) => spy.mock.calls.length)).toEqual([0, 0, 0, 1, 0]);
    vi.restoreAllMocks();
    await ready.readHistory(steps);
    ready.destroy();
  });

  test("allocates exactly what was planned, and no more however many tokens are written", async () => {
    // SwiftShader takes a minute for as many.
    const count = eased ? 100 : 1000;
    const created = vi.spyOn(gpu().device, "createBuffer");
    const model = { ...tinyModels.llama, num_hidden_layers: 1, max_position_embeddings: 1024 };
    const changes = decodes({ kind: "greedy" }).map((each) => ({ ...each, capacity: 1024 }));
    const ready = await prepared(model, "f32", changes, { steps: count });
    // Filling takes a shape of 16 bytes at a time, which is gone afterwards.
    const sizes = created.mock.calls.map(([{ label, size }]) => (label === undefined ? 0 : size));
    expect(sizes.reduce((a, b) => a + b, 0)).toBe(ready.plan.bytes);
    created.mockClear();
    await run(ready, tokens(8, 15), count);
    expect(created).not.toHaveBeenCalled();
    vi.restoreAllMocks();
    const history = await ready.readHistory(count);
    expect(history.every((token) => token < model.vocab_size)).toBe(true);
    expect(new Set(history).size).toBeGreaterThan(1);
    ready.destroy();
  });

  test("refuses positions beyond the cache and tokens that there are not", async () => {
    const ready = await prepared(tinyModels.llama, "f32", decodes({ kind: "greedy" }), { steps });
    const encoder = gpu().device.createCommandEncoder();
    expect(() => ready.passes[1]!.encode(encoder, 24)).toThrow(/24 to 25 do not fit into a cache of 24/);
    expect(() => ready.writePrompt([300])).toThrow(/300 is no token/);
    ready.destroy();
  });
});
