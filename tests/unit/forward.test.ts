import * as v from "valibot";
import { describe, expect, test } from "vitest";
import { type Call, kernelOf, workOf } from "../../src/kernels";
import { type CacheType, dtypes } from "../../src/kernels/elements";
import { outputsOf } from "../../src/kernels/kernel";
import {
  activeParameters,
  allFused,
  decode,
  decoderOf,
  type ForwardOptions,
  forward,
  forwardWork,
  inverseFrequencies,
  kvCacheBytes,
  layerWindow,
  linears,
  type ModelConfig,
  mixtureOf,
  modelConfig,
  modelConfigSchema,
  modelIds,
  noneFused,
  prefill,
  ropeAngles,
  vocabularyPieces,
  whyNoCache,
  whyNoForward,
} from "../../src/workloads";

const llama = modelConfig("llama-3.2-1b");
const gemma = modelConfig("gemma-3-1b");
const without = (field: keyof ModelConfig): ModelConfig => {
  const { [field]: _, ...rest } = llama;
  return rest as ModelConfig;
};

const options: ForwardOptions = {
  dtype: "f32",
  cache: "f32",
  batch: 1,
  tokens: 1,
  capacity: 128,
  logits: "last",
  sampling: { kind: "greedy" },
  from: "sampled",
  fused: allFused,
  residentLayers: 1,
  largestBinding: 2 ** 40,
};
const pass = (model: ModelConfig, changes: Partial<ForwardOptions> = {}) =>
  forward(model, { ...options, residentLayers: model.num_hidden_layers, ...changes });

describe("models that the forward pass computes", () => {
  test("are all of them", () => {
    const refused = modelIds.filter((id) => whyNoForward(modelConfig(id)) !== undefined);
    expect(refused).toEqual([]);
  });

  test("have what their authors publish", () => {
    expect(decoderOf(llama)).toMatchObject({ qkvBias: false, qkNorm: false, nanoEpsilon: 10_000 });
    expect(decoderOf(modelConfig("qwen2.5-0.5b"))).toMatchObject({
      qkvBias: true,
      qkNorm: false,
      nanoEpsilon: 1000,
    });
    expect(decoderOf(modelConfig("qwen3-8b"))).toMatchObject({
      qkvBias: false,
      qkNorm: true,
      nanoEpsilon: 1000,
    });
    expect(modelConfig("smollm2-135m").rope_theta).toBe(100_000);
    expect(modelConfig("llama-3.1-8b").rope_scaling?.factor).toBe(8);
    expect(modelConfig("llama-3.2-3b").rope_scaling?.factor).toBe(32);
    expect(modelConfig("mistral-7b").rope_theta).toBe(1e6);
  });

  test.each<[string, ModelConfig, RegExp]>([
    [
      "an unknown architecture",
      { ...llama, model_type: "mamba" },
      /"mamba" is not known: llama, mistral, qwen2, qwen3, gemma3_text/,
    ],
    ["a name of every object", { ...llama, model_type: "constructor" }, /"constructor" is not known/],
    ["no epsilon", without("rms_norm_eps"), /rms_norm_eps is missing/],
    ["no theta", without("rope_theta"), /rope_theta is missing/],
    ["no activation", without("hidden_act"), /hidden_act is missing/],
    ["another activation", { ...llama, hidden_act: "gelu" }, /hidden_act is gelu/],
    [
      "Gemma's activation in Llama",
      { ...llama, hidden_act: "gelu_pytorch_tanh" },
      /llama is known with silu/,
    ],
    [
      "one theta for all layers",
      { ...gemma, rope_local_base_freq: undefined },
      /rope_local_base_freq is missing/,
    ],
    ["scores of another scale", { ...gemma, query_pre_attn_scalar: 168 }, /query_pre_attn_scalar/],
    ["a bias after attention", { ...llama, attention_bias: true }, /attention_bias/],
    ["an odd head", { ...llama, head_dim: 63 }, /head_dim/],
    ["heads without a key/value head", { ...llama, num_attention_heads: 30 }, /num_key_value_heads/],
  ])("are not those with %s", (_, model, says) => {
    expect(whyNoForward(model)).toMatch(says);
    expect(() => pass(model)).toThrow(says);
  });

  test.each([
    ["rope_theta", 0],
    ["rms_norm_eps", 0],
    ["rms_norm_eps", Number.NaN],
    ["rope_scaling", { ...llama.rope_scaling, rope_type: "yarn" }],
    ["rope_scaling", { ...modelConfig("gpt-oss-20b").rope_scaling, beta_slow: 64 }],
    ["num_experts_per_tok", 2],
    ["rope_scaling", { ...llama.rope_scaling, low_freq_factor: 9 }],
    ["rope_scaling", { factor: 8 }],
  ])("are not those whose %s is %j", (field, value) => {
    expect(v.safeParse(modelConfigSchema, { ...llama, [field]: value }).success).toBe(false);
  });
});

