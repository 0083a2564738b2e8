// What lies between the projection to queries, keys and values and attention.

import wgsl from "../../shaders/rope.wgsl?raw";
import { MAX_HEAD_DIM } from "./attention";
import { activationsOf, BLOCK, cacheOf, type DType, roundoff } from "./elements";
import {
  type AnyTuning,
  type Kernel,
  type Matrix,
  type Operand,
  pick,
  preludeFor,
  trafficOf,
  type Variant,
} from "./kernel";
import { type CacheFormat, quantisedCache, scaleWords, wholeHeads } from "./quantised_cache";
import { reference, source } from "./rope_reference";
import { cacheRows, headsOf, type NormRopeShape, type RopeShape, tokensOf } from "./rope_shape";

type RopeTuning = { readonly THREADS: number };

/** Heads that a workgroup takes. */
const headsPerGroup = ({ THREADS }: RopeTuning, { headDim }: RopeShape) =>
  Math.max(1, Math.floor(THREADS / (headDim / 4)));

const binds: Readonly<Record<CacheFormat, readonly string[]>> = {
  floats: ["qkv", "bias", "angles", "position", "q", "k", "v"],
  q8_0: ["qkv", "bias", "angles", "position", "q", "kv", "scales"],
};

const threads = <S extends RopeShape>(
  cache: CacheFormat,
  nanoEpsilon?: (shape: S) => number,
): Variant<S, RopeTuning & AnyTuning> => ({
  shaders: { rope: wgsl },
  space: { THREADS: [16, 32, 64, 128, 256] },
  starts: [{ THREADS: 64 }, { THREADS: 256 }],
  describe: ({ THREADS }) => `${THREADS} threads`,
  demand(tuning, shape) {
    const size = (headsPerGroup(tuning, shape) * shape.headDim) / 4;
    // The sums of squares, and heads before they are quantised.
    return { threads: size, workgroupStorage: (cache === "q8_0" ? 20 : 4) * size };
  },
  stages(tuning, shape, dtype) {
    const quantised = cache === "q8_0";
    const packed = !quantised && cacheOf[dtype] === "f16";
    const HEADS = headsPerGroup(tuning, shape);
    const prelude = preludeFor(activationsOf[dtype], {
      HEADS,
      UNITS: shape.headDim / 4,
      PLAIN: Number(!packed),
      PACKED: Number(packed),
      FLOATS: Number(!quantised),
      QUANTISED: Number(quantised),
      SCALE_WORDS: quantised ? scaleWords(shape.headDim) : 0,
      NORM: Number(nanoEpsilon !== undefined),
      NANO_EPSILON: nanoEpsilon?.(shape) ?? 0,
    });
    return [
      {
        shader: "rope",
        prelude: { ...prelude, alias: { ...prelude.alias, neighbours: packed ? "u32" : "vec2f" } },
        workgroups: Math.ceil((tokensOf(shape) * headsOf(shape)) / HEADS),
        binds: nanoEpsilon === undefined ? binds[cache] : [...binds[cache], "norms"],
      },
    ];
  },
  spot(shape, tuning, workgroup, choice) {
    const HEADS = headsPerGroup(tuning, shape);
    const all = headsOf(shape);
    const number = pick(workgroup * HEADS, HEADS, tokensOf(shape) * all, choice >>> 16);
    if (number === undefined) return undefined;
    const { queries, heads, kvHeads, headDim, capacity } = shape;
    const [token, head, column] = [Math.floor(number / all), number % all, (choice & 0xffff) % headDim];
    if (head < heads) return [token * heads + head, column];
    const cached = head - heads;
    const sequence = Math.floor(token / queries);
    // Where checks put the queries: at the end.
    const position = capacity - queries + (token % queries);
    const row = (sequence * kvHeads + (cached % kvHeads)) * capacity + position;
    const before = tokensOf(shape) * heads + (cached < kvHeads ? 0 : cacheRows(shape));
    const blocks = headDim / BLOCK;
    return cache === "q8_0" && choice % (blocks + 1) === 0
      ? [before + row + 2 * cacheRows(shape), column % blocks]
      : [before + row, column];
  },
});

function cacheOperands(shape: RopeShape, dtype: DType, cache: CacheFormat): readonly Operand[] {
  const [rows, columns] = [cacheRows(shape), shape.headDim];
  if (cache === "q8_0") return quantisedCache(rows, columns, "output");
  const part = { rows, columns, role: "output", element: cacheOf[dtype] } as const;
  return [
    { name: "k", ...part },
    { name: "v", ...part },
  ];
}

