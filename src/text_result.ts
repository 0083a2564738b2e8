// A text that a model from files has written: what was asked for, how far it is, and what came of it. Plain data.

import type { DType } from "./kernels/elements";
import type { Plan } from "./plan";
import type { DeviceInfo, HostInfo, Result } from "./result";

/** What to write. */
export interface TextOrder {
  /** What to call a model whose files have no name for it; null where nobody knows. */
  readonly name: string | null;
  /** Where the files have no tokenizer, the numbers of its tokens, with spaces between them. */
  readonly prompt: string;
  /** How weights are stored, one text for each; empty for what is closest to the files. */
  readonly dtypes: readonly DType[];
  /** Tokens to write at most; null for as many as are usual and the model's context holds. */
  readonly most: number | null;
  /** Bytes of GPU memory for weights. */
  readonly memory: number;
  /** Prompts, answers, depths and batches that the model is measured with as well; null for none. */
  readonly measure: Pick<
    Plan,
    "preset" | "pp" | "tg" | "depth" | "batch" | "kv" | "fused" | "sustain"
  > | null;
}

export const defaultPrompt = "Once upon a time";

/** Tokens that are written where nobody says how many. */
export const USUAL_TOKENS = 128;

/** No prompt is longer than this in letters: it is typed, or a file's. */
export const MOST_PROMPT = 2 ** 20;

export interface TextProgress {
  readonly stage: "reading the files" | "loading the weights" | "compiling" | "writing" | "measuring";
  readonly dtype: DType | null;
  /** Of the weights, where they are being loaded; of the tokens, where they are being written. */
  readonly done: number;
  readonly total: number;
  /** What is written so far, or what is being measured. */
  readonly text: string;
}

export interface WrittenText {
  readonly dtype: DType;
  readonly promptTokens: readonly number[];
  readonly tokens: readonly number[];
  /** What the tokens say; null without a tokenizer. */
  readonly text: string | null;
  /** Whether the model ended it; otherwise there was no room for more. */
  readonly ended: boolean;
  /** From the files to a model that is ready to run. */
  readonly secondsToLoad: number;
  /** From the submit of the prompt to its first token on the CPU, the second time that it was read. */
  readonly secondsToFirstToken: number;
  /** Of each further token, from submit to CPU. */
  readonly secondsPerToken: readonly number[];
  /** Bytes on the GPU, exactly as allocated: all, and those of matrices. */
  readonly bytes: number;
  readonly matrixBytes: number;
}

export interface TextResult {
  readonly tool: { readonly version: string; readonly commit: string };
  readonly createdAt: string;
  readonly host: HostInfo;
  readonly device: DeviceInfo;
  /** What the files say the model is. */
  readonly model: {
    readonly name: string;
    readonly architecture: string;
    /** The type in which most bytes of the files' weights are. */
    readonly storedAs: string;
    readonly layers: number;
    readonly hidden: number;
    readonly vocabulary: number;
    readonly context: number;
  };
  readonly prompt: string;
  /** What there is to know about the files, in a sentence each. */
  readonly remarks: readonly string[];
  readonly texts: readonly WrittenText[];
  /** The same model run whole with the plan's prompts and answers, where that was asked for. */
  readonly measured: Result | null;
}

/** What came of an order. `input` is what is wrong with the files or the order; `run` is what failed on the device, `none` that there is none. */
export type TextOutcome =
  | { readonly ok: true; readonly result: TextResult }
  | { readonly ok: false; readonly fault: "input" | "run" | "none"; readonly problem: string };
