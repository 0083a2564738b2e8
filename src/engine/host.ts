import type { HostInfo } from "../result";
import type { Clock } from "./clock";

/** Whether somebody may be looking: browsers slow down pages that nobody sees. */
export interface Visibility {
  /** How often the page has been hidden so far. */
  readonly timesHidden: number;
  readonly hidden: boolean;
  /** Resolves when the page is visible, at once where it is. */
  whenVisible(): Promise<void>;
}

export const alwaysVisible: Visibility = {
  timesHidden: 0,
  hidden: false,
  whenVisible: () => Promise.resolve(),
};

/** Everything that differs between a browser's worker, Node and a simulation. */
export interface Host {
  readonly gpu: GPU;
  readonly info: HostInfo;
  readonly clock: Clock;
  readonly visibility: Visibility;
  /** How long any await on the GPU may take before the device is given up. */
  readonly deadlineSeconds: number;
}

/** Far above what any planned dispatch or compilation takes, and no time that a person would wait for a page. */
export const DEADLINE_SECONDS = 30;
