// What a kernel is: compute shaders and the arithmetic that goes with them. Plain data and pure functions;
// nothing here or in any kernel touches a GPU.

import { bitsOf, type DType, type Element, type Float, roundoff } from "./elements";

/** What a kernel has to do, whatever machine does it. */
export interface Work {
  readonly flops: number;
  /** Bytes that must cross the memory bus once: operands in, results out. */
  readonly bytes: number;
}

/** Lines put in front of a shader before it is compiled. */
export interface Prelude {
  readonly enable?: readonly string[];
  readonly alias?: Readonly<Record<string, string>>;
  readonly constants?: Readonly<Record<string, number>>;
}

/**
 * A matrix that a kernel reads or writes: row-major, each row padded to a whole number of vec4s.
 * Activations are padded with zeros; the padding of weights may hold any finite number.
 */
export interface Operand {
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  /**
   * `weights` and `kv-cache` are read once per token, so the engine hands every dispatch another
   * piece of memory; `activations`, `scratch` and the `output` stay where they are, as they do in a model.
   * `scratch` passes what one stage of a kernel has found to the next.
   */
  readonly role: "weights" | "kv-cache" | "activations" | "scratch" | "output";
  readonly element: Element;
  /** Of whole numbers (u32): the least that may stand here, and the first that may not. Checks draw from these. */
  readonly range?: readonly [from: number, below: number];
  /** Whether numbers of that range come one after another, so that all of them do, or by chance: the latter where absent. */
  readonly taking?: "turns";
}

/** An input as the reference sees it: the exact stored number, in float64. */
export type Matrix = (row: number, column: number) => number;

/** What an output element should be, and the sum of the absolute values of its terms: the scale of its error. */
export interface Expected {
  readonly value: number;
  readonly magnitude: number;
}

