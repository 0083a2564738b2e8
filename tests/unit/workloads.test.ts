import fc from "fast-check";
import * as v from "valibot";
import { describe, expect, test } from "vitest";
import { type Call, workOf } from "../../src/kernels";
import type { DType } from "../../src/kernels/elements";
import { wokenExperts } from "../../src/kernels/experts";
import { randomBits } from "../../src/kernels/random";
import {
  activeParameters,
  attentionLayers,
  callName,
  decode,
  layerParameters,
  type ModelId,
  modelConfig,
  modelConfigSchema,
  modelIds,
  parameters,
  prefill,
  type Workload,
} from "../../src/workloads";

const files = Object.entries(
  import.meta.glob<unknown>("../../src/workloads/models/*.json", { eager: true, import: "default" }),
);
const reads = (id: ModelId, tokens: number, depth = 0) => prefill(id, modelConfig(id), tokens, depth);
const writes = (id: ModelId, tokens: number, depth = 0, batch = 1) =>
  decode(id, modelConfig(id), tokens, depth, batch);

const total = (workload: Workload, dtype: DType, unit: "flops" | "bytes", label = /./) =>
  workload.steps
    .filter((step) => label.test(step.label))
    .reduce((sum, { call, count }) => sum + count * workOf(call, dtype)[unit], 0);

const lines = ({ steps }: Workload) =>
  steps.map(({ label, call, count }) => `${count} ${label}: ${callName(call)}`);

describe("models", () => {
  test("are the files, each once", () => expect(files).toHaveLength(modelIds.length));

  test.each(files)("%s fits the schema", (_, json) => {
    expect(v.safeParse(modelConfigSchema, json).issues).toBeUndefined();
  });

  test("with query heads that no key/value head serves are refused", () => {
    const uneven = { ...modelConfig("llama-3.2-1b"), num_attention_heads: 30 };
    expect(v.safeParse(modelConfigSchema, uneven).issues?.[0]?.message).toMatch(/num_key_value_heads/);
  });

  // As their authors publish them.
  test.each([
    ["smollm2-135m", 134.5e6],
    ["qwen2.5-0.5b", 494e6],
    ["llama-3.2-1b", 1.2358e9],
    ["llama-3.2-3b", 3.2127e9],
    ["llama-3.1-8b", 8.0303e9],
    ["llama-3.1-70b", 70.554e9],
    ["mistral-7b", 7.248e9],
    ["qwen3-8b", 8.19e9],
    ["gemma-3-1b", 0.999_89e9],
    ["qwen3-30b-a3b", 30.53e9],
    ["gpt-oss-20b", 20.91e9],
  ] as const)("%s has its published number of parameters", (id, published) => {
    expect(Math.abs(parameters(modelConfig(id)) / published - 1)).toBeLessThan(0.005);
  });

  // As their authors publish them; Qwen counts the embedding table too, of which a token meets a row.
  test.each([
    ["qwen3-30b-a3b", 3.3e9 - 151_936 * 2048, 0.03],
    ["gpt-oss-20b", 3.61e9, 0.005],
    ["llama-3.2-1b", 1.2358e9, 0.005],
  ] as const)("%s has its published number of active parameters", (id, published, tolerance) => {
    expect(Math.abs(activeParameters(modelConfig(id)) / published - 1)).toBeLessThan(tolerance);
  });

  test("one layer of Llama 3.2 1B has 60.8 million weights", () => {
    const hand = 3072 * 2048 + 2048 * 2048 + 16_384 * 2048 + 2048 * 8192;
    expect(layerParameters(modelConfig("llama-3.2-1b"))).toBe(hand);
  });

  test("Gemma 3 1B has 22 local layers of 512 keys and 4 global ones", () => {
    expect(attentionLayers(modelConfig("gemma-3-1b"))).toEqual([
      { window: undefined, count: 4 },
      { window: 512, count: 22 },
    ]);
  });
});

