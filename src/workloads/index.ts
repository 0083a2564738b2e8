export { decode, decodeId } from "./decode";
export { type Decoder, decoderOf, layerWindow, whyNoCache, whyNoForward } from "./decoder";
export { forward, vocabularyPieces } from "./forward";
export {
  allFused,
  type Bound,
  type Dispatch,
  type ForwardOptions,
  type ForwardPass,
  type Fusions,
  mergedTensors,
  noneFused,
  type Sampling,
  type Tensor,
  type TensorRole,
} from "./forward_pass";
export { type ForwardWork, forwardWork, layersWithin } from "./forward_work";
export { kvCacheBytes } from "./kv_cache";
export * from "./model";
export { prefill, prefillId } from "./prefill";
export { inverseFrequencies, localFrequencies, ropeAngles } from "./rope_angles";
export { gradientOf, trainedTensors, training } from "./training";
export * from "./training_pass";
export { trainingWork } from "./training_work";
export * from "./workload";
