export { decode } from "./decode";
export * from "./model";
export { prefill } from "./prefill";
export * from "./workload";