describe("Llama 3.2 1B, worked out by hand", () => {
  test("pp512", () => {
    expect(lines(reads("llama-3.2-1b", 512))).toEqual([
      "16 qkv_proj: matmul 512x3072x2048",
      "16 attention: attention 1x512x512x32x8x64x512",
      "16 o_proj: matmul 512x2048x2048",
      "16 gate_up_proj: matmul 512x16384x2048",
      "16 down_proj: matmul 512x2048x8192",
      "1 lm_head: matvec 1x128256x2048",
    ]);
  });

  test("tg1 @ d4096 b8", () => {
    const workload = writes("llama-3.2-1b", 1, 4096, 8);
    expect(lines(workload)).toEqual([
      "16 qkv_proj: matvec 8x3072x2048",
      "16 attention: attention 8x1x4097x32x8x64x4097",
      "16 o_proj: matvec 8x2048x2048",
      "16 gate_up_proj: matvec 8x16384x2048",
      "16 down_proj: matvec 8x2048x8192",
      "1 lm_head: matvec 8x128256x2048",
    ]);
    expect(workload).toMatchObject({ phase: "decode", tokens: 8, batch: 8, layers: 16 });
    expect(workload.steps[1]!.call.shape).toEqual({
      batch: 8,
      queries: 1,
      keys: 4097,
      heads: 32,
      kvHeads: 8,
      headDim: 64,
      window: 4097,
    });
  });

  test("a prompt costs two FLOP per weight and token, attention, and the LM head once", () => {
    const prompt = reads("llama-3.2-1b", 512);
    const head = 2 * 128_256 * 2048;
    expect(total(prompt, "f16", "flops", /proj/)).toBe(2 * 512 * 16 * 60_817_408);
    expect(total(prompt, "f16", "flops", /lm_head/)).toBe(head);
    // Each of 32 heads of 64 multiplies 512 · 513 / 2 pairs twice.
    expect(total(prompt, "f16", "flops", /attention/)).toBe(16 * 4 * 32 * 64 * ((512 * 513) / 2));
    const withoutHead = parameters(modelConfig("llama-3.2-1b")) - 128_256 * 2048;
    expect(total(prompt, "f16", "flops") / (2 * withoutHead * 512)).toBeCloseTo(1.018, 3);
  });

  test("a token costs all weights and the KV cache", () => {
    const weights = 2 * 1_235_746_816;
    const cache = 2 * 16 * 8 * 64 * 4097 * 2;
    const bytes = total(writes("llama-3.2-1b", 1, 4096), "f16", "bytes");
    expect(bytes).toBeGreaterThan(weights + cache);
    expect(bytes / (weights + cache)).toBeCloseTo(1, 2);
  });

  test("eight sequences share the weights, not the cache", () => {
    const one = writes("llama-3.2-1b", 1, 4096);
    const eight = writes("llama-3.2-1b", 1, 4096, 8);
    expect(total(eight, "f16", "bytes", /attention/)).toBe(8 * total(one, "f16", "bytes", /attention/));
    expect(total(eight, "f16", "bytes", /proj|head/) / total(one, "f16", "bytes", /proj|head/)).toBeLessThan(
      1.01,
    );
    expect(total(eight, "f16", "flops")).toBe(8 * total(one, "f16", "flops"));
  });
});

describe("prefill", () => {
  test("at depth sees the cache too", () => {
    const { id, steps } = reads("llama-3.2-1b", 128, 4096);
    expect(id).toBe("pp128 @ d4096");
    expect(steps[1]!.call.shape).toMatchObject({ queries: 128, keys: 4224, window: 4224 });
  });
});

describe("decode", () => {
  test("of 127 tokens is 127 tokens, each with one more key in the cache", () => {
    const apart = Array.from({ length: 127 }, (_, i) => writes("llama-3.2-1b", 1, 100 + i));
    const together = writes("llama-3.2-1b", 127, 100);
    for (const unit of ["flops", "bytes"] as const) {
      const sum = apart.reduce((all, each) => all + total(each, "f16", unit), 0);
      expect(total(together, "f16", unit)).toBe(sum);
    }
    expect(together.tokens).toBe(127);
  });

  test("of an even number of tokens rounds the mean number of keys up", () => {
    // 1 to 128 keys: 64.5 on average.
    expect(writes("llama-3.2-1b", 128).steps[1]!.call.shape).toMatchObject({ keys: 65 });
  });

  test.each([
    [1, "matvec"],
    [8, "matvec"],
    [9, "matmul"],
    [64, "matmul"],
  ])("of a batch of %d uses %s", (batch, kernel) => {
    const used = writes("llama-3.2-1b", 1, 0, batch).steps.filter(({ label }) => label !== "attention");
    expect(new Set(used.map(({ call }) => call.kernel))).toEqual(new Set([kernel]));
  });
});