describe("options that make no sense are refused", () => {
  test.each<[Partial<ForwardOptions>, RegExp]>([
    [{ batch: 0 }, /batch/],
    [{ tokens: 1.5, from: "prompt" }, /tokens/],
    [{ tokens: 129, from: "prompt" }, /does not hold 129 tokens/],
    [{ capacity: 2 ** 20 }, /max_position_embeddings 131072/],
    [{ tokens: 2 }, /one token of each sequence/],
    [{ logits: "none" }, /sampling needs logits/],
    [{ residentLayers: 17 }, /from 1 to 16/],
    [{ sampling: { kind: "temperature", temperature: 0, seed: 1 } }, /temperature/],
  ])("%j", (changes, says) => {
    expect(() => pass(llama, changes)).toThrow(says);
  });
});

describe("rotary embeddings", () => {
  test("turn the first pair by one radian a position, the last one slowest", () => {
    const plain = inverseFrequencies({ head_dim: 4, rope_theta: 10_000 });
    expect(plain).toEqual([1, 0.01]);
    const table = ropeAngles(plain, 3);
    expect([...table.slice(8)].map((value) => value.toFixed(5))).toEqual(
      [Math.cos(2), Math.cos(0.02), Math.sin(2), Math.sin(0.02)].map((value) => value.toFixed(5)),
    );
  });

  test("of Llama 3.2 leave fast turns alone, and divide slow ones by 32", () => {
    const { rope_scaling: _, ...unscaled } = llama;
    const plain = inverseFrequencies(unscaled);
    const scaled = inverseFrequencies(llama);
    const ratios = plain.map((frequency, i) => frequency / scaled[i]!);
    expect(ratios[0]).toBe(1);
    expect(ratios.at(-1)).toBeCloseTo(32, 9);
    expect(ratios).toEqual([...ratios].sort((a, b) => a - b));
    // A wavelength of 8192 / 2.5 is halfway between the two factors: the mean of both frequencies.
    const half = inverseFrequencies({
      head_dim: 2,
      rope_theta: 500_000,
      rope_scaling: { ...llama.rope_scaling!, original_max_position_embeddings: 2.5 * 2 * Math.PI },
    });
    expect(half[0]).toBeCloseTo((1 + 1 / 32) / 2, 12);
  });
});

