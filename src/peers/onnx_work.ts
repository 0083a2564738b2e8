// The tasks as ONNX models of one operator, with what they are run on. Weights are part of the model, as they are in practice.

import type { AttentionShape } from "../kernels/attention_rows";
import { BLOCK } from "../kernels/elements";
import type { MatmulShape } from "../kernels/product";
import { type Dense, type Quantised, regrouped, transposed } from "./data";
import type { Model, Node, Value } from "./onnx_model";

/** An input that stays on the GPU, or a small one that the operator reads on the CPU. */
export interface Fed extends Value {
  readonly data: Float32Array | Int32Array;
  readonly on: "gpu" | "cpu";
}

/** A model and what it is run on. The first output is the answer. */
export interface OnnxWork {
  readonly model: Omit<Model, "inputs">;
  readonly feeds: readonly Fed[];
  /** Outputs that are kept in the buffer of an input: a KV cache that is written in place. */
  readonly inPlace: Readonly<Record<string, string>>;
}

const f32 = (name: string, dims: readonly number[]): Value => ({ name, type: "float32", dims });
const fed = (name: string, dims: readonly number[], data: Float32Array): Fed => ({
  ...f32(name, dims),
  data,
  on: "gpu",
});

const product = (
  { M, N, K }: MatmulShape,
  x: Dense,
  node: Pick<Node, "operator" | "domain" | "attributes">,
  weights: Model["initializers"],
): OnnxWork => ({
  model: {
    nodes: [{ ...node, inputs: ["x", ...weights.map(({ name }) => name)], outputs: ["y"] }],
    initializers: weights,
    outputs: [f32("y", [M, N])],
  },
  feeds: [fed("x", [M, K], x.values)],
  inPlace: {},
});

export const matMul = (shape: MatmulShape, x: Dense, w: Dense): OnnxWork =>
  product(shape, x, { operator: "MatMul", domain: "", attributes: {} }, [
    { ...f32("w", [shape.K, shape.N]), data: transposed(w).values },
  ]);

export const gemm = (shape: MatmulShape, x: Dense, w: Dense): OnnxWork =>
  product(shape, x, { operator: "Gemm", domain: "", attributes: { transB: 1 } }, [
    { ...f32("w", [shape.N, shape.K]), data: w.values },
  ]);

/** Codes are packed in pairs, the first in the low half; their zero is at 8 unless told otherwise. */
export function matMulNBits(
  shape: MatmulShape,
  x: Dense,
  { codes, scales }: Quantised,
  accuracyLevel: number,
): OnnxWork {
  const { N, K } = shape;
  const packed = Uint8Array.from(
    { length: codes.length / 2 },
    (_, i) => codes[2 * i]! | (codes[2 * i + 1]! << 4),
  );
  const attributes = { K, N, bits: 4, block_size: BLOCK, accuracy_level: accuracyLevel };
  return product(shape, x, { operator: "MatMulNBits", domain: "com.microsoft", attributes }, [
    { name: "w", type: "uint8", dims: [N, K / BLOCK, BLOCK / 2], data: packed },
    { ...f32("scales", [N, K / BLOCK]), data: scales },
  ]);
}

/** Queries, keys and values of new tokens; `keys` of them are in the cache afterwards. */
export function groupQueryAttention(shape: AttentionShape, [q, k, v]: readonly Dense[]): OnnxWork {
  const { queries, keys, heads, kvHeads, headDim } = shape;
  const width = kvHeads * headDim;
  // Our caches are (head, token); the operator takes new tokens as (token, head).
  const recent = (cache: Dense) => regrouped(cache, kvHeads, keys).subarray((keys - queries) * width);
  const past = queries < keys;
  const cache = [1, kvHeads, past ? keys : 0, headDim];
  const caches: Fed[] = [
    { ...fed("past_key", cache, past ? k!.values : new Float32Array(0)), on: past ? "gpu" : "cpu" },
    { ...fed("past_value", cache, past ? v!.values : new Float32Array(0)), on: past ? "gpu" : "cpu" },
  ];
  const feeds: Fed[] = [
    fed("query", [1, queries, heads * headDim], q!.values),
    fed("key", [1, queries, width], recent(k!)),
    fed("value", [1, queries, width], recent(v!)),
    ...caches,
    { name: "seqlens_k", type: "int32", dims: [1, 1], data: Int32Array.of(keys - 1), on: "gpu" },
    { name: "total_sequence_length", type: "int32", dims: [1], data: Int32Array.of(keys), on: "cpu" },
  ];
  const present = [1, kvHeads, keys, headDim];
  return {
    model: {
      nodes: [
        {
          operator: "GroupQueryAttention",
          domain: "com.microsoft",
          inputs: feeds.map(({ name }) => name),
          outputs: ["output", "present_key", "present_value"],
          attributes: { num_heads: heads, kv_num_heads: kvHeads },
        },
      ],
      initializers: [],
      outputs: [
        f32("output", [1, queries, heads * headDim]),
        f32("present_key", present),
        f32("present_value", present),
      ],
    },
    feeds,
    inPlace: past ? { present_key: "past_key", present_value: "past_value" } : {},
  };
}

export function multiHeadAttention(
  { queries, keys, heads, headDim }: AttentionShape,
  [q, k, v]: readonly Dense[],
): OnnxWork {
  const width = heads * headDim;
  return {
    model: {
      nodes: [
        {
          operator: "MultiHeadAttention",
          domain: "com.microsoft",
          inputs: ["query", "key", "value"],
          outputs: ["output"],
          attributes: { num_heads: heads, unidirectional: 1 },
        },
      ],
      initializers: [],
      outputs: [f32("output", [1, queries, width])],
    },
    feeds: [
      fed("query", [1, queries, width], q!.values),
      fed("key", [1, keys, width], regrouped(k!, heads, keys)),
      fed("value", [1, keys, width], regrouped(v!, heads, keys)),
    ],
    inPlace: {},
  };
}

/** So many nodes side by side that do the same, each into outputs of its own. */
export function manifold({ model, feeds, inPlace }: OnnxWork, count: number): OnnxWork {
  const copies = Array.from({ length: count }, (_, i) => i);
  const numbered = (name: string, i: number) => (i === 0 ? name : `${name}_${i}`);
  return {
    model: {
      nodes: model.nodes.flatMap((node) =>
        copies.map((i) => ({ ...node, outputs: node.outputs.map((name) => numbered(name, i)) })),
      ),
      initializers: model.initializers,
      outputs: copies.flatMap((i) =>
        model.outputs.map((each) => ({ ...each, name: numbered(each.name, i) })),
      ),
    },
    feeds,
    inPlace: Object.fromEntries(
      Object.entries(inPlace).flatMap(([output, input]) => copies.map((i) => [numbered(output, i), input])),
    ),
  };
}
