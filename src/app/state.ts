// Everything the page shows is a function of this.

import type { Progress } from "../engine/run";
import type { Plan } from "../plan";
import type { Report } from "../report/report_types";
import type { DeviceInfo, Result } from "../result";
import type { Advice } from "./advice";

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

export interface State {
  readonly plan: Plan;
  /** One line about what is wrong with the address, a setting or a link. */
  readonly problem: string | undefined;
  /** Whether `plan` is what was asked for; while it is not, nothing runs. */
  readonly planned: boolean;
  readonly environment: Environment;
  readonly progress: Omit<Progress, "result"> | undefined;
  readonly shown: Shown | undefined;
  /** The link of the shown result once it was asked for, and whether it is in the clipboard. */
  readonly link: { readonly url: string; readonly copied: boolean } | undefined;
}

/** What the views can ask for. */
export interface Actions {
  run(): void;
  cancel(): void;
  set(changes: Readonly<Record<string, string>>): void;
  copyLink(): void;
  save(): void;
}
