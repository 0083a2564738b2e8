// Everything the page of the chips shows is a function of this.

import type { Chip } from "../../chips/chip";
import type { RaceEntry } from "../../report/race/entry";
import type { Question, SortKey } from "../../report/race/question";
import type { RaceView, ViewName } from "../../report/race/views";

export interface ChipsState {
  readonly question: Question;
  /** One line about what is wrong with the address, a setting or a link. */
  readonly problem: string | undefined;
  /** The measured device and added chips first. */
  readonly entries: readonly RaceEntry[];
  /** What the entries answer. */
  readonly views: readonly RaceView[];
  readonly added: AddedChips;
  /** The device of a shared result. */
  readonly measured: RaceEntry | undefined;
}

/** Chips that the user has added. */
export interface AddedChips {
  readonly chips: readonly Chip[];
  /** What the form holds. */
  readonly draft: string;
  /** What came of the last chip. */
  readonly said: string;
  /** Why the last one was refused. */
  readonly problem: string | undefined;
  /** Whether this browser keeps them when the page is closed. */
  readonly kept: boolean;
}

/** What the views can ask for. */
export interface ChipsActions {
  /** Changes words of the question; an empty word goes back to its default. */
  set(changes: Readonly<Record<string, string>>): void;
  sort(by: SortKey): void;
  pick(id: string, picked: boolean): void;
  save(view: ViewName, format: "csv" | "json"): void;
  draft(text: string): void;
  /** Adds the chip that a text describes. */
  add(text: string): void;
  addFile(file: File): void;
  remove(id: string): void;
}
