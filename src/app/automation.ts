// What scripts find on the page: window.tokenroof.

import type { Progress } from "../engine/run";
import type { Plan } from "../plan";
import type { Result } from "../result";
import type { TextOrder, TextOutcome, TextProgress } from "../text_result";
import type { Tunings } from "../tuning_records";
import type { InspectOutcome, RunOutcome, SelfTestOutcome } from "./worker";

/** How a script's run differs from a person's. */
export interface AutomationOptions {
  /** Exported tunings, or a Result that holds them, instead of what this page knows. Without records all is tuned afresh. */
  readonly tunings?: Tunings | Result;
}

export interface Automation {
  /** Runs a plan, given as words ("preset=quick pp=128") or as an object. Rejects with one line where it cannot. */
  run(plan: string | Plan, options?: AutomationOptions): Promise<Result>;
  /** Like `run`, but says in its value what went wrong. */
  runOutcome(plan: string | Plan, options?: AutomationOptions): Promise<RunOutcome>;
  /** Ends the run; what was finished becomes a partial result. */
  cancel(reason?: string): void;
  /** What the adapter says of itself. */
  inspect(): Promise<InspectOutcome>;
  /** Tests the instruments on work whose answer is known. */
  selfTest(): Promise<SelfTestOutcome>;
  /** Writes a text with these files, or with those that were chosen on the page. */
  writeText(order: TextOrder, files?: readonly File[]): Promise<TextOutcome>;
  /** How far a text is; undefined when none is being written. */
  textProgress: TextProgress | undefined;
  /** The last result that is shown. */
  result: Result | undefined;
  /**
   * Seconds without a sign of life from the worker after which a run gives it up and goes on with another; 15 unless
   * set. Read when a run starts; below 3 a busy worker may be taken for a dead one.
   */
  patienceSeconds: number;
  /** The run's state; undefined when none is going on. */
  progress: Omit<Progress, "result"> | undefined;
}
