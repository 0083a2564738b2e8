import type { Call } from "../kernels";

/** One kernel call, made `count` times per pass. Plain data. */
export interface Step {
  readonly label: string;
  readonly call: Call;
  readonly count: number;
}

/** A pass through a model, as the GPU sees it. Plain data: crosses the worker boundary, goes into the Result. */
export interface Workload {
  /** llama-bench's name for it: "pp512", "tg128 @ d4096 b8"; for single calls the kernel and its shape. */
  readonly id: string;
  /** A model's id; absent where single kernel calls were asked for. */
  readonly model?: string;
  readonly phase: "prefill" | "decode" | "kernel";
  /** Tokens read or written, over all sequences: what tokens per second counts. */
  readonly tokens: number;
  /** Sequences that the pass works on at once. */
  readonly batch: number;
  /** Layers of the model; 0 for single calls. */
  readonly layers: number;
  readonly steps: readonly Step[];
}

/** A call as people write it, "matmul 512x512x512": equal for equal calls. */
export const callName = ({ kernel, shape }: Call): string => `${kernel} ${Object.values(shape).join("x")}`;

/** Dispatches of a layer that are no matrix product and no attention: two norms with their residuals, rotation, cache, gate. */
export const SMALL_DISPATCHES = 5;

/** Dispatches of a pass through a model, all kernels counted. */
export const dispatchesOf = ({ steps, layers }: Workload): number =>
  SMALL_DISPATCHES * layers + steps.reduce((sum, { count }) => sum + count, 0);
