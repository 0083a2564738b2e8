// The tunings that this page knows: stored by earlier runs, found by this load's runs, imported from a file.

import type { Result } from "../result";
import { type KnownTuning, merge, type Place, parseTunings, sorted, tuningsOf } from "../tuning_records";
import { hostInfo } from "./engine_client";
import type { State } from "./state";
import { storedTunings, storeTunings } from "./tuning_store";

export interface KnownTunings {
  readonly all: readonly KnownTuning[];
  /** Whether they outlive this load of the page. */
  readonly stored: boolean;
  /** What came of the last import, for a person. */
  readonly said: string;
}

export const noTunings: KnownTunings = { all: [], stored: true, said: "" };

/** Where a run of this page would take place; undefined as long as its device is not known. */
export const placeOf = ({ environment, plan }: Pick<State, "environment" | "plan">): Place | undefined =>
  environment.kind === "ready"
    ? { tool: { version: __VERSION__ }, device: environment.device, host: hostInfo(), plan }
    : undefined;

const MAX_FILE = 64 * 1024 * 1024;

const count = (records: number) => `${records} ${records === 1 ? "kernel" : "kernels"}`;

/** What a file of tunings brings to this place. */
function importedText(name: string, records: readonly KnownTuning[], place: Place | undefined): string {
  if (place === undefined) return `Imported ${count(records.length)} from ${name}.`;
  const { usable, ignored } = sorted(records, place);
  const rest = ignored.length === 0 ? "" : ` Not used here: ${ignored.join("; ")}.`;
  return `Imported ${count(records.length)} from ${name}, ${usable.length} of them for this version, device and browser.${rest}`;
}

export interface TuningKeeper {
  readonly now: KnownTunings;
  /** Resolves when what was stored is known; never rejects. */
  readonly loaded: Promise<void>;
  /** Keeps what a run has found. */
  keep(result: Result): void;
  /** Reads a file of tunings or a result, and says what came of it. Never rejects. */
  importFrom(file: File, place: Place | undefined): Promise<void>;
}

/** Reads what is stored, and keeps it up to date; `onChange` is told of everything. */
export function keepTunings(onChange: (tunings: KnownTunings) => void): TuningKeeper {
  let now = noTunings;
  const change = (changes: Partial<KnownTunings>) => {
    now = { ...now, ...changes };
    onChange(now);
  };
  const add = (records: readonly KnownTuning[]) => {
    if (records.length === 0) return;
    change({ all: merge(now.all, records) });
    void storeTunings(records).then((stored) => change({ stored }));
  };
  const loaded = storedTunings().then((records) =>
    change(records === undefined ? { stored: false } : { all: merge(records, now.all) }),
  );
  return {
    get now() {
      return now;
    },
    loaded,
    keep: (result) => add(tuningsOf(result)),
    async importFrom(file, place) {
      try {
        if (file.size > MAX_FILE) throw new Error("larger than 64 MiB");
        const parsed = parseTunings(JSON.parse(await file.text()));
        if (!parsed.ok) throw new Error(parsed.problem);
        add(parsed.records);
        change({ said: importedText(file.name, parsed.records, place) });
      } catch (error) {
        const reason =
          error instanceof SyntaxError ? "not JSON" : error instanceof Error ? error.message : error;
        change({ said: `Nothing imported. ${file.name}: ${reason}` });
      }
    },
  };
}
