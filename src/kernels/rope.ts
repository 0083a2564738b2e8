// What lies between the projection to queries, keys and values and attention.

import wgsl from "../../shaders/rope.wgsl?raw";
import { MAX_HEAD_DIM } from "./attention";
import { activationsOf, cacheOf, type DType, roundoff } from "./elements";
import {
  type AnyTuning,
  type Expected,
  type Kernel,
  type Matrix,
  type Operand,
  pick,
  preludeFor,
  trafficOf,
  type Variant,
} from "./kernel";

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

type RopeTuning = { readonly THREADS: number };

/** Queries, keys and values. */
const headsOf = ({ heads, kvHeads }: RopeShape) => heads + 2 * kvHeads;
const tokensOf = ({ batch, queries }: RopeShape) => batch * queries;

/** Heads that a workgroup takes. */
const headsPerGroup = ({ THREADS }: RopeTuning, { headDim }: RopeShape) =>
  Math.max(1, Math.floor(THREADS / (headDim / 4)));

const BINDS = ["qkv", "bias", "angles", "position", "q", "k", "v"] as const;

const threads = <S extends RopeShape>(
  nanoEpsilon?: (shape: S) => number,
): Variant<S, RopeTuning & AnyTuning> => ({
  shaders: { rope: wgsl },
  space: { THREADS: [16, 32, 64, 128, 256] },
  starts: [{ THREADS: 64 }, { THREADS: 256 }],
  describe: ({ THREADS }) => `${THREADS} threads`,
  demand(tuning, shape) {
    const size = (headsPerGroup(tuning, shape) * shape.headDim) / 4;
    return { threads: size, workgroupStorage: 4 * size };
  },
  stages(tuning, shape, dtype) {
    const packed = cacheOf[dtype] === "f16";
    const HEADS = headsPerGroup(tuning, shape);
    const prelude = preludeFor(activationsOf[dtype], {
      HEADS,
      UNITS: shape.headDim / 4,
      PLAIN: Number(!packed),
      PACKED: Number(packed),
      NORM: Number(nanoEpsilon !== undefined),
      NANO_EPSILON: nanoEpsilon?.(shape) ?? 0,
    });
    return [
      {
        shader: "rope",
        prelude: { ...prelude, alias: { ...prelude.alias, kv: packed ? "u32" : "vec2f" } },
        workgroups: Math.ceil((tokensOf(shape) * headsOf(shape)) / HEADS),
        binds: nanoEpsilon === undefined ? BINDS : [...BINDS, "norms"],
      },
    ];
  },
  spot(shape, tuning, workgroup, choice) {
    const HEADS = headsPerGroup(tuning, shape);
    const all = headsOf(shape);
    const number = pick(workgroup * HEADS, HEADS, tokensOf(shape) * all, choice >>> 16);
    if (number === undefined) return undefined;
    const { batch, queries, heads, kvHeads, headDim, capacity } = shape;
    const [token, head, column] = [Math.floor(number / all), number % all, (choice & 0xffff) % headDim];
    if (head < heads) return [token * heads + head, column];
    const cached = head - heads;
    const sequence = Math.floor(token / queries);
    // Where checks put the queries: at the end.
    const position = capacity - queries + (token % queries);
    const row = (sequence * kvHeads + (cached % kvHeads)) * capacity + position;
    const before = tokensOf(shape) * heads + (cached < kvHeads ? 0 : batch * kvHeads * capacity);
    return [before + row, column];
  },
});

function operands(shape: RopeShape, dtype: DType, norms: readonly Operand[] = []): Operand[] {
  const { batch, queries, heads, kvHeads, headDim, capacity } = shape;
  const element = activationsOf[dtype];
  const row = headsOf(shape) * headDim;
  const cache = { rows: batch * kvHeads * capacity, columns: headDim, role: "output" } as const;
  const last = capacity - queries;
  return [
    { name: "qkv", rows: tokensOf(shape), columns: row, role: "activations", element },
    { name: "bias", rows: 1, columns: row, role: "activations", element },
    { name: "angles", rows: capacity, columns: headDim, role: "activations", element: "f32" },
    {
      name: "position",
      rows: 1,
      columns: 1,
      role: "activations",
      element: "u32",
      // Checks put the queries at the end: what lies before them has to be left alone.
      range: [last, last + 1],
    },
    ...norms,
    { name: "q", rows: tokensOf(shape) * heads, columns: headDim, role: "output", element },
    { ...cache, name: "k", element: cacheOf[dtype] },
    { ...cache, name: "v", element: cacheOf[dtype] },
  ];
}

/** What an output row is: a head of a token, or a row of the cache that no token of this call has. */
function source(shape: RopeShape, position: number, row: number) {
  const { batch, queries, heads, kvHeads, capacity } = shape;
  const queryRows = tokensOf(shape) * heads;
  if (row < queryRows) return { token: Math.floor(row / heads), head: row % heads, kind: "q" } as const;
  const cacheRows = batch * kvHeads * capacity;
  const values = row - queryRows >= cacheRows;
  const cached = (row - queryRows) % cacheRows;
  const query = (cached % capacity) - position;
  if (query < 0 || query >= queries) return undefined;
  const lane = Math.floor(cached / capacity);
  const token = Math.floor(lane / kvHeads) * queries + query;
  const head = heads + (values ? kvHeads : 0) + (lane % kvHeads);
  return { token, head, kind: values ? "v" : "k" } as const;
}

