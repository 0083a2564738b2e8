// The text that the page writes with somebody's own weights: one at a time, shown as it comes.

import type { TextOrder, TextOutcome } from "../text_result";
import type { TextState } from "./state";
import { startText, type TextRun } from "./text_client";
import type { NamedFile } from "./worker";

export interface Writer {
  /** Changes what is asked for, or chosen. */
  set(changes: Partial<TextState>): void;
  /** Writes a text, and shows it as it comes. One that is being written is ended first. Never rejects. */
  write(order: TextOrder, files: readonly NamedFile[]): Promise<TextOutcome>;
  /** Writes what the page asks for, where it asks for anything and nothing is being written. */
  writeChosen(): void;
  cancel(): void;
}

/**
 * Keeps the text of a page whose state has it at `now`. `onBegin` is called before a text is begun: what else uses the
 * GPU has to end.
 */
export function keepWriting(
  now: () => TextState,
  update: (text: TextState) => void,
  onBegin: () => void,
): Writer {
  let writing: TextRun | undefined;
  const set = (changes: Partial<TextState>) => update({ ...now(), ...changes });

  async function write(order: TextOrder, files: readonly NamedFile[]): Promise<TextOutcome> {
    onBegin();
    writing?.cancel();
    set({
      outcome: undefined,
      progress: { stage: "reading the files", dtype: null, done: 0, total: 1, text: "" },
    });
    const ifWriting = (then: () => void) => {
      if (writing === text) then();
    };
    const text = startText(order, files, (progress) =>
      ifWriting(() => {
        window.tokenroof.textProgress = progress;
        set({ progress });
      }),
    );
    writing = text;
    const outcome = await text.outcome;
    ifWriting(() => {
      writing = undefined;
      window.tokenroof.textProgress = undefined;
      set({ progress: undefined, outcome });
    });
    return outcome;
  }

  return {
    set,
    write,
    writeChosen() {
      const { files, prompt, dtype, most, memory } = now();
      if (writing !== undefined || files.length === 0) return;
      const order: TextOrder = {
        name: files[0]?.folder ?? null,
        prompt,
        dtypes: dtype === "" ? [] : [dtype],
        most: most.trim() === "" ? null : Number(most),
        memory: memory * 2 ** 30,
        measure: null,
      };
      void write(order, files);
    },
    cancel: () => writing?.cancel(),
  };
}
