export { decode } from "./decode";
export { kvCacheBytes } from "./kv_cache";
export * from "./model";
export { prefill } from "./prefill";
export * from "./workload";