/** A head with its bias, normed where it has a norm, and turned. Errors are relative to the terms of the rotation. */
function reference(
  shape: RopeShape,
  [qkv, bias, angles, position, norms]: readonly Matrix[],
  row: number,
  columns: readonly number[],
  nanoEpsilon = 0,
): Expected[] {
  const { headDim, queries } = shape;
  const first = position!(0, 0);
  const found = source(shape, first, row);
  if (found === undefined) throw new Error("nothing is written to this row");
  const { token, head, kind } = found;
  const raw = (d: number) => qkv!(token, head * headDim + d) + bias!(0, head * headDim + d);
  const size = (d: number) =>
    Math.abs(qkv!(token, head * headDim + d)) + Math.abs(bias!(0, head * headDim + d));
  if (kind === "v") return columns.map((d) => ({ value: raw(d), magnitude: size(d) }));

  let squares = 0;
  for (let d = 0; d < headDim; d++) squares += raw(d) ** 2;
  const scale = 1 / Math.sqrt(squares / headDim + nanoEpsilon * 1e-9);
  const factor = (d: number) => (norms === undefined ? 1 : scale * norms(kind === "q" ? 0 : 1, d));

  const half = headDim / 2;
  const at = first + (token % queries);
  return columns.map((d) => {
    const other = (d + half) % headDim;
    const cosine = angles!(at, d % half);
    const sine = angles!(at, half + (d % half)) * (d < half ? -1 : 1);
    return {
      value: raw(d) * factor(d) * cosine + raw(other) * factor(other) * sine,
      magnitude: size(d) * Math.abs(factor(d) * cosine) + size(other) * Math.abs(factor(other) * sine),
    };
  });
}

const untouched = (shape: RopeShape, [, , , position]: readonly Matrix[], row: number) =>
  source(shape, position!(0, 0), row) === undefined;

/** Rows of the cache that are written, and one row of angles for each position. */
function work(shape: RopeShape, given: readonly Operand[]) {
  const { batch, queries, kvHeads } = shape;
  const rowsUsed: Readonly<Record<string, number>> = {
    k: batch * kvHeads * queries,
    v: batch * kvHeads * queries,
    angles: queries,
  };
  return {
    flops: 3 * tokensOf(shape) * (shape.heads + kvHeads) * shape.headDim,
    bytes: given.reduce(
      (sum, each) => sum + trafficOf({ ...each, rows: rowsUsed[each.name] ?? each.rows }),
      0,
    ),
  };
}

function impossible({ headDim, heads, kvHeads, queries, capacity }: RopeShape): string | undefined {
  if (headDim % 4 !== 0 || headDim > MAX_HEAD_DIM)
    return `rope's headDim is a multiple of 4, ${MAX_HEAD_DIM} at most`;
  if (heads % kvHeads !== 0) return "rope's heads are a multiple of its kvHeads";
  return queries > capacity ? "rope's capacity holds its queries" : undefined;
}

/** A norm adds the roundings of its sum; halves in the cache may be rounded to either side by pack2x16float. */
const tolerance = (dtype: DType, terms: number) =>
  roundoff.f32 * (8 + 2 * Math.sqrt(terms)) + (cacheOf[dtype] === "f16" ? roundoff.f16 : 0);

const shapeClass = ({ headDim }: RopeShape) => `head ${headDim}`;

/**
 * Queries, keys and values as attention wants them: with their bias, queries and keys turned by their position, keys and
 * values in their places in the cache.
 */
export const rope: Kernel<RopeShape> = {
  fields: ["batch", "queries", "heads", "kvHeads", "headDim", "capacity"],
  variants: { threads: threads<RopeShape>() },
  impossible,
  shapeClass,
  operands: (shape, dtype) => operands(shape, dtype),
  work: (shape, dtype) => work(shape, operands(shape, dtype)),
  untouched,
  products: () => 2,
  reference: (shape, inputs, row, columns) => reference(shape, inputs, row, columns),
  tolerance: (_shape, dtype) => tolerance(dtype, 0),
};

const normOperands = (shape: NormRopeShape, dtype: DType) =>
  operands(shape, dtype, [
    {
      name: "norms",
      rows: 2,
      columns: shape.headDim,
      role: "activations",
      element: activationsOf[dtype],
    },
  ]);

/** The same with every head of queries and keys normed before it is turned (QK-norm, as in Qwen3). */
export const norm_rope: Kernel<NormRopeShape> = {
  fields: ["batch", "queries", "heads", "kvHeads", "headDim", "capacity", "nanoEpsilon"],
  variants: { threads: threads<NormRopeShape>(({ nanoEpsilon }) => nanoEpsilon) },
  impossible,
  shapeClass,
  operands: normOperands,
  work: (shape, dtype) => work(shape, normOperands(shape, dtype)),
  untouched,
  products: ({ headDim }) => headDim,
  reference: (shape, inputs, row, columns) => reference(shape, inputs, row, columns, shape.nanoEpsilon),
  tolerance: ({ headDim }, dtype) => tolerance(dtype, headDim),
};