function operands(
  shape: RopeShape,
  dtype: DType,
  cache: CacheFormat,
  norms: readonly Operand[] = [],
): Operand[] {
  const { queries, heads, headDim, capacity } = shape;
  const element = activationsOf[dtype];
  const row = headsOf(shape) * headDim;
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
    ...cacheOperands(shape, dtype, cache),
  ];
}

const untouched = (shape: RopeShape, [, , , position]: readonly Matrix[], row: number) =>
  source(shape, position!(0, 0), row) === undefined;

/** Rows of the cache that are written, and one row of angles for each position. */
function work(shape: RopeShape, given: readonly Operand[]) {
  const { batch, queries, kvHeads } = shape;
  const rowsUsed: Readonly<Record<string, number>> = {
    k: batch * kvHeads * queries,
    v: batch * kvHeads * queries,
    kv: 2 * batch * kvHeads * queries,
    scales: 2 * batch * kvHeads * queries,
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

function impossible(
  { headDim, heads, kvHeads, queries, capacity }: RopeShape,
  cache: CacheFormat,
): string | undefined {
  if (headDim % 4 !== 0 || headDim > MAX_HEAD_DIM)
    return `rope's headDim is a multiple of 4, ${MAX_HEAD_DIM} at most`;
  if (heads % kvHeads !== 0) return "rope's heads are a multiple of its kvHeads";
  if (queries > capacity) return "rope's capacity holds its queries";
  return cache === "q8_0" ? wholeHeads("rope_q8_0", headDim) : undefined;
}

/** A norm adds the roundings of its sum; halves in the cache may be rounded to either side by pack2x16float. */
const tolerance = (cache: CacheFormat, dtype: DType, terms: number) =>
  roundoff.f32 * (8 + 2 * Math.sqrt(terms)) +
  (cache === "floats" && cacheOf[dtype] === "f16" ? roundoff.f16 : 0);

const shapeClass = ({ headDim }: RopeShape) => `head ${headDim}`;

/** Numbers that decide what is written to a place: two, or all that share its scale. */
const perPlace = (cache: CacheFormat) => (cache === "q8_0" ? 2 * BLOCK : 2);

const ropeOf = (cache: CacheFormat): Kernel<RopeShape> => ({
  fields: ["batch", "queries", "heads", "kvHeads", "headDim", "capacity"],
  variants: { threads: threads<RopeShape>(cache) },
  impossible: (shape) => impossible(shape, cache),
  shapeClass,
  operands: (shape, dtype) => operands(shape, dtype, cache),
  work: (shape, dtype) => work(shape, operands(shape, dtype, cache)),
  untouched,
  products: () => perPlace(cache),
  reference: (shape, inputs, row, columns, dtype) =>
    reference(cache, shape, inputs, row, columns, tolerance(cache, dtype, 0)),
  tolerance: (_shape, dtype) => tolerance(cache, dtype, 0),
});

/**
 * Queries, keys and values as attention wants them: with their bias, queries and keys turned by their position, keys and
 * values in their places in the cache.
 */
export const rope = ropeOf("floats");

/** The same with a cache in q8_0. */
export const rope_q8_0 = ropeOf("q8_0");

const normRopeOf = (cache: CacheFormat): Kernel<NormRopeShape> => {
  const all = (shape: NormRopeShape, dtype: DType) =>
    operands(shape, dtype, cache, [
      {
        name: "norms",
        rows: 2,
        columns: shape.headDim,
        role: "activations",
        element: activationsOf[dtype],
      },
    ]);
  return {
    fields: ["batch", "queries", "heads", "kvHeads", "headDim", "capacity", "nanoEpsilon"],
    variants: { threads: threads<NormRopeShape>(cache, ({ nanoEpsilon }) => nanoEpsilon) },
    impossible: (shape) => impossible(shape, cache),
    shapeClass,
    operands: all,
    work: (shape, dtype) => work(shape, all(shape, dtype)),
    untouched,
    products: ({ headDim }) => (perPlace(cache) / 2) * headDim,
    reference: (shape, inputs, row, columns, dtype) =>
      reference(
        cache,
        shape,
        inputs,
        row,
        columns,
        tolerance(cache, dtype, shape.headDim),
        shape.nanoEpsilon,
      ),
    tolerance: ({ headDim }, dtype) => tolerance(cache, dtype, headDim),
  };
};

/** The same with every head of queries and keys normed before it is turned (QK-norm, as in Qwen3). */
export const norm_rope = normRopeOf("floats");

/** The same with a cache in q8_0. */
export const norm_rope_q8_0 = normRopeOf("q8_0");
