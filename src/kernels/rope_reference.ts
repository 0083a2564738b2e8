// What rope should write, in float64: to queries, and to a cache of floats or in q8_0.

import { BLOCK, roundoff } from "./elements";
import type { Expected, Matrix } from "./kernel";
import { type CacheFormat, LARGEST_QUANT } from "./quantised_cache";
import { cacheRows, type RopeShape, tokensOf } from "./rope_shape";

/** What an output row is: a head of a token, or a row of the cache that no token of this call has. */
export function source(shape: RopeShape, position: number, row: number) {
  const { queries, heads, kvHeads, capacity } = shape;
  const queryRows = tokensOf(shape) * heads;
  if (row < queryRows) return { token: Math.floor(row / heads), head: row % heads, kind: "q" } as const;
  const kind = (["k", "v", "scales of k", "scales of v"] as const)[
    Math.floor((row - queryRows) / cacheRows(shape))
  ];
  const cached = (row - queryRows) % cacheRows(shape);
  const query = (cached % capacity) - position;
  if (kind === undefined || query < 0 || query >= queries) return undefined;
  const lane = Math.floor(cached / capacity);
  const token = Math.floor(lane / kvHeads) * queries + query;
  const head = heads + (kind.endsWith("v") ? kvHeads : 0) + (lane % kvHeads);
  return { token, head, kind };
}

type Source = NonNullable<ReturnType<typeof source>>;

/**
 * The numbers of a head with its bias, normed where it has a norm, and turned. Errors are relative to the terms of the
 * rotation.
 */
function numbersOfHead(
  { headDim, queries }: RopeShape,
  [qkv, bias, angles, position, norms]: readonly Matrix[],
  { token, head, kind }: Source,
  nanoEpsilon: number,
): (d: number) => Expected {
  const raw = (d: number) => qkv!(token, head * headDim + d) + bias!(0, head * headDim + d);
  const size = (d: number) =>
    Math.abs(qkv!(token, head * headDim + d)) + Math.abs(bias!(0, head * headDim + d));
  if (kind.endsWith("v")) return (d) => ({ value: raw(d), magnitude: size(d) });

  let squares = 0;
  for (let d = 0; d < headDim; d++) squares += raw(d) ** 2;
  const scale = 1 / Math.sqrt(squares / headDim + nanoEpsilon * 1e-9);
  const factor = (d: number) => (norms === undefined ? 1 : scale * norms(kind === "q" ? 0 : 1, d));

  const half = headDim / 2;
  const at = position!(0, 0) + (token % queries);
  return (d) => {
    const other = (d + half) % headDim;
    const cosine = angles!(at, d % half);
    const sine = angles!(at, half + (d % half)) * (d < half ? -1 : 1);
    return {
      value: raw(d) * factor(d) * cosine + raw(other) * factor(other) * sine,
      magnitude: size(d) * Math.abs(factor(d) * cosine) + size(other) * Math.abs(factor(other) * sine),
    };
  };
}

/** The largest of a block, as its scale. */
function largestOf(at: (d: number) => Expected, block: number): Expected {
  const all = Array.from({ length: BLOCK }, (_, i) => at(block * BLOCK + i));
  const value = Math.max(...all.map((each) => Math.abs(each.value)));
  return { value, magnitude: Math.max(...all.map(({ magnitude }) => magnitude)) };
}

/** What the tolerance lets pass, and so much beside it. */
const allowing = ({ value, magnitude }: Expected, error: number, tolerated: number): Expected => ({
  value,
  magnitude: magnitude + error / tolerated,
});

/** A number of a cache in q8_0, in steps of its block: it may be half a step off, besides what its terms are off. */
function quantOf(at: (d: number) => Expected, d: number, tolerated: number): Expected {
  const [own, top] = [at(d), largestOf(at, Math.floor(d / BLOCK))];
  const steps = top.value === 0 ? 0 : LARGEST_QUANT / top.value;
  const exact = { value: own.value * steps, magnitude: (own.magnitude + top.magnitude) * steps };
  return allowing(exact, 0.5, tolerated);
}

/** The given columns of an output row; `tolerated` is the kernel's tolerance. */
export function reference(
  cache: CacheFormat,
  shape: RopeShape,
  inputs: readonly Matrix[],
  row: number,
  columns: readonly number[],
  tolerated: number,
  nanoEpsilon = 0,
): Expected[] {
  const found = source(shape, inputs[3]!(0, 0), row);
  if (found === undefined) throw new Error("nothing is written to this row");
  const at = numbersOfHead(shape, inputs, found, nanoEpsilon);
  return columns.map((column) => {
    if (cache === "floats" || found.kind === "q") return at(column);
    if (found.kind === "k" || found.kind === "v") return quantOf(at, column, tolerated);
    const scale = largestOf(at, column);
    // Halves may be rounded to either side by pack2x16float.
    return allowing(scale, roundoff.f16 * scale.value, tolerated);
  });
}
