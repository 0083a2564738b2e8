// jax-js on its WebGPU backend, each computation under jit.

import { defaultDevice, init, type Array as JaxArray, jit, nn, numpy as np } from "@jax-js/jax";
import type { AttentionShape } from "../kernels/attention_rows";
import type { Contender, Done, Way, Ways } from "./contender";
import { type Dense, regrouped, transposed } from "./data";

/** Arrays and the function that is applied to them; it takes each of them over. */
interface Computation {
  readonly inputs: readonly JaxArray[];
  readonly apply: ((...inputs: JaxArray[]) => JaxArray) & { dispose(): void };
}

const array = (values: Float32Array, ...shape: number[]) => np.array(values.slice(), { shape });

const dense = ({ rows, columns, values }: Dense) => array(values, rows, columns);

const product = (x: Dense, w: Dense): Computation => ({
  inputs: [dense(x), dense(w)],
  apply: jit((a: JaxArray, b: JaxArray) => np.matmul(a, b)),
});

const productOfRows = (x: Dense, w: Dense): Computation => ({
  inputs: [dense(x), dense(w)],
  apply: jit((a: JaxArray, b: JaxArray) => np.matmul(a, np.transpose(b))),
});

/** It takes queries, keys and values as (token, head). */
function attention(
  { queries, keys, heads, kvHeads, headDim }: AttentionShape,
  inputs: readonly Dense[],
): Computation {
  const [q, k, v] = inputs as readonly [Dense, Dense, Dense];
  const isCausal = queries > 1;
  if (isCausal && queries !== keys) throw new Error("its causal mask begins at the first key");
  return {
    inputs: [
      array(q.values, queries, heads, headDim),
      array(regrouped(k, kvHeads, keys), keys, kvHeads, headDim),
      array(regrouped(v, kvHeads, keys), keys, kvHeads, headDim),
    ],
    apply: jit((a: JaxArray, b: JaxArray, c: JaxArray) => nn.dotProductAttention(a, b, c, { isCausal })),
  };
}

function prepare({ inputs, apply }: Computation, done: Done): Contender {
  const execute = () => apply(...inputs.map((each) => each.ref));
  return {
    unit: 1,
    async run(times) {
      // Arrays are lazy: one that is let go before it was asked for is never computed. Asking for its buffer submits
      // the computation and waits for nothing.
      for (let i = 0; i < times; i++) execute().gpuBufferSync();
      await done();
    },
    async read() {
      const values = await execute().data();
      return Float32Array.from(values);
    },
    destroy() {
      apply.dispose();
      for (const each of inputs) each.dispose();
    },
  };
}

/** Starts the backend, on the device that the page shares. */
export async function jax(done: Done): Promise<Ways> {
  await init("webgpu");
  defaultDevice("webgpu");
  const way = (variant: string, computation: () => Computation): Way => ({
    variant,
    arithmetic: "f32",
    prepare: async () => prepare(computation(), done),
  });
  return ({ call, weights }, { inputs }) => {
    if (weights !== "f32") return [];
    if (call.kernel === "attention") return [way("dotProductAttention", () => attention(call.shape, inputs))];
    const [x, w] = inputs as readonly [Dense, Dense];
    return [
      way("matmul, weights (N, K)", () => productOfRows(x, w)),
      way("matmul, weights (K, N)", () => product(x, transposed(w))),
    ];
  };
}
