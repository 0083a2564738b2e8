// The synthetic weights of a forward pass: seeded random numbers whose sizes keep a model of many layers tame, and the
// same numbers on the CPU.

import { BLOCK, bitsOf, storedAt } from "../kernels/elements";
import { f16Bits, f16Value } from "../kernels/f16";
import { type Matrix, strideOf } from "../kernels/kernel";
import { weightsOf } from "../kernels/product";
import { randomAt, streamFrom } from "../kernels/random";
import {
  decoderOf,
  inverseFrequencies,
  localFrequencies,
  type ModelConfig,
  ropeAngles,
  ropeLength,
  type Tensor,
} from "../workloads";
import type { Gpu } from "./device";
import { fillBuffer } from "./fill";

/**
 * Root mean square of what `fill` writes: numbers spread evenly over [-1/2, 1/2), whole numbers over their range, these
 * times a scale.
 */
const SPREAD = 1 / Math.sqrt(12);
const rms = ({ element }: Tensor): number => {
  if (element === "i8") return (256 / Math.sqrt(12)) * SPREAD;
  return element === "i4" ? (16 / Math.sqrt(12)) * SPREAD : SPREAD;
};

/**
 * What a norm multiplies by: so much that the projections after it come out of about unit size, whatever the weights'
 * own size is. Then queries, keys and gates are as in a model, and nothing grows beyond f16 over many layers.
 */
const gainOf = (model: ModelConfig, matrix: Tensor): number =>
  1 / (rms(matrix) * Math.sqrt(model.hidden_size));

/**
 * What the elements of a vector are around, by what it is for: what is turned is of unit size, what is added to
 * embeddings of their size, which Gemma makes larger, and what is projected so large that it comes out of unit size.
 */
function sizeOf(name: string, model: ModelConfig, matrix: Tensor): number {
  if (name.endsWith("norms")) return 1;
  const added = /\.post_feedforward_layernorm$/.test(name) || /\.post_attention_layernorm$/.test(name);
  return added && decoderOf(model).postNorms
    ? rms(matrix) * Math.sqrt(model.hidden_size)
    : gainOf(model, matrix);
}

/**
 * What the matrices that write into the residual stream are divided by, a power of two: where experts are chosen, tokens
 * have to stay different from each other, as training sees to it. All blocks together then add no more than the embedding
 * is; otherwise what attention gives all tokens alike soon outweighs it, and all go through the same few experts.
 */
function shrinkOf(model: ModelConfig, { name, columns }: Tensor): number {
  const scales = name.endsWith(".scales");
  if (!decoderOf(model).experts || !/(o|down)_proj/.test(name)) return 1;
  const K = columns * (scales ? BLOCK : 1);
  return 2 ** Math.round(Math.log2(2 * K * model.num_hidden_layers) / 2);
}

/** The same of biases, which all tokens have in common. */
function biasSize(model: ModelConfig, name: string): number {
  if (!decoderOf(model).experts || name.endsWith("sinks")) return 1;
  return /(o|down)_bias$/.test(name) ? 1 / (4 * Math.sqrt(2 * model.num_hidden_layers)) : 1 / 8;
}

/** An element of a vector: around its size, but for biases and sinks, which are around zero. */
function vectorAt(model: ModelConfig, name: string, size: number, seed: number, index: number): number {
  const random = randomAt(seed, index);
  if (name === "no_bias") return 0;
  return /(bias|sinks)$/.test(name) ? random * biasSize(model, name) : size * (1 + random / 2);
}

/** A stream of random numbers for each name (FNV-1a): what else is in memory does not matter. */
function streamOf(seed: number, name: string): number {
  let state = 0x811c9dc5;
  for (const letter of name) state = Math.imul(state ^ letter.charCodeAt(0), 0x01000193);
  return (seed + state) >>> 0;
}

/**
 * The stream of a tensor. A piece of a matrix has that of the whole from where it begins, so that the weights are the same
 * whatever a binding holds.
 */
function streamIn(seed: number, tensor: Tensor, tensors: readonly Tensor[]): number {
  const { name, columns, element } = tensor;
  const [, base = "", piece = "0", scales = ""] =
    /^(.+_(?:proj|tokens|head))\.(\d+)(\.scales)?$/.exec(name) ?? [];
  if (base === "") return streamOf(seed, name);
  const first = tensors.find((each) => each.name === `${base}.0${scales}`) ?? tensor;
  const elements = Number(piece) * first.rows * strideOf(columns);
  // Whole numbers are drawn word by word.
  const drawn = element === "i8" || element === "i4" ? (elements * bitsOf[element]) / 32 : elements;
  return streamFrom(streamOf(seed, base + scales), drawn);
}

