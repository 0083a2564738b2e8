// Logits against ONNX Runtime's, on the CPU: a decoder that nobody here has written.

import wasm from "onnxruntime-web/ort-wasm-simd-threaded.wasm?url";
import * as ort from "onnxruntime-web/wasm";
import { beforeAll, expect, test } from "vitest";
import { prepareForward } from "../../src/engine/forward";
import { planForward } from "../../src/engine/forward_plan";
import { cacheOf, type DType } from "../../src/kernels/elements";
import { allFused, forward, type ModelConfig } from "../../src/workloads";
import { useDevice } from "./device";
import { argmaxOf, worstError } from "./forward_reference";
import { onnxDecoder } from "./onnx_decoder";
import { tinyModels } from "./tiny_models";

const gpu = useDevice();

beforeAll(() => {
  ort.env.wasm.wasmPaths = { wasm };
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = "error";
});

const COUNT = 17;
const prompt = Array.from({ length: COUNT }, (_, i) => (i * i * 31 + 7 * i + 3) % 300);

/** What ONNX Runtime makes of the prompt: a row of logits for each token. */
async function theirs(model: ModelConfig, file: Uint8Array<ArrayBuffer>): Promise<Float64Array[]> {
  const session = await ort.InferenceSession.create(file, { executionProviders: ["wasm"] });
  const { num_key_value_heads: kvHeads, head_dim: headDim, vocab_size: vocab } = model;
  const none = () => new ort.Tensor("float32", new Float32Array(0), [1, kvHeads, 0, headDim]);
  const { logits } = await session.run({
    ids: new ort.Tensor("int32", Int32Array.from(prompt), [1, COUNT]),
    past_key: none(),
    past_value: none(),
    seqlens_k: new ort.Tensor("int32", Int32Array.of(COUNT - 1), [1, 1]),
    total: new ort.Tensor("int32", Int32Array.of(COUNT), [1]),
  });
  const data = Float64Array.from(logits!.data as Float32Array);
  await session.release();
  return Array.from({ length: COUNT }, (_, row) => data.slice(row * vocab, (row + 1) * vocab));
}

test.each<[string, ModelConfig, DType, number]>([
  ["Llama, positions stretched", tinyModels.llama, "f32", 1e-4],
  ["Llama, six heads of 32", tinyModels["llama, heads of an odd kind"], "f32", 1e-4],
  ["Qwen2, with a bias", tinyModels.qwen2, "f32", 1e-4],
  ["Qwen3, with normed heads", tinyModels.qwen3, "f32", 1e-4],
  ["Gemma 3, with norms around its blocks", { ...tinyModels.gemma3, sliding_window: 24 }, "f32", 1e-4],
  ["Qwen3, a mixture of experts", tinyModels.qwen3_moe, "f32", 1e-4],
  ["gpt-oss", { ...tinyModels.gpt_oss, sliding_window: 24 }, "f32", 1e-4],
  // Our cache is f16 then, theirs f32.
  ["Qwen3 in four bits", tinyModels.qwen3, "q4_0", 5e-3],
])("%s", async (name, model, dtype, tolerance) => {
  const pass = forward(model, {
    dtype,
    cache: cacheOf[dtype],
    batch: 1,
    tokens: COUNT,
    capacity: 24,
    logits: "all",
    sampling: null,
    from: "prompt",
    fused: allFused,
    residentLayers: model.num_hidden_layers,
    largestBinding: 2 ** 27,
  });
  const ready = await prepareForward(gpu(), planForward(gpu(), [pass], { steps: 0 }));
  ready.writePrompt(prompt);
  const encoder = gpu().device.createCommandEncoder();
  ready.passes[0]!.encode(encoder, 0);
  gpu().device.queue.submit([encoder.finish()]);
  const ours = await ready.readLogits(COUNT);
  const expected = await theirs(model, onnxDecoder(model, ready.weight, dtype, COUNT));
  ready.destroy();
  const error = worstError(ours, expected);
  console.log(`${name} ${dtype}: ${error.toExponential(1)} from ONNX Runtime`);
  expect(error).toBeLessThan(tolerance);
  if (dtype === "f32") expect(ours.map(argmaxOf)).toEqual(expected.map(argmaxOf));
});