/** The matrices that a subgroup multiplies in one instruction: C (M, N) += A (M, K) · B (K, N). */
export interface MatrixUnit {
  readonly element: "f16" | "f32" | "i8";
  readonly result: "f16" | "f32" | "i32";
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

/** What a variant asks of the device. */
export interface Demand {
  readonly threads: number;
  /** Bytes of workgroup memory. */
  readonly workgroupStorage: number;
  /** Threads that a subgroup must have, always, or at most where it multiplies matrices; absent where it does not matter. */
  readonly subgroup?: number;
  /** Needs the WGSL feature packed_4x8_integer_dot_product. */
  readonly packedDot?: boolean;
  readonly matrix?: MatrixUnit;
}

/** One dispatch of a variant. Its bindings are the shape, as a uniform, and then these operands in order. */
export interface Stage {
  /** Stem of the shader file. */
  readonly shader: string;
  readonly prelude: Prelude;
  /** In all; the engine folds them into a grid and shaders unfold it (see prelude.ts). */
  readonly workgroups: number;
  /** Names of operands, in binding order from 1. */
  readonly binds: readonly string[];
}

/**
 * One way to compute a kernel: its shaders and their search space.
 *
 * `Tuning` reaches the shaders in the prelude. Each of its parameters has a list of values, in an order in which
 * neighbours are alike: the search goes from one to the next.
 */
export interface Variant<Shape, Tuning> {
  /** WGSL by the stem of its file. */
  readonly shaders: Readonly<Record<string, string>>;
  readonly space: { readonly [Parameter in keyof Tuning]: readonly number[] };
  /** Where a search begins: what is good on some kind of device, the safest first. */
  readonly starts: readonly Tuning[];
  /** A tuning in a few words, another one for each, none like another variant's. */
  describe(tuning: Tuning): string;
  /** Why this variant is not for a shape or type, or undefined. */
  unfit?(tuning: Tuning, shape: Shape, dtype: DType): string | undefined;
  demand(tuning: Tuning, shape: Shape, dtype: DType): Demand;
  /** What is dispatched, in order; the last one writes the output. Constants of the shape may be added to preludes where they size register arrays. */
  stages(tuning: Tuning, shape: Shape, dtype: DType): readonly Stage[];
  /** What the stages pass on to each other. */
  scratch?(tuning: Tuning, shape: Shape, dtype: DType): readonly Operand[];
  /**
   * Row and column of an output element that this workgroup of the last stage writes, or undefined where it writes
   * none; another one for another `choice`, a whole number below 2^32. Checks look into every workgroup's part this way.
   */
  spot(
    shape: Shape,
    tuning: Tuning,
    workgroup: number,
    choice: number,
  ): readonly [number, number] | undefined;
  /**
   * What the variant computes with in place of the kernel's inputs, where it rounds them first. `slack` is the
   * |error| / magnitude that a rounding to the other side may cause.
   */
  rounded?: {
    inputs(inputs: readonly Matrix[], shape: Shape): readonly Matrix[];
    slack(shape: Shape): number;
  };
  /** What the kernel's tolerance grows by where this variant sums in less than f32. */
  slack?(tuning: Tuning, shape: Shape, dtype: DType): number;
}

/** How a variant goes about it, whichever variant it is. */
export type AnyTuning = Readonly<Record<string, number>>;

/**
 * What is computed, however it is done. `Shape` is what the model asks for; it reaches shaders in a uniform, as u32 in
 * the order of `fields`.
 */
export interface Kernel<Shape> {
  readonly fields: readonly (keyof Shape & string)[];
  /** What reaches shaders after the fields: what a caller may know better than the shape does, by name. */
  readonly derived?: Readonly<Record<string, (shape: Shape) => number>>;
  /** The ways to compute it, by name; the default is the first start of the first that fits. */
  readonly variants: Readonly<Record<string, Variant<Shape, AnyTuning>>>;
  /** Why there can be no call of this shape, or undefined: every field is a positive whole number already. */
  impossible?(shape: Shape): string | undefined;
  /** Why there can be none in this type, or undefined. */
  unsupported?(shape: Shape, dtype: DType): string | undefined;
  /** Shapes of one class share a tuning. */
  shapeClass(shape: Shape): string;
  /** Inputs, then the output; where there are several, rows count on from one to the next. */
  operands(shape: Shape, dtype: DType): readonly Operand[];
  work(shape: Shape, dtype: DType): Work;
  /**
   * About one `parts`-th of the call, as a call of its own: for devices on which the whole would take too
   * long in one dispatch or one binding could not hold its weights. Absent where a call cannot be divided.
   */
  split?(shape: Shape, parts: number): Shape;
  /** Products that the reference of one output element takes. */
  products(shape: Shape): number;
  /** Rows of its weights that a call reads, where these are not all of them. */
  rowsRead?(shape: Shape): number;
  /** Whether a row of the output is left as it was: a table may be too large to be written whole. */
  untouched?(shape: Shape, inputs: readonly Matrix[], row: number): boolean;
  /** The given columns of one output row in float64. Slow: tests and spot checks only. */
  reference(
    shape: Shape,
    inputs: readonly Matrix[],
    row: number,
    columns: readonly number[],
    dtype: DType,
  ): Expected[];
  /**
   * Largest |error| / magnitude that the arithmetic's rounding can explain; a larger one is a wrong kernel.
   * Rounding the output to its type comes on top and is the check's business.
   */
  tolerance(shape: Shape, dtype: DType): number;
}

/** One of the numbers from `begin` up to `end` or `begin + size`, whichever comes first; undefined where there is none. */
export function pick(begin: number, size: number, end: number, choice: number): number | undefined {
  const count = Math.min(size, end - begin);
  return count <= 0 ? undefined : begin + (choice % count);
}

/** Both or nothing. */
export const spotAt = (
  row: number | undefined,
  column: number | undefined,
): readonly [number, number] | undefined =>
  row === undefined || column === undefined ? undefined : [row, column];

/** Elements from one row of an operand to the next. */
export const strideOf = (columns: number): number => Math.ceil(columns / 4) * 4;

/** Bytes that an operand occupies. */
export const bytesOf = ({ rows, columns, element }: Pick<Operand, "rows" | "columns" | "element">): number =>
  (rows * strideOf(columns) * bitsOf[element]) / 8;

/** What shaders read in their uniform, in order: the fields of the shape, and what is derived from them. */
export const uniformOf = <Shape>(
  { fields, derived = {} }: Pick<Kernel<Shape>, "fields" | "derived">,
  shape: Shape & Readonly<Record<string, number>>,
): number[] => [
  ...fields.map((field) => shape[field]!),
  ...Object.values(derived).map((value) => value(shape)),
];

/** The outputs among a kernel's operands. */
export const outputsOf = (operands: readonly Operand[]): Operand[] =>
  operands.filter(({ role }) => role === "output");

/** Bytes of an operand without its padding: what has to cross the memory bus. */
export const trafficOf = ({ rows, columns, element }: Operand): number =>
  (rows * columns * bitsOf[element]) / 8;

/** The same of all of them: bytes in and out. */
export const trafficOfAll = (operands: readonly Operand[]): number =>
  operands.reduce((sum, each) => sum + trafficOf(each), 0);

/**
 * Tolerance of a sum of `terms` products accumulated in f32, relative to the sum of the absolute products.
 * Errors of independent roundings grow as the square root of their number (Higham & Mary, SIAM J. Sci.
 * Comput. 41:5, 2019); 2 leaves room for an unlucky run. One product lost is of the order of 1 / terms,
 * which is above it up to 40,000 terms.
 */
export const sumTolerance = (terms: number): number => 2 * roundoff.f32 * Math.sqrt(terms);

/** One of about `parts` equal ranges of `size`, a multiple of 64 so that its bytes start at a legal offset. */
export const splitRange = (size: number, parts: number): number =>
  Math.min(size, Math.ceil(size / parts / 64) * 64);

/** The lines that every kernel needs: its element type, and f16 where that is the type. */
export function preludeFor(
  elem: Float,
  constants: Readonly<Record<string, number>>,
  enable: readonly string[] = [],
): Prelude {
  return { enable: [...(elem === "f16" ? ["f16"] : []), ...enable], alias: { elem }, constants };
}

/** For probes: numbers with a scale apart are streamed and multiplied as floats. */
export const onlyFloats = (_shape: unknown, dtype: DType): string | undefined =>
  dtype === "f32" || dtype === "f16" ? undefined : `this probe runs in f32 or f16, not in ${dtype}`;
