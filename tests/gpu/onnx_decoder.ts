// A decoder as an ONNX model of ONNX Runtime's own operators: its RMSNorm, its rotary embeddings, its grouped-query
// attention, its products with weights of four bits. What it has in common with the forward pass is the weights.

import { BLOCK, type DType } from "../../src/kernels/elements";
import type { Matrix } from "../../src/kernels/kernel";
import { encodeModel, type Initializer, type Node, type Value } from "../../src/peers/onnx_model";
import { inverseFrequencies, localFrequencies, type ModelConfig, ropeLength } from "../../src/workloads";

const f32 = (name: string, dims: readonly number[]): Value => ({ name, type: "float32", dims });

/** The model's file for a prompt of so many tokens; it takes `ids` and gives `logits`. */
export function onnxDecoder(
  model: ModelConfig,
  weight: (name: string) => Matrix,
  dtype: DType,
  count: number,
): Uint8Array<ArrayBuffer> {
  const {
    hidden_size: hidden,
    intermediate_size: inner,
    num_attention_heads: heads,
    num_key_value_heads: kvHeads,
    head_dim: headDim,
    vocab_size: vocab,
  } = model;
  const nodes: Node[] = [];
  const initializers: Initializer[] = [];
  let values = 0;

  const constant = (name: string, dims: readonly number[], at: (index: number) => number): string => {
    const size = dims.reduce((a, b) => a * b, 1);
    initializers.push({ ...f32(name, dims), data: Float32Array.from({ length: size }, (_, i) => at(i)) });
    return name;
  };
  const whole = (name: string, numbers: readonly number[], dims = [numbers.length]): string => {
    initializers.push({ name, type: "int64", dims, data: BigInt64Array.from(numbers, BigInt) });
    return name;
  };
  const run = (
    operator: string,
    inputs: readonly string[],
    attributes: Node["attributes"] = {},
    domain: Node["domain"] = "",
    extra: readonly string[] = [],
  ): string => {
    const output = `value_${values++}`;
    nodes.push({ operator, domain, inputs, outputs: [output, ...extra], attributes });
    return output;
  };

  /** Rows `first` to `first + N` of a weight matrix, times x. */
  const product = (label: string, name: string, x: string, first: number, N: number, K: number): string => {
    const at = weight(name);
    if (dtype !== "q4_0")
      return run("MatMul", [x, constant(label, [K, N], (i) => at(first + (i % N), Math.floor(i / N)))]);
    const scales = weight(`${name}.scales`);
    const scaleOf = (row: number, k: number) => scales(first + row, Math.floor(k / BLOCK));
    // Four bits with their zero at 8, two to a byte.
    const code = (row: number, k: number) =>
      scaleOf(row, k) === 0 ? 8 : Math.round(at(first + row, k) / scaleOf(row, k)) + 8;
    const packed = Uint8Array.from({ length: (N * K) / 2 }, (_, i) => {
      const [row, k] = [Math.floor((2 * i) / K), (2 * i) % K];
      return code(row, k) | (code(row, k + 1) << 4);
    });
    initializers.push({ name: label, type: "uint8", dims: [N, K / BLOCK, BLOCK / 2], data: packed });
    const perRow = K / BLOCK;
    const scale = constant(`${label}.scales`, [N * perRow], (i) =>
      scaleOf(Math.floor(i / perRow), (i % perRow) * BLOCK),
    );
    return run("MatMulNBits", [x, label, scale], { K, N, bits: 4, block_size: BLOCK }, "com.microsoft");
  };
  const norm = (label: string, x: string, name: string, length: number, row = 0): string =>
    run("SimplifiedLayerNormalization", [x, constant(label, [length], (i) => weight(name)(row, i))], {
      epsilon: { float: model.rms_norm_eps ?? 0 },
    });

  /** x and a part of a vector, or of a row of a matrix of biases. */
  const biased = (x: string, label: string, name: string, first: number, size: number, row = 0): string =>
    run("Add", [x, constant(label, [size], (i) => weight(name)(row, first + i))]);

  /** Every expert for every token, and then as much of each as counts: the reverse of how it is done here. */
  const mixture = (name: (of: string) => string, x: string): string => {
    const experts = model.num_experts ?? model.num_local_experts ?? 0;
    const wide = model.moe_intermediate_size ?? inner;
    const gptOss = model.model_type === "gpt_oss";
    const router = weight(name("router"));
    const transposed = constant(name("router"), [hidden, experts], (i) =>
      router(i % experts, Math.floor(i / experts)),
    );
    let logits = run("MatMul", [x, transposed]);
    if (gptOss) logits = biased(logits, name("router bias"), name("router_bias"), 0, experts);
    const chosen = whole(name("chosen"), [model.num_experts_per_tok ?? 0]);
    const best = run("TopK", [logits, chosen], {}, "", [name("best numbers")]);
    const least = run("ReduceMin", [best], { axes: { whole: [2] } });
    const none = constant(name("nothing"), [1], () => -1e9);
    const shares = run("Softmax", [run("Where", [run("GreaterOrEqual", [logits, least]), logits, none])]);

    let sum = "";
    for (let expert = 0; expert < experts; expert++) {
      const of = (part: string) => name(`expert ${expert} ${part}`);
      const halves = [0, 1].map((side) => {
        const label = of(side === 0 ? "gate" : "up");
        const first = (2 * expert + side) * wide;
        const y = product(label, name("experts.gate_up_proj.0"), x, first, wide, hidden);
        return gptOss
          ? biased(y, `${label} bias`, name("experts.gate_up_bias"), side * wide, wide, expert)
          : y;
      }) as [string, string];
      let [gate, up] = halves;
      let steep = gate;
      if (gptOss) {
        const [low, high] = [-1, 1].map((sign) =>
          constant(of(`limit ${sign}`), [], () => sign * (model.swiglu_limit ?? 0)),
        ) as [string, string];
        gate = run("Clip", [gate, "", high]);
        up = run("Add", [run("Clip", [up, low, high]), constant(of("one"), [1], () => 1)]);
        steep = run("Mul", [gate, constant(of("alpha"), [1], () => 1.702)]);
      }
      const activated = run("Mul", [run("Mul", [gate, run("Sigmoid", [steep])]), up]);
      let given = product(of("down"), name("experts.down_proj.0"), activated, expert * hidden, hidden, wide);
      if (gptOss) given = biased(given, of("down bias"), name("experts.down_bias"), 0, hidden, expert);
      const share = run("Gather", [shares, whole(of("number"), [expert])], { axis: 2 });
      const counted = run("Mul", [given, share]);
      sum = sum === "" ? counted : run("Add", [sum, counted]);
    }
    return sum;
  };

  const half = headDim / 2;
  const length = ropeLength(model);
  const angles = (kind: string, frequencies: readonly number[]) => {
    const angle = (i: number) => Math.floor(i / half) * frequencies[i % half]!;
    constant(`${kind}cosines`, [count, half], (i) => length * Math.cos(angle(i)));
    constant(`${kind}sines`, [count, half], (i) => length * Math.sin(angle(i)));
  };
  angles("", inverseFrequencies(model));
  const gemma = model.model_type === "gemma3_text";
  const gptOss = model.model_type === "gpt_oss";
  const qkNorm = model.model_type.startsWith("qwen3") || gemma;
  if (gemma) angles("local ", localFrequencies(model));
  whole(
    "positions",
    Array.from({ length: count }, (_, i) => i),
    [1, count],
  );
  if (qkNorm) {
    whole("heads apart", [count * heads, headDim]);
    whole("kv heads apart", [count * kvHeads, headDim]);
    whole("heads together", [1, count, heads * headDim]);
    whole("kv heads together", [1, count, kvHeads * headDim]);
  }

  const table = constant("embed_tokens", [vocab, hidden], (i) =>
    weight("embed_tokens.0")(Math.floor(i / hidden), i % hidden),
  );
  let state = run("Gather", [table, "ids"]);
  if (gemma) state = run("Mul", [state, constant("root of hidden", [1], () => Math.sqrt(hidden))]);
  for (let layer = 0; layer < model.num_hidden_layers; layer++) {
    const name = (of: string) => `layers.${layer}.${of}`;
    // No prompt of a test is as long as a window: how ONNX Runtime counts one is not known here.
    const local = gemma && (layer + 1) % (model.sliding_window_pattern ?? 1) !== 0;
    const kind = local ? "local " : "";
    const input = norm(name("norm 1"), state, name("input_layernorm"), hidden);
    const parts = { q: [0, heads], k: [heads, kvHeads], v: [heads + kvHeads, kvHeads] } as const;
    const projected = (part: "q" | "k" | "v"): string => {
      const [first, count_] = parts[part].map((number) => number * headDim) as [number, number];
      let x = product(name(part), name("qkv_proj"), input, first, count_, hidden);
      if (model.model_type === "qwen2" || gptOss)
        x = biased(x, name(`${part} bias`), name("qkv_bias"), first, count_);
      if (part === "v") return x;
      if (qkNorm) {
        const shape = part === "q" ? "heads" : "kv heads";
        x = run("Reshape", [x, `${shape} apart`]);
        x = norm(name(`${part} norm`), x, name("qk_norms"), headDim, part === "q" ? 0 : 1);
        x = run("Reshape", [x, `${shape} together`]);
      }
      return run("RotaryEmbedding", [x, "positions", `${kind}cosines`, `${kind}sines`], {}, "com.microsoft");
    };
    const sinks = () => constant(name("sinks"), [heads], (i) => weight(name("sinks"))(0, i));
    const attended = run(
      "GroupQueryAttention",
      [
        ...[projected("q"), projected("k"), projected("v"), "past_key", "past_value", "seqlens_k", "total"],
        ...(gptOss ? ["", "", "", "", sinks()] : []),
      ],
      { num_heads: heads, kv_num_heads: kvHeads },
      "com.microsoft",
      [`present_key_${layer}`, `present_value_${layer}`],
    );
    let back = product(name("o"), name("o_proj"), attended, 0, hidden, heads * headDim);
    if (gptOss) back = biased(back, name("o bias"), name("o_bias"), 0, hidden);
    if (gemma) back = norm(name("norm after 1"), back, name("post_attention_layernorm"), hidden);
    state = run("Add", [state, back]);
    const middle = norm(
      name("norm 2"),
      state,
      name(gemma ? "pre_feedforward_layernorm" : "post_attention_layernorm"),
      hidden,
    );
    if (model.num_experts_per_tok !== undefined) {
      state = run("Add", [state, mixture(name, middle)]);
      continue;
    }
    const gate = product(name("gate"), name("gate_up_proj"), middle, 0, inner, hidden);
    const up = product(name("up"), name("gate_up_proj"), middle, inner, inner, hidden);
    const gating = gemma
      ? run("FastGelu", [gate], {}, "com.microsoft")
      : run("Mul", [gate, run("Sigmoid", [gate])]);
    let fed = product(name("down"), name("down_proj"), run("Mul", [gating, up]), 0, hidden, inner);
    if (gemma) fed = norm(name("norm after 2"), fed, name("post_feedforward_layernorm"), hidden);
    state = run("Add", [state, fed]);
  }
  const last = norm("norm", state, "norm", hidden);
  const head = model.tie_word_embeddings ? "embed_tokens.0" : "lm_head.0";
  const logits = product("lm_head", head, last, 0, vocab, hidden);
  nodes.push({ operator: "Identity", domain: "", inputs: [logits], outputs: ["logits"], attributes: {} });

  return encodeModel({
    inputs: [
      { name: "ids", type: "int32", dims: [1, count] },
      f32("past_key", [1, kvHeads, 0, headDim]),
      f32("past_value", [1, kvHeads, 0, headDim]),
      { name: "seqlens_k", type: "int32", dims: [1, 1] },
      { name: "total", type: "int32", dims: [1] },
    ],
    outputs: [f32("logits", [1, count, vocab])],
    initializers,
    nodes,
  });
}
