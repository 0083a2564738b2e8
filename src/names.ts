// Names that people type: what to say of one that is not known.

import { distance } from "fastest-levenshtein";

/** Part of what somebody typed, fit for a message of one line. */
export const shown = (given: string): string =>
  (given.length > 40 ? `${given.slice(0, 40)}…` : given).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "\ufffd");

/** "unknown model "lama": did you mean llama-3.2-1b, llama-3.2-3b?" */
export function unknownName(what: string, given: string, valid: readonly string[]): string {
  const nearest = [...valid]
    .map((name) => ({ name, edits: distance(given.toLowerCase(), name) - (name.includes(given) ? 8 : 0) }))
    .sort((a, b) => a.edits - b.edits)
    .slice(0, 3);
  return `unknown ${what} "${shown(given)}": did you mean ${nearest.map(({ name }) => name).join(", ")}?`;
}
