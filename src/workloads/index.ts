export { decode, decodeId } from "./decode";
export { type Decoder, decoderOf, layerWindow, whyNoForward } from "./decoder";
export * from "./forward";
export { type ForwardWork, forwardWork, layersWithin } from "./forward_work";
export { kvCacheBytes } from "./kv_cache";
export * from "./model";
export { prefill, prefillId } from "./prefill";
export { inverseFrequencies, ropeAngles } from "./rope_angles";
export * from "./workload";
