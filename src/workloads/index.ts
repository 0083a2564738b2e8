export { decode, decodeId } from "./decode";
export { type Decoder, decoderOf, layerWindow, whyNoCache, whyNoForward } from "./decoder";
export { forward } from "./forward";
export {
  allFused,
  type Bound,
  type Dispatch,
  type ForwardOptions,
  type ForwardPass,
  type Fusions,
  LONGEST_CHUNK,
  mergedTensors,
  noneFused,
  type Sampling,
  type Tensor,
  type TensorRole,
} from "./forward_pass";
export { type ForwardWork, forwardWork, layersWithin, matrixBytes, whyTooLarge } from "./forward_work";
export { kvCacheBytes } from "./kv_cache";
export { expertPieces, LARGEST_PIECE, rowPieces, vocabularyPieces } from "./matrix_pieces";
export * from "./model";
export { prefill, prefillId } from "./prefill";
export { inverseFrequencies, localFrequencies, ropeAngles, ropeLength } from "./rope_angles";
export { training } from "./training";
export { gradientOf, trainedTensors } from "./training_build";
export * from "./training_pass";
export { trainingWork } from "./training_work";
export * from "./workload";
