// What a forward pass is: kernel calls in order, and the named tensors that they work on. Plain data.

import { type AnyShape, type Call, type KernelName, kernelOf } from "../kernels";
import type { CacheType, DType } from "../kernels/elements";
import { bytesOf, type Operand } from "../kernels/kernel";
import type { ModelConfig } from "./model";

/** How tokens are chosen from logits. */
export type Sampling =
  | { readonly kind: "greedy" }
  /** `temperature` to thousandths, from 0.001 on. */
  | { readonly kind: "temperature"; readonly temperature: number; readonly seed: number };

/** What is computed in one dispatch where two would do as well. */
export interface Fusions {
  /** A residual connection and the norm after it. */
  readonly addNorm: boolean;
  /** Gate, up and the activation between them, for few rows: where that is SiLU, and the matrix in one piece. */
  readonly gateUp: boolean;
  /** The products that give queries, keys and values. They are taken apart for one row only, whose parts lie side by side. */
  readonly qkv: boolean;
  /** A residual's norm and the rounding of what it gives, where the next product works on whole numbers. */
  readonly normQuantise: boolean;
}

export const allFused: Fusions = { addNorm: true, gateUp: true, qkv: true, normQuantise: true };
export const noneFused: Fusions = { addNorm: false, gateUp: false, qkv: false, normQuantise: false };

/** Tokens of a prompt that one pass reads at most. */
export const LONGEST_CHUNK = 512;

export interface ForwardOptions {
  /** How weights are stored, and with them activations. */
  readonly dtype: DType;
  /** How the KV cache is stored. */
  readonly cache: CacheType;
  /** Sequences. */
  readonly batch: number;
  /** New tokens of each sequence: many in prefill, one in decode. */
  readonly tokens: number;
  /** Tokens that the KV cache of each sequence has room for. */
  readonly capacity: number;
  /** Of which tokens there are logits: of none, the last of each sequence, or all. */
  readonly logits: "none" | "last" | "all";
  /** How the next token is chosen; null where it is not. Needs logits of the last token. */
  readonly sampling: Sampling | null;
  /** Where the tokens come from: the prompt, or what was sampled last, which is one of each sequence. */
  readonly from: "prompt" | "sampled";
  readonly fused: Fusions;
  /** Layers whose weights are in memory; the others take theirs in turn. All of them for a model that is whole. */
  readonly residentLayers: number;
  /** Bytes that a binding holds at most: larger matrices come in pieces of some of their rows or experts. */
  readonly largestBinding: number;
}

/** What a tensor is for: who fills it, and how long it lives. */
export type TensorRole = "matrix" | "vector" | "table" | "cache" | "state" | "activations";

/** A named piece of memory. Two calls that name the same tensor mean the same memory. */
export interface Tensor<Role = TensorRole> {
  readonly name: string;
  readonly role: Role;
  readonly rows: number;
  readonly columns: number;
  readonly element: Operand["element"];
  readonly bytes: number;
  /** Of whole numbers that never change: what they are. */
  readonly values?: readonly number[];
}

/** A tensor as an operand, from some byte on. */
export interface Bound {
  readonly tensor: string;
  readonly offset: number;
}

/** A tensor as an operand, from some row on; scales of weights follow them. */
export interface BoundRows {
  readonly tensor: string;
  readonly row: number;
}

/** One kernel call and the tensors that its operands are. */
export interface Dispatch {
  /** What it does in the model: "qkv_proj". */
  readonly label: string;
  /** The layer that it belongs to; null before the first and after the last. */
  readonly layer: number | null;
  readonly call: Call;
  /** What it is computed in. */
  readonly dtype: DType;
  readonly binds: Readonly<Record<string, Bound>>;
}

/** A forward pass: plain data. */
export interface ForwardPass {
  readonly model: ModelConfig;
  readonly options: ForwardOptions;
  /** Every tensor that some call names, once. */
  readonly tensors: readonly Tensor[];
  readonly dispatches: readonly Dispatch[];
}

/** Kernels that write or read the KV cache. */
const ofCache: ReadonlySet<KernelName> = new Set([
  "rope",
  "norm_rope",
  "attention",
  "sink_attention",
  "rope_q8_0",
  "norm_rope_q8_0",
  "attention_q8_0",
]);

/** Whether a tensor is a weight matrix, or its scales. */
export const isMatrix = (name: string): boolean => /_proj|embed_tokens|lm_head|router$/.test(name);

export const forwardRole = (name: string): TensorRole => {
  if (/^layers\.\d+\.(k|v|kv|kv\.scales)$/.test(name)) return "cache";
  if (isMatrix(name)) return "matrix";
  if (/norm$|bias$|norms$|sinks$/.test(name)) return "vector";
  if (/^(angles(\.local)?|last\..*)$/.test(name)) return "table";
  return ["position", "prompt", "sampled"].includes(name) ? "state" : "activations";
};

/**
 * Collects the calls of a forward pass in one type, and what they say about the tensors they name. Those that write or
 * read the KV cache are in the type `stored`.
 */
export const collector = (dtype: DType, stored: DType = dtype) => collectorOf(dtype, stored, forwardRole);

/** The same for tensors of other roles. */
export function collectorOf<Role>(dtype: DType, stored: DType, roleOf: (name: string) => Role) {
  const tensors = new Map<string, Tensor<Role>>();
  const dispatches: Dispatch[] = [];
  return {
    tensors,
    dispatches,
    /**
     * A call whose operands, in order, are these tensors; scales of weights are named after them. `as` is what it is
     * computed in where that is another type.
     */
    call(
      label: string,
      layer: number | null,
      call: Call,
      names: Readonly<Record<string, string | Bound | BoundRows>>,
      as: DType = dtype,
    ): void {
      const kernel = kernelOf(call.kernel);
      const type = ofCache.has(call.kernel) ? stored : as;
      const binds: Record<string, Bound> = {};
      let weights: { tensor: string; row: number } | undefined;
      for (const operand of kernel.operands(call.shape as AnyShape, type)) {
        const scales = weights && { ...weights, tensor: `${weights.tensor}.scales` };
        const named = names[operand.name] ?? (operand.name === "scales" ? scales : undefined);
        if (named === undefined) throw new Error(`${label}: ${call.kernel} has an operand ${operand.name}`);
        const given = typeof named === "string" ? { tensor: named, row: 0 } : named;
        const row = "row" in given ? given.row : 0;
        if (operand.role === "weights") weights = { tensor: given.tensor, row };
        const offset = "row" in given ? bytesOf({ ...operand, rows: row }) : given.offset;
        const bound = { tensor: given.tensor, offset };
        binds[operand.name] = bound;
        const { columns, element } = operand;
        const rows = row + operand.rows;
        const bytes = offset + bytesOf(operand);
        const known = tensors.get(bound.tensor);
        if (known === undefined || known.bytes < bytes) {
          const role = roleOf(bound.tensor);
          tensors.set(bound.tensor, { name: bound.tensor, role, rows, columns, element, bytes });
        }
      }
      dispatches.push({ label, layer, call, dtype: type, binds });
    },
  };
}

/** Every tensor of several passes once, as large as the largest of them needs it. */
export function mergedTensors(passes: readonly ForwardPass[]): Tensor[] {
  const merged = new Map<string, Tensor>();
  for (const tensor of passes.flatMap(({ tensors }) => tensors)) {
    const known = merged.get(tensor.name);
    if (known === undefined || known.bytes < tensor.bytes) merged.set(tensor.name, tensor);
  }
  return [...merged.values()];
}
