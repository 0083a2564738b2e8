// Everything the page shows is a function of this.

import type { Progress } from "../engine/run";
import type { SelfTest } from "../engine/self_test";
import type { DType } from "../kernels/elements";
import type { Plan } from "../plan";
import type { Report } from "../report/report_types";
import type { DeviceInfo, Result } from "../result";
import { defaultPrompt, type TextOutcome, type TextProgress } from "../text_result";
import type { Advice } from "./advice";
import type { Interrupted } from "./crash_marker";
import type { KnownTunings } from "./known_tunings";
import type { NamedFile } from "./worker";

/** Whether this browser can measure. */
export type Environment =
  | { readonly kind: "looking" }
  | { readonly kind: "ready"; readonly device: DeviceInfo; readonly advice?: Advice }
  | { readonly kind: "unable"; readonly advice: Advice; readonly detail?: string }
  /** A shared result is shown: no GPU is asked for. */
  | { readonly kind: "not asked" };

export interface Shown {
  readonly result: Result;
  readonly report: Report;
  /** Came by a link: somebody else's word. */
  readonly shared: boolean;
}

/** What a run has met with so far. */
export interface Mishaps {
  /** Whether the page is hidden right now. */
  readonly hidden: boolean;
  readonly timesHidden: number;
  /** Workers that died and were replaced. */
  readonly restarts: number;
  /** Whether the run could be resumed if the page went. */
  readonly kept: boolean;
}

export const noMishaps: Mishaps = { hidden: false, timesHidden: 0, restarts: 0, kept: true };

/** The self-test of the instruments. */
export type SelfTestState =
  | { readonly kind: "none" }
  | { readonly kind: "running"; readonly label: string }
  | { readonly kind: "done"; readonly test: SelfTest }
  | { readonly kind: "failed"; readonly problem: string };

/** A text with the user's own weights. */
export interface TextState {
  readonly files: readonly NamedFile[];
  readonly prompt: string;
  /** A type, or empty for what is closest to the files. */
  readonly dtype: DType | "";
  /** Tokens to write at most, as typed; empty for as many as are usual. */
  readonly most: string;
  /** GiB of GPU memory for weights. */
  readonly memory: number;
  readonly progress: TextProgress | undefined;
  readonly outcome: TextOutcome | undefined;
}

export const noText: TextState = {
  files: [],
  prompt: defaultPrompt,
  dtype: "",
  most: "",
  memory: 1,
  progress: undefined,
  outcome: undefined,
};

export interface State {
  readonly plan: Plan;
  /** One line about what is wrong with the address, a setting or a link. */
  readonly problem: string | undefined;
  /** Whether `plan` is what was asked for; while it is not, nothing runs. */
  readonly planned: boolean;
  readonly environment: Environment;
  readonly progress: Omit<Progress, "result"> | undefined;
  /** Of the run under way. */
  readonly mishaps: Mishaps;
  /** A run that was cut short, until something else is done. */
  readonly interrupted: Interrupted | undefined;
  readonly selfTest: SelfTestState;
  readonly text: TextState;
  readonly tunings: KnownTunings;
  readonly shown: Shown | undefined;
  /** The link of the shown result once it was asked for, and whether it is in the clipboard. */
  readonly link: { readonly url: string; readonly copied: boolean } | undefined;
}

/** What the views can ask for. */
export interface Actions {
  run(): void;
  cancel(): void;
  testInstruments(): void;
  setText(changes: Partial<Pick<TextState, "files" | "prompt" | "dtype" | "most" | "memory">>): void;
  /** Writes a text with the chosen files. */
  write(): void;
  cancelText(): void;
  /** Goes on with the run that was cut short. */
  resume(): void;
  /** Shows what that run has measured. */
  showInterrupted(): void;
  /** Forgets that run. */
  discard(): void;
  set(changes: Readonly<Record<string, string>>): void;
  copyLink(): void;
  /** Goes to the page of the chips with the shown result among them. */
  showAmongChips(): void;
  save(): void;
  /** Runs the plan without what is known of this device's kernels. */
  tuneAfresh(): void;
  exportTunings(): void;
  importTunings(file: File): void;
}