/**
 * The scales of a KV cache in q8_0, over and over: with random bits as whole numbers, what they stand for is spread over
 * about [-1/2, 1/2), as floats of the cache are.
 */
const cacheScales = (seed: number): Uint16Array<ArrayBuffer> =>
  Uint16Array.from({ length: 2 ** 15 }, (_, i) => f16Bits((1 + randomAt(seed, i) / 2) / 2));

function fillCacheScales({ device }: Gpu, buffer: GPUBuffer, seed: number): void {
  const scales = cacheScales(seed);
  for (let at = 0; at < buffer.size; at += scales.byteLength)
    device.queue.writeBuffer(buffer, at, scales, 0, Math.min(scales.length, (buffer.size - at) / 2));
}

/** Fills a buffer of the KV cache, or its scales, as if something stood there already. */
export async function fillCache(
  gpu: Gpu,
  { name, element }: Pick<Tensor, "name" | "element">,
  buffer: GPUBuffer,
  seed: number,
): Promise<void> {
  if (name.endsWith(".scales")) fillCacheScales(gpu, buffer, seed);
  else await fillBuffer(gpu, buffer, element, seed);
}

/** What the tensors hold, as numbers. */
export interface ForwardWeights {
  /**
   * The weights of a matrix, its scales multiplied in, or a vector as one row. Throws where there is none of the name, or
   * where the weights are a file's, which nobody keeps.
   */
  weight(name: string): Matrix;
}

/** Writes a tensor that follows from the model or from the pass, and says whether it is one. */
export function fillTable(
  { device: { queue } }: Gpu,
  model: ModelConfig,
  { name, rows, values }: Tensor,
  buffer: GPUBuffer,
  /** By what each rotation is divided beside what the model says. */
  divisors: readonly number[] = [],
): boolean {
  if (name === "angles") {
    const turns = inverseFrequencies(model).map((each, i) => each / (divisors[i] ?? 1));
    queue.writeBuffer(buffer, 0, ropeAngles(turns, rows, ropeLength(model)));
  } else if (name === "angles.local") queue.writeBuffer(buffer, 0, ropeAngles(localFrequencies(model), rows));
  else if (values !== undefined) queue.writeBuffer(buffer, 0, Uint32Array.from(values));
  else return false;
  return true;
}

/** Fills matrices, vectors, tables and the KV cache, each with a stream of its own. */
export async function fillForward(
  gpu: Gpu,
  model: ModelConfig,
  tensors: readonly Tensor[],
  bufferOf: (name: string) => GPUBuffer,
  seed: number,
): Promise<ForwardWeights> {
  const stored = new Map<string, Matrix>();
  const { queue } = gpu.device;
  const someMatrix = tensors.find(({ role, name }) => role === "matrix" && !name.endsWith(".scales"));
  for (const tensor of tensors) {
    const { name, role, rows, columns, element } = tensor;
    const buffer = bufferOf(name);
    const stream = streamIn(seed, tensor, tensors);
    const stride = strideOf(columns);
    if (role === "cache") await fillCache(gpu, tensor, buffer, stream);
    else if (role === "matrix") {
      // Whole numbers have scales that are made smaller for them.
      const shrink = element === "i8" || element === "i4" ? 1 : shrinkOf(model, tensor);
      await fillBuffer(gpu, buffer, element, stream, shrink);
      stored.set(name, (row, column) => storedAt(element, stream, row * stride + column) / shrink);
    } else if (role === "vector") {
      const size = someMatrix === undefined ? 1 : sizeOf(name, model, someMatrix);
      const at: Matrix = (row, column) => {
        const value = vectorAt(model, name, size, stream, row * stride + column);
        return element === "f16" ? f16Value(f16Bits(value)) : Math.fround(value);
      };
      stored.set(name, at);
      const data = element === "f16" ? new Uint16Array(rows * stride) : new Float32Array(rows * stride);
      for (let row = 0; row < rows; row++) {
        for (let column = 0; column < columns; column++) {
          const value = at(row, column);
          data[row * stride + column] = element === "f16" ? f16Bits(value) : value;
        }
      }
      queue.writeBuffer(buffer, 0, data);
    } else fillTable(gpu, model, tensor, buffer);
  }
  return {
    weight(name) {
      const found = stored.get(name);
      if (found === undefined) throw new Error(`there are no weights ${name}`);
      return weightsOf(found, stored.get(`${name}.scales`));
    },
  };
}
