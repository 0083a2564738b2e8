import { describe, expect, test } from "vitest";
import { modelOfConfig } from "../../src/weight_files/hf_config";
import { type ModelConfig, type ModelId, modelConfig, modelIds } from "../../src/workloads";

const llama = {
  model_type: "llama",
  hidden_size: 64,
  intermediate_size: 96,
  num_hidden_layers: 3,
  num_attention_heads: 4,
  vocab_size: 300,
  max_position_embeddings: 256,
  rms_norm_eps: 1e-5,
};
const read = (config: unknown) => modelOfConfig("config.json", "tiny", config);

const isMixture = (id: ModelId) => /^(qwen3_moe|gpt_oss)$/.test(modelConfig(id).model_type);

test.each(modelIds.filter(isMixture))("%s: a mixture of experts is not read from files yet", (id) => {
  expect(() => read(modelConfig(id))).toThrow(/model_type "(qwen3_moe|gpt_oss)" is not known: llama, /);
});

test.each(modelIds.filter((id) => !isMixture(id)))(
  "%s: what decides shapes and arithmetic is read as the models here have it",
  (id) => {
    const known: ModelConfig = modelConfig(id);
    // Mistral's later models have no window, and say so.
    const config = { sliding_window: null, ...known, _name_or_path: "somewhere" };
    const { attention_bias: bias = false, ...wanted } = { ...known, _name_or_path: "tiny" };
    const { attention_bias = false, ...found } = read(config);
    expect(found).toEqual(wanted);
    expect(attention_bias).toBe(bias);
  },
);

describe("what a config leaves out is what transformers takes", () => {
  test("of a Llama", () => {
    expect(read(llama)).toEqual({
      ...llama,
      _name_or_path: "tiny",
      num_key_value_heads: 4,
      head_dim: 16,
      tie_word_embeddings: false,
      hidden_act: "silu",
      rope_theta: 10_000,
    });
  });

  test("nulls are left out", () => {
    const nulls = {
      rope_scaling: null,
      sliding_window: null,
      head_dim: null,
      num_key_value_heads: null,
      attention_bias: null,
    };
    expect(read({ ...llama, ...nulls })).toEqual(read(llama));
    expect(read({ ...llama, model_type: "mistral", ...nulls }).sliding_window).toBeUndefined();
  });

  test("of Mistral's window, Qwen's, which is not used, and Gemma's pattern and local theta", () => {
    expect(read({ ...llama, model_type: "mistral" }).sliding_window).toBe(4096);
    const qwen = {
      ...llama,
      model_type: "qwen2",
      sliding_window: 32768,
      max_window_layers: 1,
      use_sliding_window: false,
    };
    expect(read(qwen).sliding_window).toBeUndefined();
    expect(read({ ...llama, model_type: "qwen3" }).head_dim).toBe(128);
    const gemma = read({
      ...llama,
      model_type: "gemma3_text",
      hidden_activation: "gelu_pytorch_tanh",
      query_pre_attn_scalar: 256,
      layer_types: ["sliding_attention", "sliding_attention", "sliding_attention"],
    });
    expect(gemma).toMatchObject({
      hidden_act: "gelu_pytorch_tanh",
      head_dim: 256,
      sliding_window: 4096,
      sliding_window_pattern: 6,
      rope_theta: 1e6,
      rope_local_base_freq: 10_000,
      tie_word_embeddings: true,
    });
  });

  test("rotations in either spelling", () => {
    const stretched = {
      rope_type: "llama3",
      factor: 8,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: 64,
    };
    const old = read({ ...llama, rope_theta: 5e5, rope_scaling: { ...stretched, type: "llama3" } });
    expect(old).toMatchObject({ rope_theta: 5e5, rope_scaling: stretched });
    expect(read({ ...llama, rope_parameters: { rope_theta: 5e5, ...stretched } })).toEqual(old);
    const gemma = { ...llama, model_type: "gemma3_text", head_dim: 16, query_pre_attn_scalar: 16 };
    const nested = {
      full_attention: { rope_theta: 2e6, rope_type: "default" },
      sliding_attention: { rope_theta: 20_000 },
    };
    expect(read({ ...gemma, rope_parameters: nested })).toMatchObject({
      rope_theta: 2e6,
      rope_local_base_freq: 20_000,
    });
  });
});

describe("refused by name", () => {
  test.each([
    [
      { model_type: "mamba" },
      'model_type "mamba" is not known: llama, mistral, qwen2, qwen3, gemma3_text are',
    ],
    [{ model_type: "constructor" }, 'model_type "constructor" is not known'],
    [{ model_type: undefined }, "model_type is missing"],
    ...Object.keys(llama)
      .filter((field) => field !== "model_type")
      .map((field): [object, string] => [{ [field]: undefined }, `${field} is missing`]),
    [
      { num_attention_heads: 5 },
      "head_dim is missing, and hidden_size 64 is no multiple of num_attention_heads 5",
    ],
    [{ num_key_value_heads: 3 }, "num_attention_heads must be a multiple of num_key_value_heads"],
    [{ head_dim: 15 }, "head_dim"],
    [{ head_dim: 18 }, "head_dim"],
    [{ head_dim: 4096 }, "head_dim"],
    [{ hidden_size: 66, head_dim: 16 }, "hidden_size"],
    [{ hidden_size: "64", head_dim: 16 }, "hidden_size"],
    [{ num_hidden_layers: 0 }, "num_hidden_layers"],
    [{ vocab_size: -1 }, "vocab_size"],
    [{ vocab_size: 2 ** 40 }, "vocab_size"],
    [{ rms_norm_eps: 0 }, "rms_norm_eps"],
    [{ tie_word_embeddings: "yes" }, "tie_word_embeddings"],
    [{ hidden_act: "relu" }, "hidden_act is relu: llama is known with silu"],
    [{ attention_bias: true }, "attention_bias: a bias after attention is not known"],
    [{ mlp_bias: true }, "mlp_bias: a bias in the feed-forward layers is not known"],
    [{ rope_scaling: { type: "yarn", factor: 4 } }, "rope_scaling of type yarn is not known: llama3 is"],
    [{ rope_scaling: { rope_type: "llama3", factor: 8 } }, "rope_scaling"],
    [{ quantization_config: { quant_method: "gptq" } }, "quantization_config"],
    [{ partial_rotary_factor: 0.5 }, "partial_rotary_factor"],
    [{ model_type: "qwen2", use_sliding_window: true }, "use_sliding_window"],
    [{ model_type: "gemma3_text", final_logit_softcapping: 30 }, "final_logit_softcapping"],
    [
      { model_type: "gemma3_text", query_pre_attn_scalar: 168 },
      "query_pre_attn_scalar is another one than head_dim",
    ],
    [
      {
        model_type: "gemma3_text",
        layer_types: ["full_attention", "sliding_attention", "sliding_attention"],
      },
      "layer_types: only every 6th layer",
    ],
  ])("%j", (changes, says) => {
    const config = { ...llama, ...changes };
    expect(() => read(config)).toThrow(`config.json: ${says}`);
  });

  test.each([null, 1, "x", [llama]])("%j is no config", (config) => {
    expect(() => read(config)).toThrow("config.json: a config is an object");
  });
});