describe("a pass", () => {
  const labels = (model: ModelConfig, changes?: Partial<ForwardOptions>) =>
    pass(model, changes).dispatches.map(({ label, call }) => `${label}: ${call.kernel}`);

  test("is eight calls a layer and five around them, fused", () => {
    const small = { ...llama, num_hidden_layers: 2 };
    expect(labels(small)).toEqual([
      "embed_tokens: embed",
      "input_layernorm: rms_norm",
      ...["input_layernorm: add_rms_norm", "norm: add_rms_norm"].flatMap((next) => [
        "qkv_proj: matvec",
        "rope: rope",
        "attention: attention",
        "o_proj: matvec",
        "post_attention_layernorm: add_rms_norm",
        "gate_up_proj: swiglu",
        "down_proj: matvec",
        next,
      ]),
      "lm_head: matvec",
      "sample: argmax",
    ]);
    expect(labels(small, { fused: noneFused })).toHaveLength(20 + 2 * 5);
    expect(
      labels(small, { fused: { ...allFused, qkv: false } }).filter((label) => /^[qkv]_proj/.test(label)),
    ).toEqual(
      ["q_proj", "k_proj", "v_proj", "q_proj", "k_proj", "v_proj"].map((label) => `${label}: matvec`),
    );
  });

  test("does the products of the workload of the same name, and no others", () => {
    for (const id of modelIds.filter((each) => whyNoForward(modelConfig(each)) === undefined)) {
      const model = modelConfig(id);
      const products = (changes: Partial<ForwardOptions>) => {
        const counts = new Map<string, number>();
        for (const { call } of pass(model, changes).dispatches) {
          if (call.kernel !== "matmul" && call.kernel !== "matvec" && call.kernel !== "swiglu") continue;
          const { M, N, K } = call.shape;
          // Gate and up in one are a product with twice the rows.
          const key = `${M}x${call.kernel === "swiglu" ? 2 * N : N}x${K}`;
          counts.set(key, (counts.get(key) ?? 0) + 1);
        }
        return counts;
      };
      const expected = (steps: ReturnType<typeof decode>["steps"]) => {
        const counts = new Map<string, number>();
        for (const { call, count } of steps) {
          if (call.kernel !== "matmul" && call.kernel !== "matvec") continue;
          const { M, N, K } = call.shape;
          counts.set(`${M}x${N}x${K}`, (counts.get(`${M}x${N}x${K}`) ?? 0) + count);
        }
        return counts;
      };
      expect(products({})).toEqual(expected(decode(id, model, 1, 0, 1).steps));
      expect(products({ tokens: 64, from: "prompt" })).toEqual(expected(prefill(id, model, 64, 0).steps));
      expect(linears(model)).toHaveLength(mixtureOf(model) === undefined ? 5 : 6);
    }
  });

  test("of experts does their workload's work, in however many pieces they come", () => {
    const of = (dispatches: readonly { call: Call }[]) =>
      dispatches.flatMap(({ call }) => (call.kernel.startsWith("expert") ? [workOf(call, "f32").flops] : []));
    const sum = (list: readonly number[]) => list.reduce((a, b) => a + b, 0);
    for (const id of ["qwen3-30b-a3b", "gpt-oss-20b"] as const) {
      const model = modelConfig(id);
      const workload = sum(
        decode(id, model, 1, 0, 4).steps.flatMap(({ call, count }) =>
          call.kernel.startsWith("expert") ? [count * workOf(call, "f32").flops] : [],
        ),
      );
      for (const largestBinding of [2 ** 40, 2 ** 28]) {
        const made = forward(model, {
          ...options,
          batch: 4,
          residentLayers: 1,
          largestBinding,
        });
        expect(sum(of(made.dispatches)) / workload).toBeCloseTo(1, 6);
        for (const tensor of made.tensors.filter(({ role }) => role === "matrix"))
          expect(tensor.bytes).toBeLessThanOrEqual(largestBinding);
        // Only what is woken counts, and only what is chosen for one token.
        const { weights } = forwardWork(made, 0);
        const one = forwardWork(forward(model, { ...options, residentLayers: 1, largestBinding }), 0).weights;
        expect(one / (4 * (activeParameters(model) + model.hidden_size))).toBeCloseTo(1, 3);
        expect(weights).toBeGreaterThan(2 * one);
        expect(weights).toBeLessThan(4 * one);
      }
    }
  });

  test("never writes a tensor that the same call reads, and reads nothing that nobody has written", () => {
    const given = new Set(["matrix", "vector", "table", "state", "cache"]);
    for (const changes of [
      {},
      { fused: noneFused },
      { tokens: 9, from: "prompt" as const, fused: noneFused },
    ]) {
      const { tensors, dispatches } = pass(modelConfig("qwen3-8b"), changes);
      const roles = new Map(tensors.map(({ name, role }) => [name, role]));
      const written = new Set<string>();
      for (const { call, binds } of dispatches) {
        const outputs = ["y", "c", "o", "out", "normed", "sum", "q", "k", "v", "ids"];
        const names = Object.entries(binds).map(([operand, { tensor }]) => ({ operand, tensor }));
        expect(new Set(names.map(({ tensor }) => tensor)).size, call.kernel).toBe(names.length);
        for (const { tensor } of names) {
          if (!given.has(roles.get(tensor) ?? "")) {
            const isOutput = names.some((each) => each.tensor === tensor && outputs.includes(each.operand));
            if (!isOutput) expect(written, `${call.kernel} reads ${tensor}`).toContain(tensor);
          }
        }
        for (const { operand, tensor } of names) if (outputs.includes(operand)) written.add(tensor);
      }
    }
  });

  test("takes nothing that calls write for weights", () => {
    for (const id of modelIds) {
      for (const changes of [{}, { tokens: 9, from: "prompt" as const, fused: noneFused }]) {
        const { tensors, dispatches } = pass(modelConfig(id), { residentLayers: 1, ...changes });
        const written = new Set(
          dispatches.flatMap(({ call, binds, dtype }) =>
            outputsOf(kernelOf(call.kernel).operands(call.shape, dtype)).map(
              ({ name }) => binds[name]?.tensor,
            ),
          ),
        );
        const roles = new Set(tensors.flatMap(({ name, role }) => (written.has(name) ? [role] : [])));
        expect(roles, id).toEqual(new Set(["activations", "cache", "state"]));
      }
    }
  });

  test("takes queries, keys and values apart where their parts lie side by side and begin at legal offsets", () => {
    const apart = { fused: { ...allFused, qkv: false } };
    const together = (model: ModelConfig, changes: Partial<ForwardOptions> = {}) =>
      pass(model, { ...apart, ...changes }).dispatches.some(({ label }) => label === "qkv_proj");
    for (const id of modelIds) expect(together(modelConfig(id)), id).toBe(false);
    expect(together(llama, { tokens: 9, from: "prompt" })).toBe(true);
    expect(together(llama, { batch: 2 })).toBe(true);
    const { dispatches, tensors } = pass(llama, { ...apart, dtype: "q8_0", cache: "f16" });
    const value = dispatches.find(({ label }) => label === "v_proj");
    const rows = llama.num_attention_heads * llama.head_dim + llama.num_key_value_heads * llama.head_dim;
    expect(value?.binds).toMatchObject({
      w: { tensor: "layers.0.qkv_proj", offset: rows * llama.hidden_size },
      scales: { tensor: "layers.0.qkv_proj.scales", offset: (rows * llama.hidden_size * 2) / 32 },
      y: { tensor: "qkv", offset: 4 * rows },
    });
    const whole = new Map(
      pass(llama, { dtype: "q8_0", cache: "f16" }).tensors.map((each) => [each.name, each]),
    );
    for (const each of tensors.filter(({ role }) => role === "matrix"))
      expect(each).toEqual(whole.get(each.name));
  });

  test("with a KV cache in q8_0 writes and reads keys, values and their scales, beside any weights", () => {
    for (const dtype of dtypes) {
      const { dispatches, tensors } = pass(llama, { dtype, cache: "q8_0" });
      const ofCache = dispatches.filter(({ binds }) => binds.kv !== undefined);
      expect(ofCache.map(({ call }) => call.kernel)).toEqual(
        Array.from({ length: 16 }, () => ["rope_q8_0", "attention_q8_0"]).flat(),
      );
      ofCache.forEach(({ binds, dtype: computed }, i) => {
        expect(computed).toBe(dtype);
        const [kv, scales] = [binds.kv?.tensor, binds.scales?.tensor];
        expect([kv, scales]).toEqual([`layers.${i >> 1}.kv`, `layers.${i >> 1}.kv.scales`]);
      });
      const cache = tensors.filter(({ role }) => role === "cache");
      expect(cache).toHaveLength(2 * 16);
      // Heads of 64: two scales each, in the room of four.
      const bytes = cache.reduce((sum, each) => sum + each.bytes, 0);
      expect(bytes).toBe(kvCacheBytes(llama, 128, dtype, "q8_0") * ((64 + 4 * 2) / (64 + 2 * 2)));
    }
    const qwen = pass(modelConfig("qwen3-8b"), { cache: "q8_0" });
    expect(qwen.dispatches.map(({ call }) => call.kernel)).toContain("norm_rope_q8_0");
  });

  test("reads 8.5 bits of each number of a KV cache in q8_0, of as many keys as there are", () => {
    const work = (cache: CacheType) => forwardWork(pass(llama, { cache, dtype: "f16" }), 99);
    expect(work("q8_0").cache).toBe(kvCacheBytes(llama, 100, "f16", "q8_0"));
    expect(work("f16").cache / work("q8_0").cache).toBeCloseTo(16 / 8.5, 12);
    expect(work("q8_0").flops).toBe(work("f16").flops);
  });

  test("has no KV cache in q8_0 of heads that are not whole blocks of 32", () => {
    const odd = { ...llama, head_dim: 80 };
    expect(whyNoCache(odd, "f16", "q8_0")).toMatch(/head_dim 80 is no multiple/);
    expect(() => pass(odd, { cache: "q8_0" })).toThrow(/head_dim 80 is no multiple/);
    expect(whyNoCache(odd, "f16", "f16")).toBeUndefined();
    const sunk = modelIds.filter((id) => whyNoCache(modelConfig(id), "q4_0", "q8_0") !== undefined);
    expect(sunk).toEqual(["gpt-oss-20b"]);
    expect(whyNoCache(modelConfig("gpt-oss-20b"), "q4_0", "q8_0")).toMatch(/sinks/);
  });

  test("has weights of each resident layer only, and a cache for every layer", () => {
    const { tensors, dispatches } = pass(llama, { residentLayers: 3 });
    const count = (name: RegExp) => tensors.filter((tensor) => name.test(tensor.name)).length;
    expect(count(/down_proj$/)).toBe(3);
    expect(count(/\.[kv]$/)).toBe(32);
    expect(dispatches.filter(({ label }) => label === "down_proj")).toHaveLength(16);
    const cache = tensors.reduce((sum, { role, bytes }) => sum + (role === "cache" ? bytes : 0), 0);
    expect(cache).toBe(kvCacheBytes(llama, 128, "f32"));
  });

  test("takes a vocabulary that no binding holds in pieces that begin at legal offsets", () => {
    const largestBinding = 2 ** 27;
    const { pieces, rows } = vocabularyPieces(llama, "f16", largestBinding);
    expect(pieces).toBe(4);
    expect(pieces * rows).toBeGreaterThanOrEqual(llama.vocab_size);
    const { dispatches, tensors } = pass(llama, { dtype: "f16", cache: "f16", largestBinding, batch: 3 });
    for (const tensor of tensors.filter(({ name }) => name.startsWith("embed_tokens")))
      expect(tensor.bytes).toBeLessThanOrEqual(largestBinding);
    const offsets = dispatches.filter(({ label }) => label === "lm_head").map(({ binds }) => binds.y!.offset);
    expect(offsets).toHaveLength(4);
    expect(offsets.filter((offset) => offset % 256 !== 0)).toEqual([]);
    expect(dispatches.filter(({ label }) => label === "embed_tokens")).toHaveLength(4);
  });

  test("of Gemma 3 norms twice around each block and turns local layers their own way", () => {
    const { dispatches } = pass(gemma);
    const count = (label: string) => dispatches.filter((each) => each.label === label).length;
    expect(count("post_attention_layernorm")).toBe(26);
    expect(count("pre_feedforward_layernorm")).toBe(26);
    expect(count("post_feedforward_layernorm")).toBe(26);
    expect(dispatches.filter(({ binds }) => binds.angles?.tensor === "angles.local")).toHaveLength(22);
    expect(dispatches.filter(({ binds }) => binds.angles?.tensor === "angles")).toHaveLength(4);
    expect(dispatches.filter(({ call }) => call.kernel === "gelu_mul")).toHaveLength(26);
  });

  test("of layers with windows hands each its own", () => {
    const pattern = { ...llama, sliding_window: 32, sliding_window_pattern: 4 };
    const windows = pass(pattern).dispatches.flatMap(({ call }) =>
      call.kernel === "attention" ? [call.shape.window] : [],
    );
    expect(windows.slice(0, 5)).toEqual([32, 32, 32, 128, 32]);
    expect(layerWindow(llama, 0)).toBeUndefined();
  });
});
