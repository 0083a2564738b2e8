// Before a model is run whole: what it takes in memory, whether the device's limits allow it, and what would fit instead.

import { activationsOf, type CacheType, cacheOf, cacheTypes, type DType, dtypes } from "../kernels/elements";
import type { Result } from "../result";
import {
  allFused,
  type ForwardOptions,
  forward,
  knownModel,
  LARGEST_PIECE,
  LONGEST_CHUNK,
  layersWithin,
  type ModelConfig,
  matrixBytes,
  mergedTensors,
  modelIds,
  parameters,
  type TensorRole,
  whyNoCache,
  whyNoForward,
  whyTooLarge,
} from "../workloads";

/** What a model is to do, and the bytes that its weights may take. */
export interface FitQuestion {
  readonly dtype: DType;
  readonly prompt: number;
  readonly generate: number;
  readonly depth: number;
  readonly batch: number;
  readonly memory: number;
  /** How the KV cache is stored; as is usual beside the weights' type where it is not said. */
  readonly kv?: CacheType;
}

/** What a plan asks of every model and type: its longest and widest run, within so many bytes of weights. */
export function questionOf(
  { pp, tg, depth, batch, kv }: Result["plan"],
  memory: number,
): Omit<FitQuestion, "dtype"> {
  const most = (list: readonly number[]) => Math.max(1, ...list);
  // From the widest on, as cache types are listed.
  const widest = cacheTypes.find((type) => kv.includes(type));
  return {
    prompt: most(pp),
    generate: most(tg),
    depth: Math.max(0, ...depth),
    batch: most(batch),
    memory,
    ...(widest !== undefined && { kv: widest }),
  };
}

/** What is known of the device; nothing is asked of one that is not known. */
export interface FitDevice {
  readonly features: readonly string[];
  readonly limits: Readonly<Record<string, number>>;
}

export interface ModelFit extends FitQuestion {
  readonly model: string;
  /** Bytes of all weights, and of the keys and values of all sequences at their longest. */
  readonly weights: number;
  readonly cache: number;
  /** Bytes that would be allocated, but for what kernels pass between their stages. */
  readonly allocated: number;
  /** Layers whose weights are in memory at once. */
  readonly residentLayers: number;
  readonly ofLayers: number;
  /** Why the model cannot be run so at all. */
  readonly problem: string | undefined;
}

/** Bytes that a binding of the device holds; no bound where it is not known. */
const bindingOf = (device: FitDevice | undefined): number =>
  Math.min(
    device?.limits.maxStorageBufferBindingSize ?? Number.POSITIVE_INFINITY,
    device?.limits.maxBufferSize ?? Number.POSITIVE_INFINITY,
  );

/** The longest that a sequence gets. */
export const contextOf = ({ prompt, generate, depth }: FitQuestion): number => depth + prompt + generate + 1;

/** Bytes of the tensors of a model's passes by their role, and the largest one. */
function tensorsOf(model: ModelConfig, question: FitQuestion, residentLayers: number, binding: number) {
  const { dtype, batch, prompt, kv = cacheOf[dtype] } = question;
  const options: ForwardOptions = {
    dtype,
    cache: kv,
    batch,
    tokens: 1,
    capacity: contextOf(question),
    logits: "last",
    sampling: { kind: "greedy" },
    from: "sampled",
    fused: allFused,
    residentLayers,
    largestBinding: Math.min(binding, LARGEST_PIECE),
  };
  const step = forward(model, options);
  const reading = forward(model, { ...options, tokens: Math.min(prompt, LONGEST_CHUNK), from: "prompt" });
  const tensors = mergedTensors([step, reading]);
  const sum = (...roles: readonly TensorRole[]) =>
    tensors.reduce((total, { role, bytes }) => total + (roles.includes(role) ? bytes : 0), 0);
  const largest = tensors.reduce((most, each) => (each.bytes > most.bytes ? each : most));
  return {
    weights: sum("matrix", "vector"),
    cache: sum("cache"),
    all: tensors.reduce((total, { bytes }) => total + bytes, 0),
    largest,
  };
}

