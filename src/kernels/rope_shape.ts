// What rope works on: tokens of some heads, and a cache with a row for each key and each value.

export type RopeShape = {
  readonly batch: number;
  /** Tokens of each sequence. */
  readonly queries: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** Tokens that the cache of a sequence has room for. */
  readonly capacity: number;
};

export type NormRopeShape = RopeShape & {
  /** Of the norm of each head, in billionths. */
  readonly nanoEpsilon: number;
};

/** Queries, keys and values. */
export const headsOf = ({ heads, kvHeads }: RopeShape) => heads + 2 * kvHeads;
export const tokensOf = ({ batch, queries }: RopeShape) => batch * queries;
/** Rows that the cache has for keys, and as many again for values. */
export const cacheRows = ({ batch, kvHeads, capacity }: RopeShape) => batch * kvHeads * capacity;
