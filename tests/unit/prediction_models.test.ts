// Models and the ways in which tables name models, formats and runtimes.

import * as v from "valibot";
import { expect, test } from "vitest";
import {
  architecture,
  architectureIds,
  architectureSchema,
  parameterCounts,
} from "../../src/analysis/prediction/architecture";
import { architectureNamed } from "../../src/analysis/prediction/architecture_names";
import others from "../../src/analysis/prediction/architectures.json";
import { stackNamed } from "../../src/analysis/prediction/stack";
import { weightFormatNamed } from "../../src/analysis/prediction/weight_format";
import { modelIds } from "../../src/workloads";

test("every model fits the schema, and the engine's own come first", () => {
  for (const model of Object.values(others)) expect(() => v.parse(architectureSchema, model)).not.toThrow();
  expect(architectureIds.slice(0, modelIds.length)).toEqual(modelIds);
  expect(architecture("toString")).toBeUndefined();
});

// Billions of weights as the model cards give them.
test.each([
  ["llama-2-7b", 6.74, 6.74],
  ["llama-2-13b", 13.0, 13.0],
  ["llama-2-70b", 69.0, 69.0],
  ["llama-3.1-405b", 405.9, 405.9],
  ["mixtral-8x7b", 46.7, 12.9],
  ["mixtral-8x22b", 141, 39],
  ["gpt-oss-20b", 20.9, 3.6],
  ["gpt-oss-120b", 116.8, 5.1],
  ["deepseek-r1", 671, 37],
  ["qwen3-30b-a3b", 30.5, 3.3],
  ["qwen3-235b-a22b", 235, 22],
  ["qwen3-coder-480b-a35b", 480, 35],
  ["qwen3-32b", 32.8, 32.8],
  ["qwen2.5-7b", 7.6, 7.6],
  ["qwen2.5-72b", 72.7, 72.7],
  ["gemma-3-27b", 27.0, 27.0],
  ["phi-4", 14.7, 14.7],
] as const)("%s has %f billion weights, %f of which a token meets", (id, total, active) => {
  const counted = parameterCounts(architecture(id)!);
  expect(counted.total / (total * 1e9)).toBeCloseTo(1, 1);
  // Model cards count a token's embedding as a row, some of them its table too.
  expect(counted.active / (active * 1e9)).toBeGreaterThan(0.92);
  expect(counted.active / (active * 1e9)).toBeLessThan(1.2);
});

test.each([
  ["Llama 3 8B", 8.03, "meta-llama/Llama-3.1-8B"],
  ["Llama-3.3-70B", 70.6, "meta-llama/Llama-3.1-70B"],
  ["Llama3-70B", 70.6, "meta-llama/Llama-3.1-70B"],
  ["Llama 3.2 3B", 3.21, "meta-llama/Llama-3.2-3B"],
  ["LLaMA 7B", 6.74, "meta-llama/Llama-2-7b"],
  ["Llama-2-13b", 13, "meta-llama/Llama-2-13b"],
  ["DeepSeek-R1", 671, "deepseek-ai/DeepSeek-R1"],
  ["DeepSeek-R1-Distill-8B", 8.03, "meta-llama/Llama-3.1-8B"],
  ["gpt-oss 20b", 20.9, "openai/gpt-oss-20b"],
  ["Qwen 2.5 7B", 7.6, "Qwen/Qwen2.5-7B"],
  ["Qwen3-8B", 8.2, "Qwen/Qwen3-8B"],
  ["Qwen3-Coder-480B-A35B", 480, "Qwen/Qwen3-Coder-480B-A35B-Instruct"],
  ["Gemma 3 27B", 27, "google/gemma-3-27b-pt"],
  ["Mixtral-8x7B", 46.7, "mistralai/Mixtral-8x7B-v0.1"],
] as const)("%s is found", (name, paramsB, expected) => {
  const found = architectureNamed(name, paramsB, paramsB);
  expect(found?.model._name_or_path).toBe(expected);
  expect(found?.assumed).toBeUndefined();
});

test.each([
  [27, 27],
  [8, 8],
  [0.5, 0.5],
  [120, 12],
  [1000, 32],
] as const)("a model of %f billion weights that nobody knows has the shape of its size", (total, active) => {
  const found = architectureNamed("Newcomer", total, active)!;
  expect(found.assumed).toContain("Newcomer");
  const counted = parameterCounts(found.model);
  expect(counted.total / (total * 1e9)).toBeGreaterThan(0.7);
  expect(counted.total / (total * 1e9)).toBeLessThan(1.4);
  expect(counted.active / (active * 1e9)).toBeGreaterThan(0.7);
  expect(counted.active / (active * 1e9)).toBeLessThan(1.6);
  expect(() => v.parse(architectureSchema, found.model)).not.toThrow();
});

test("a model of another size than its namesake is not taken for it", () => {
  expect(architectureNamed("Llama 3 8B", 80, 80)?.assumed).toBeDefined();
  expect(architectureNamed("Newcomer", null, null)).toBeUndefined();
});

test.each([
  ["q4_k_m", "q4_k_m"],
  ["Q8_0", "q8_0"],
  ["mxfp4/f16 gguf", "mxfp4"],
  ["bfp8/bfp4 mixed (recalled-unverified)", "bfp8_bfp4"],
  ["fp16/int8 mixed", "int8"],
  ["q4f16", "q4_0"],
  ["6-bit MLX", "q6_k"],
  ["bf16", "bf16"],
  ["fp16", "f16"],
  ["nvfp4", "fp4"],
] as const)("%s is %s", (text, expected) => {
  expect(weightFormatNamed(text)?.id).toBe(expected);
});
test("unspecified is no format", () => {
  expect(weightFormatNamed("unspecified")).toBeUndefined();
});

test.each([
  ["llama.cpp (CUDA or Metal), llama-bench tg512", "llama.cpp"],
  ["llama.cpp Vulkan RADV fa=1", "llama.cpp-vulkan"],
  ["llama.cpp HIP rocWMMA fa=1 hipBLASLt", "llama.cpp-rocm"],
  ["Ollama or llama.cpp", "ollama"],
  ["MLPerf Inference v5.1 closed, Offline scenario (TensorRT-LLM)", "tensorrt-llm"],
  ["vLLM TPU", "vllm"],
  ["transformers-neuronx, Neuron 2.18", "neuronx"],
  ["tt-metal (TT-NN)", "tt-metal"],
  ["GroqCloud", "provider"],
  ["torch-webgpu (WebGPU via Dawn, Vulkan)", "webgpu"],
  ["something else", "unknown"],
] as const)("%s is %s", (text, expected) => {
  expect(stackNamed(text)).toBe(expected);
});