const mebibytes = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`;

/** What a model takes on a device, and whether it can be run so. Throws on a model that is not known. */
export function modelFit(id: string, question: FitQuestion, device?: FitDevice): ModelFit {
  const model = knownModel(id);
  if (model === undefined) throw new RangeError(`there is no model ${id}`);
  const { dtype, memory, kv = cacheOf[dtype] } = question;
  const ofLayers = model.num_hidden_layers;
  const residentLayers = layersWithin(model, dtype, memory);
  const about = { model: id, ...question, residentLayers, ofLayers };
  const context = contextOf(question);
  const longest = model.max_position_embeddings;
  const unable =
    whyNoForward(model) ??
    whyNoCache(model, dtype, kv) ??
    whyTooLarge(model, dtype, memory) ??
    (context > longest
      ? `${id} reads ${longest} tokens at most, and depth, prompt and answer are ${context}`
      : undefined);
  if (unable !== undefined) {
    const weights = matrixBytes(model, dtype);
    return { ...about, weights, cache: 0, allocated: 0, problem: unable };
  }
  const binding = bindingOf(device);
  const { all, largest } = tensorsOf(model, question, residentLayers, binding);
  const whole = tensorsOf(model, question, ofLayers, binding);
  const noF16 =
    device !== undefined && activationsOf[dtype] === "f16" && !device.features.includes("shader-f16");
  const problem = noF16
    ? "this device has no shader-f16"
    : largest.bytes > binding
      ? `${largest.name} has ${mebibytes(largest.bytes)}, and a binding of this device holds ${mebibytes(binding)}`
      : undefined;
  return { ...about, weights: whole.weights, cache: whole.cache, allocated: all, problem };
}

/** Whether a model can be run with all of its layers in memory. */
export const isWhole = ({ problem, residentLayers, ofLayers }: ModelFit): boolean =>
  problem === undefined && residentLayers === ofLayers;

/** The least memory for weights, in whole GiB or else in MiB, in which all layers of a model lie at once. */
export function memoryFor(id: string, dtype: DType): number {
  const model = knownModel(id);
  if (model === undefined) throw new RangeError(`there is no model ${id}`);
  const bytes = matrixBytes(model, dtype);
  const unit = bytes > 2 ** 30 ? 2 ** 30 : 2 ** 24;
  return Math.ceil(bytes / unit) * unit;
}

/** What would be whole where a model is not. */
export interface Instead {
  /** Bytes of memory for weights that would hold it. */
  readonly memory: number;
  /** Types in which it fits as it is. */
  readonly dtypes: readonly DType[];
  /** The largest other models that fit in its type, or else in any. */
  readonly models: readonly { readonly model: string; readonly dtype: DType }[];
}

/** How many other models are named. */
const NAMED = 2;

/** What would fit where a model does not. */
export function whatWouldFit(fit: ModelFit, device?: FitDevice): Instead {
  const fits = (id: string, dtype: DType) => isWhole(modelFit(id, { ...fit, dtype }, device));
  const size = (id: string) => {
    const model = knownModel(id);
    return model === undefined ? 0 : parameters(model);
  };
  const others = modelIds.filter((id) => id !== fit.model).sort((a, b) => size(b) - size(a));
  const inType = others.filter((id) => fits(id, fit.dtype)).map((model) => ({ model, dtype: fit.dtype }));
  const inAny = others.flatMap((model) => {
    const dtype = dtypes.find((each) => fits(model, each));
    return dtype === undefined ? [] : [{ model, dtype }];
  });
  return {
    memory: memoryFor(fit.model, fit.dtype),
    dtypes: dtypes.filter((dtype) => dtype !== fit.dtype && fits(fit.model, dtype)),
    models: (inType.length > 0 ? inType : inAny).slice(0, NAMED),
  };
}
