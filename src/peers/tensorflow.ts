// TensorFlow.js on its WebGPU backend.

import "@tensorflow/tfjs-backend-webgpu";
import type { WebGPUBackend } from "@tensorflow/tfjs-backend-webgpu";
import * as tf from "@tensorflow/tfjs-core";
import type { AttentionShape } from "../kernels/attention_rows";
import type { Contender, Done, Way, Ways } from "./contender";
import { type Dense, regrouped, transposed } from "./data";

type Make = () => {
  readonly tensors: readonly tf.Tensor[];
  execute(): tf.Tensor;
  ordered?(answer: Float32Array): Float32Array;
};

const dense = ({ rows, columns, values }: Dense) => tf.tensor2d(values, [rows, columns]);

/** Added to the score of a key that a query must not see. */
const HIDDEN = -1e9;

/** Scores, softmax and sums, as (key/value head, query, ...): query heads that share a key head are rows of one product. */
function attention(
  { queries, keys, heads, kvHeads, headDim }: AttentionShape,
  inputs: readonly Dense[],
): ReturnType<Make> {
  const [q, k, v] = inputs as readonly [Dense, Dense, Dense];
  const rows = queries * (heads / kvHeads);
  // Ours are (token, head); with more than one query, heads come first.
  const query = tf.tensor3d(regrouped(q, queries, heads), [kvHeads, rows, headDim]);
  const key = tf.tensor3d(k.values, [kvHeads, keys, headDim]);
  const value = tf.tensor3d(v.values, [kvHeads, keys, headDim]);
  const scale = tf.scalar(1 / Math.sqrt(headDim));
  const mask = tf.tensor2d(
    Float32Array.from({ length: rows * keys }, (_, i) =>
      i % keys > keys - queries + (Math.floor(i / keys) % queries) ? HIDDEN : 0,
    ),
    [rows, keys],
  );
  return {
    tensors: [query, key, value, scale, mask],
    execute: () =>
      tf.tidy(() => {
        const scores = tf.mul(tf.matMul(query, key, false, true), scale);
        return tf.matMul(tf.softmax(queries === 1 ? scores : tf.add(scores, mask)), value);
      }),
    ordered: (answer) =>
      regrouped({ rows: heads * queries, columns: headDim, values: answer }, heads, queries),
  };
}

/** Submits what the backend has encoded but kept back. */
function flush(backend: WebGPUBackend): void {
  backend.ensureCommandEncoderReady();
  backend.endComputePassEncoder();
  backend.submitQueue();
}

function prepare(backend: WebGPUBackend, done: Done, make: Make): Contender {
  const { tensors, execute, ordered = (answer) => answer } = make();
  return {
    unit: 1,
    async run(times) {
      for (let i = 0; i < times; i++) execute().dispose();
      flush(backend);
      await done();
    },
    async read() {
      const answer = execute();
      const values = await answer.data<"float32">();
      answer.dispose();
      return ordered(values);
    },
    destroy: () => tf.dispose([...tensors]),
  };
}

/** Starts the backend, on the device that the page shares. */
export async function tensorFlow(done: Done): Promise<Ways> {
  // Small tensors would be computed on the CPU.
  tf.env().set("WEBGPU_CPU_FORWARD", false);
  if (!(await tf.setBackend("webgpu"))) throw new Error("its WebGPU backend does not start");
  const backend = tf.backend() as WebGPUBackend;
  const way = (variant: string, make: Make): Way => ({
    variant,
    arithmetic: "f32",
    prepare: async () => prepare(backend, done, make),
  });
  const product =
    (x: Dense, w: Dense, byRows: boolean): Make =>
    () => {
      const tensors = [dense(x), dense(w)] as const;
      return { tensors, execute: () => tf.matMul(...tensors, false, byRows) };
    };
  return ({ call, weights }, { inputs }) => {
    if (weights !== "f32") return [];
    if (call.kernel === "attention")
      return [way("matMul, softmax, matMul", () => attention(call.shape, inputs))];
    const [x, w] = inputs as readonly [Dense, Dense];
    return [
      way("matMul, weights (N, K)", product(x, w, true)),
      way("matMul, weights (K, N)", product(x, transposed(w), false)),
    ];
  };
}
