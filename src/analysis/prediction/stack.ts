// Runtimes, as far as calibration tells them apart.

import type { Chip } from "../../chips/chip";

export const stacks = [
  "llama.cpp",
  "llama.cpp-vulkan",
  "llama.cpp-rocm",
  "llama.cpp-cpu",
  "ollama",
  "mlc",
  "mlx",
  "tensorrt-llm",
  "vllm",
  "neuronx",
  "tt-metal",
  "provider",
  "webgpu",
  "transformers",
  "unknown",
] as const;
export type Stack = (typeof stacks)[number];

/** Runtimes that share kernels or purpose: where one has few measured chips, the group speaks for it. */
export type Engine = "ggml" | "server" | "vendor" | "browser" | "other";

const engines: Readonly<Record<Stack, Engine>> = {
  "llama.cpp": "ggml",
  "llama.cpp-vulkan": "ggml",
  "llama.cpp-rocm": "ggml",
  "llama.cpp-cpu": "ggml",
  ollama: "ggml",
  mlc: "other",
  mlx: "other",
  "tensorrt-llm": "server",
  vllm: "server",
  neuronx: "vendor",
  "tt-metal": "vendor",
  provider: "vendor",
  webgpu: "browser",
  transformers: "other",
  unknown: "other",
};
export const engineOf = (stack: Stack): Engine => engines[stack];

const spellings: readonly (readonly [RegExp, Stack])[] = [
  [/webgpu|webllm|wgpu|transformers\.js|onnx.*web/, "webgpu"],
  [/ollama/, "ollama"],
  [/llama\.?cpp.*vulkan/, "llama.cpp-vulkan"],
  [/llama\.?cpp.*(rocm|hip)/, "llama.cpp-rocm"],
  [/llama\.?cpp cpu/, "llama.cpp-cpu"],
  [/llama\.?cpp|llama-bench|llamafile/, "llama.cpp"],
  [/mlc/, "mlc"],
  [/mlx/, "mlx"],
  [/tensorrt|trtllm|trt-llm|inferencex|inferencemax/, "tensorrt-llm"],
  [/vllm|sglang|jetstream|tgi/, "vllm"],
  [/neuron/, "neuronx"],
  [/tt-metal|tt-nn|tenstorrent/, "tt-metal"],
  [/groq|cerebras|sambanova|d-matrix|aviator/, "provider"],
  [/transformers|pytorch|exllama/, "transformers"],
];

/** A runtime as a table spells it. */
export function stackNamed(text: string): Stack {
  const lower = text.toLowerCase();
  return spellings.find(([pattern]) => pattern.test(lower))?.[1] ?? "unknown";
}

/** What people run on such a chip. */
export function usualStack(chip: Chip): Stack {
  switch (chip.class) {
    case "datacenter-gpu":
      return chip.vendor === "NVIDIA" ? "tensorrt-llm" : "vllm";
    case "tpu":
      return "vllm";
    case "inference-asic":
    case "training-asic":
    case "wafer-scale":
      if (/^(wormhole|blackhole)/.test(chip.id)) return "tt-metal";
      return /^(inferentia|trainium)/.test(chip.id) ? "neuronx" : "provider";
    case "consumer-gpu":
    case "apple-soc":
    case "integrated-gpu":
    case "mobile":
    case "edge":
    case "cpu":
      return "llama.cpp";
  }
}
