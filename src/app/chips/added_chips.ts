// Chips of the user's own: read with place and reason, kept in this browser where it keeps anything.

import type { Chip } from "../../chips/chip";
import { parseChip } from "../../chips/user_chip";

const KEY = "tokenroof:chips";
/** More would only be a mistake: a chip has a dozen figures. */
const MOST_CHARACTERS = 64 * 1024;
export const MOST_CHIPS = 8;

export type ReadChip =
  | { readonly ok: true; readonly chip: Chip }
  | { readonly ok: false; readonly problem: string };

/** A chip from the text of its file. `taken` are ids of other chips. Never throws. */
export function readChip(text: string, taken: readonly string[]): ReadChip {
  if (text.length > MOST_CHARACTERS) return { ok: false, problem: "larger than 64 KiB: not a chip" };
  const json = parsed(text);
  if (json === undefined)
    return { ok: false, problem: "not JSON: give one object, as the files of the reference chips" };
  const outcome = parseChip(json.value);
  if (outcome.ok && taken.includes(outcome.chip.id))
    return { ok: false, problem: `id: ${outcome.chip.id} is a reference chip; give it another` };
  return outcome;
}

function parsed(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

/** What this browser has kept, as far as it still is what it should be. Never throws. */
export function keptChips(taken: readonly string[]): Chip[] {
  try {
    const list: unknown = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    if (!Array.isArray(list)) return [];
    const chips = list.slice(0, MOST_CHIPS).flatMap((each: unknown) => {
      const outcome = parseChip(each);
      return outcome.ok && !taken.includes(outcome.chip.id) ? [outcome.chip] : [];
    });
    return [...new Map(chips.map((chip) => [chip.id, chip])).values()];
  } catch {
    return [];
  }
}

/** Keeps chips for the next visit; false where this browser does not. */
export function keepChips(chips: readonly Chip[]): boolean {
  try {
    if (chips.length === 0) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, JSON.stringify(chips));
    return true;
  } catch {
    return false;
  }
}
