// What can take part: a runtime, the ways in which it can do a task, and one of them made ready to run.

import type { TaskData } from "./data";
import type { Task } from "./tasks";

/** What a way computes with: it decides how far its answer may be off. */
export type Arithmetic = "f32" | "f16 products" | "int8 activations";

/** One way of doing a task, ready to run. */
export interface Contender {
  /** Executions come in multiples of this. */
  readonly unit: number;
  /** Enqueues so many executions and resolves when the GPU has done all of them. */
  run(times: number): Promise<void>;
  /** Executes once more and reads the answer: row after row, as the task's output has it. */
  read(): Promise<Float32Array>;
  destroy(): void;
}

/** A way in which a runtime can do a task: an operator, a layout of the weights. */
export interface Way {
  readonly variant: string;
  readonly arithmetic: Arithmetic;
  prepare(): Promise<Contender>;
}

/** Resolves when the GPU has done everything that was submitted: the same wait for everybody. */
export type Done = () => Promise<unknown>;

/** The ways in which a runtime can do a task; none where it has no operator for it. */
export type Ways = (task: Task, data: TaskData) => readonly Way[];

export interface Runtime {
  readonly name: string;
  readonly version: string;
  readonly ways: Ways;
}