describe("experts", () => {
  const experts = ({ steps }: Workload) => steps.filter(({ call }) => call.kernel.startsWith("expert"));

  test("of one token are those it goes through, and of many tokens all", () => {
    expect(
      experts(writes("qwen3-30b-a3b", 1)).map(({ count, call }) => `${count} ${callName(call)}`),
    ).toEqual(["48 expert_matvec 1x8x8x8x8x8x8x1536x2048", "48 expert_matvec 1x8x1x8x8x8x8x2048x768"]);
    const [gateUp] = experts(reads("gpt-oss-20b", 512));
    expect(gateUp).toMatchObject({ label: "gate_up_proj", count: 24 });
    expect(callName(gateUp!.call)).toBe("expert_matmul 512x4x4x32x32x32x32x5760x2880");
  });

  test("of a batch are those that are expected to be woken, each read once", () => {
    // 128 · (1 - (1 - 8/128)^4) = 29.1 of them.
    const [gateUp] = experts(writes("qwen3-30b-a3b", 1, 0, 4));
    expect(gateUp!.call.shape).toMatchObject({ tokens: 4, chosen: 8, experts: 29, woken: 29 });
    const bytes = workOf(gateUp!.call, "f16").bytes;
    expect(bytes / (2 * 29 * 1536 * 2048)).toBeCloseTo(1, 2);
  });

  test("that some tokens wake are counted right: the mean of many draws is that of the formula", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 40 }), (chosen, tokens) => {
        const [all, draws] = [64, 200];
        let sum = 0;
        for (let draw = 0; draw < draws; draw++) {
          const woken = new Set<number>();
          for (let token = 0; token < tokens; token++) {
            const own = new Set<number>();
            for (let i = 0; own.size < chosen; i++) own.add((randomBits(draw, 1000 * token + i) >>> 0) % all);
            for (const expert of own) woken.add(expert);
          }
          sum += woken.size;
        }
        expect(Math.abs(sum / draws - wokenExperts(all, chosen, tokens))).toBeLessThan(1.2);
      }),
      { numRuns: 30 },
    );
  });
});

describe("Gemma's local layers", () => {
  const attentions = ({ steps }: Workload) =>
    steps
      .filter(({ call }) => call.kernel === "attention")
      .map(({ label, count, call }) => ({ label, count, call }));
  const shape = (call: Call) => call.shape as Record<string, number>;

  test("read a prompt through their window", () => {
    const [global, local] = attentions(reads("gemma-3-1b", 2048));
    expect(global).toMatchObject({ label: "attention", count: 4 });
    expect(local).toMatchObject({ label: "attention (local)", count: 22 });
    expect(shape(global!.call)).toMatchObject({
      keys: 2048,
      window: 2048,
      heads: 4,
      kvHeads: 1,
      headDim: 256,
    });
    expect(shape(local!.call)).toMatchObject({ keys: 2048, window: 512 });
  });

  test("keep no more of the cache than their window", () => {
    const [global, local] = attentions(writes("gemma-3-1b", 1, 4096));
    expect(shape(global!.call)).toMatchObject({ keys: 4097, window: 4097 });
    expect(shape(local!.call)).toMatchObject({ keys: 512, window: 512 });
    expect(local!.count).toBe(22);
  });

  test("see everything as long as it fits the window", () => {
    const [global, local] = attentions(writes("gemma-3-1b", 1, 100));
    expect(shape(local!.call)).toEqual(shape(global!.call));
  });
});

test.each([
  [reads("llama-3.2-1b", 512), "pp512"],
  [reads("llama-3.2-1b", 512, 4096), "pp512 @ d4096"],
  [writes("llama-3.2-1b", 128), "tg128"],
  [writes("llama-3.2-1b", 1, 4096), "tg1 @ d4096"],
  [writes("llama-3.2-1b", 1, 4096, 8), "tg1 @ d4096 b8"],
  [writes("llama-3.2-1b", 32, 0, 8), "tg32 @ b8"],
])("%s", (workload, id) => {
  expect(workload.id).toBe(id);
  expect(workload.model).toBe("llama-3.2-1b");
});

describe.each(modelIds)("%s", (id) => {
  const dimensions = [reads(id, 512), writes(id, 128, 1024, 4)].flatMap(({ steps }) =>
    steps.flatMap(({ call, count }) => [count, ...Object.values(call.shape)]),
  );

  test("has whole, positive dimensions everywhere", () => {
    expect(dimensions.filter((each) => !Number.isInteger(each) || each < 1)).toEqual([]);
  });

  test("writes a token in at least the time of reading its weights", () => {
    const streamed = total(writes(id, 1), "f16", "bytes", /proj|head|router/);
    const multiplied = activeParameters(modelConfig(id));
    expect(streamed / (2 * multiplied)).toBeGreaterThan(1);
    expect(streamed / (2 * multiplied)).toBeLessThan(1.02);
  });
});
