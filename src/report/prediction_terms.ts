// What predictions call the parts of a time.

import type { Term, Terms } from "../analysis/prediction/pass_time";
import { percent } from "../units";

export const termNames: Readonly<Record<Term, string>> = {
  weightsRead: "weights read",
  cacheRead: "KV cache read",
  arithmetic: "arithmetic beyond reading",
  attention: "attention",
  unpacking: "weights unpacked",
  activations: "between matrix products",
  overhead: "launches and small kernels",
  communication: "communication",
};

export const termKeys = Object.keys(termNames) as Term[];

/** "weights read 61 %, launches and small kernels 30 %, …": the largest first, those under 1 % left out. */
export const termShares = (terms: Terms, seconds: number): string =>
  termKeys
    .filter((term) => terms[term] >= seconds / 100)
    .sort((a, b) => terms[b] - terms[a])
    .map((term) => `${termNames[term]} ${percent(terms[term] / seconds)}`)
    .join(", ");
