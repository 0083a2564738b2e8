// A chip that somebody describes in a file of their own: the same schema as the files here, and refused with the
// place and the reason.

import * as v from "valibot";
import { type Chip, chipSchema } from "./chip";

export type ParsedChip =
  | { readonly ok: true; readonly chip: Chip }
  | { readonly ok: false; readonly problem: string };

/**
 * A chip from JSON. Everything is in base units and dense, which the schema cannot tell of a number: a peak whose quote
 * speaks of sparsity is refused unless it was derived from it, and so are peaks and bandwidths of other magnitudes
 * than chips have, which are usually in TFLOP/s or GB/s.
 */
export function parseChip(input: unknown): ParsedChip {
  const outcome = v.safeParse(chipSchema, input);
  if (!outcome.success) {
    const [issue] = outcome.issues;
    const path = v.getDotPath(issue);
    return { ok: false, problem: `${path === null ? "" : `${path}: `}${issue.message}` };
  }
  const chip = outcome.output;
  for (const [format, figure] of Object.entries(chip.peakFlops)) {
    if (/spars/i.test(figure.quote) && figure.kind !== "derived")
      return {
        ok: false,
        problem: `peakFlops.${format}: its quote speaks of sparsity; give the dense figure, kind "derived"`,
      };
    if (figure.value < 1e9)
      return {
        ok: false,
        problem: `peakFlops.${format}.value: ${figure.value} FLOP/s; write base units, 989e12`,
      };
  }
  const { bandwidth, capacity } = chip.memory;
  if (bandwidth !== undefined && bandwidth.value < 1e8)
    return {
      ok: false,
      problem: `memory.bandwidth.value: ${bandwidth.value} B/s; write base units, 3.35e12`,
    };
  if (capacity !== undefined && capacity.value < 1e6)
    return { ok: false, problem: `memory.capacity.value: ${capacity.value} B; write base units, 80e9` };
  return { ok: true, chip };
}
