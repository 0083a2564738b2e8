// Links: what repeats is kept once, and objects travel as arrays of their values.

import type { Outcome } from "../result";

/** An object by its field names. */
export type Fields = Readonly<Record<string, unknown>>;

export type Call = Outcome["call"];

export const isArray = (value: unknown): value is unknown[] => Array.isArray(value);

/** A number with so many significant digits. */
export const digits = (value: number, count: number): number => Number(value.toPrecision(count));

/** The values of these fields, in this order. */
export const values = (object: Fields, names: readonly string[]): unknown[] =>
  names.map((name) => object[name]);

/** The reverse of `values`. A value that is not there leaves its field out. */
export function named(packed: unknown, names: readonly string[]): Fields {
  if (!isArray(packed)) return {};
  return Object.fromEntries(
    names.flatMap((name, i) => (packed[i] === undefined || packed[i] === null ? [] : [[name, packed[i]]])),
  );
}

/** Keeps each value once and gives its place. */
function interner() {
  const table: unknown[] = [];
  const places = new Map<string, number>();
  return {
    table,
    place(value: unknown): number {
      const key = JSON.stringify(value);
      const known = places.get(key);
      if (known !== undefined) return known;
      places.set(key, table.length);
      return table.push(value) - 1;
    },
  };
}

/** Calls by place: a kernel's field names once, then the numbers of each call. */
export function packCalls() {
  const kernels = interner();
  const calls = interner();
  return {
    tables: () => [kernels.table, calls.table.flat()],
    place: ({ kernel, shape }: Call) =>
      calls.place([kernels.place([kernel, ...Object.keys(shape)]), ...Object.values(shape)]),
  };
}

/** Calls one after another as rows: the kernel that a call begins with says how many numbers follow. */
function rowsOf(kernels: readonly unknown[], flat: readonly unknown[]): unknown[][] {
  const rows: unknown[][] = [];
  for (let at = 0; at < flat.length; ) {
    const signature = kernels[Number(flat[at])];
    const end = at + (isArray(signature) ? Math.max(1, signature.length) : 1);
    rows.push(flat.slice(at, end));
    at = end;
  }
  return rows;
}

/** The reverse of `packCalls`: what may be calls, by place. Schema 1 had a row for each. */
export function unpackCalls(kernels: readonly unknown[], calls: readonly unknown[]): unknown[] {
  const rows = calls.some(isArray) ? calls : rowsOf(kernels, calls);
  return rows.map((call) => {
    const [place, ...sizes] = isArray(call) ? call : [];
    const signature = kernels[Number(place)];
    // A long signature for many short calls would take for ever to go through.
    if (!isArray(signature) || signature.length !== sizes.length + 1) return undefined;
    const [kernel, ...names] = signature;
    return { kernel, shape: named(sizes, names.map(String)) };
  });
}

/** Rows of equal length as columns, or columns as rows: numbers of one kind compress better side by side. */
export const transposed = (lines: readonly (readonly unknown[])[]): unknown[][] =>
  (lines[0] ?? []).map((_, i) => lines.map((line) => line[i]));
