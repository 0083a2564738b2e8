// The models that ONNX Runtime is given, run by ONNX Runtime itself on the CPU: where one of them is wrong on a GPU, the
// kernel is to blame and not the model.

import * as ort from "onnxruntime-web";
import { expect, test } from "vitest";
import type { AttentionShape } from "../../src/kernels/attention_rows";
import { checkAnswer, referenceOf, toleranceOf } from "../../src/peers/check";
import type { Arithmetic } from "../../src/peers/contender";
import { type Dense, dataOf, type TaskData } from "../../src/peers/data";
import { encodeModel } from "../../src/peers/onnx_model";
import {
  gemm,
  groupQueryAttention,
  manifold,
  matMul,
  matMulNBits,
  multiHeadAttention,
  type OnnxWork,
} from "../../src/peers/onnx_work";
import type { Task, WeightType } from "../../src/peers/tasks";

ort.env.wasm.numThreads = 1;

const shape = { M: 5, N: 48, K: 96 };
const productOf = (weights: WeightType): Task => ({
  id: "product",
  title: "product",
  call: { kernel: "matmul", shape },
  weights,
  rate: "flops",
});
const attentionOf = (attention: AttentionShape): Task => ({
  id: "attention",
  title: "attention",
  call: { kernel: "attention", shape: attention },
  weights: "f32",
  rate: "flops",
});

const decode = { batch: 1, queries: 1, keys: 40, heads: 8, kvHeads: 2, headDim: 32, window: 40 };
const prefill = { batch: 1, queries: 24, keys: 24, heads: 4, kvHeads: 4, headDim: 32, window: 24 };

/** What the model answers, by output. */
async function answers({ model, feeds }: OnnxWork): Promise<Record<string, Float32Array>> {
  const session = await ort.InferenceSession.create(encodeModel({ ...model, inputs: feeds }), {
    graphOptimizationLevel: model.nodes.length > 1 ? "disabled" : "all",
  });
  const given = feeds.map(({ name, type, dims, data }) => {
    const tensor =
      type === "int32" ? new ort.Tensor("int32", data, [...dims]) : new ort.Tensor(data, [...dims]);
    return [name, tensor] as const;
  });
  const results = await session.run(Object.fromEntries(given));
  await session.release();
  return Object.fromEntries(
    Object.entries(results).map(([name, { data }]) => [name, Float32Array.from(data as Float32Array)]),
  );
}

const operands = ({ inputs }: TaskData) => inputs as readonly [Dense, Dense, Dense];

test.each<[string, Task, (data: TaskData) => OnnxWork, Arithmetic?]>([
  ["MatMul", productOf("f32"), (data) => matMul(shape, operands(data)[0], operands(data)[1])],
  ["Gemm", productOf("f32"), (data) => gemm(shape, operands(data)[0], operands(data)[1])],
  ["MatMulNBits", productOf("q4_0"), (data) => matMulNBits(shape, operands(data)[0], data.quantised!, 0)],
  [
    "MatMulNBits with quantised activations",
    productOf("q4_0"),
    (data) => matMulNBits(shape, operands(data)[0], data.quantised!, 4),
    "int8 activations",
  ],
  [
    "GroupQueryAttention over a cache",
    attentionOf(decode),
    (data) => groupQueryAttention(decode, operands(data)),
  ],
  [
    "GroupQueryAttention over a prompt",
    attentionOf(prefill),
    (data) => groupQueryAttention(prefill, operands(data)),
  ],
  [
    "MultiHeadAttention over a prompt",
    attentionOf(prefill),
    (data) => multiHeadAttention(prefill, operands(data)),
  ],
])("%s gives the float64 reference's answer", async (_, task, work, arithmetic = "f32") => {
  const data = dataOf(task, undefined);
  const reference = referenceOf(task, data);
  expect(reference.elements).toHaveLength(reference.size);
  const { model, feeds, inPlace } = work(data);
  const answer = (await answers({ model, feeds, inPlace }))[model.outputs[0]!.name]!;
  // Rounding of fewer terms cancels out less.
  const tolerance = arithmetic === "f32" ? toleranceOf(task, "f32") : 4 * toleranceOf(task, arithmetic);
  expect(checkAnswer(reference, answer, tolerance).wrong).toBeNull();
});

test("nodes side by side give the same answer each", async () => {
  const data = dataOf(productOf("q4_0"), undefined);
  const work = manifold(matMulNBits(shape, operands(data)[0], data.quantised!, 0), 3);
  const { y, y_1, y_2 } = await answers(work);
  expect(y_1).toEqual(y);
  expect(y_2).toEqual(y);
  const grouped = manifold(groupQueryAttention(decode, operands(dataOf(attentionOf(decode), undefined))), 2);
  expect(grouped.inPlace).toEqual({
    present_key: "past_key",
    present_key_1: "past_key",
    present_value: "past_value",
    present_value_1: "past_value",
  });
});

test("a weight that is wrong by a little is seen", async () => {
  const task = productOf("q4_0");
  const data = dataOf(task, undefined);
  const codes = data.quantised!.codes.slice();
  codes[40] = codes[40] === 0 ? 1 : codes[40]! - 1;
  const { y } = await answers(matMulNBits(shape, operands(data)[0], { ...data.quantised!, codes }, 0));
  expect(checkAnswer(referenceOf(task, data), y!, toleranceOf(task, "f32")).wrong).toMatch(
    /^element \(\d, 0\) is /,
  );
});
