// What a kernel is: a compute shader and the arithmetic that goes with it. Plain data and pure
// functions; nothing here or in any kernel touches a GPU.

export type DType = "f32" | "f16";

export const sizeOf: Readonly<Record<DType, number>> = { f32: 4, f16: 2 };

/** Unit roundoff: the largest relative error of one rounding to the type. */
export const roundoff: Readonly<Record<DType, number>> = { f32: 2 ** -24, f16: 2 ** -11 };

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
   * piece of memory; `activations` and the `output` stay where they are, as they do in a model.
   */
  readonly role: "weights" | "kv-cache" | "activations" | "output";
  /** Element type where it is not the kernel's dtype: sums are kept in f32. */
  readonly type?: "f32";
}

/** An input as the reference sees it: the exact stored number, in float64. */
export type Matrix = (row: number, column: number) => number;

/** What an output element should be, and the sum of the absolute values of its terms: the scale of its error. */
export interface Expected {
  readonly value: number;
  readonly magnitude: number;
}

/** What a tuning asks of the device. */
export interface Demand {
  readonly threads: number;
  /** Bytes of workgroup memory. */
  readonly workgroupStorage: number;
}

/**
 * A compute shader and the arithmetic that goes with it.
 *
 * `Shape` is what the model asks for; it reaches the shader in a uniform, as u32 in the order of `fields`.
 * `Tuning` is how this kernel goes about it; it reaches the shader in the prelude.
 */
export interface Kernel<Shape, Tuning> {
  readonly wgsl: string;
  readonly fields: readonly (keyof Shape & string)[];
  /** The search space by name; the first one is the default. */
  readonly tunings: Readonly<Record<string, Tuning>>;
  /** Why there can be no call of this shape, or undefined: every field is a positive whole number already. */
  impossible?(shape: Shape): string | undefined;
  /** Shapes of one class share a tuning. */
  shapeClass(shape: Shape): string;
  demand(tuning: Tuning, shape: Shape, dtype: DType): Demand;
  /** Constants of the shape may be added where they size register arrays. */
  prelude(tuning: Tuning, shape: Shape, dtype: DType): Prelude;
  /** Workgroups in all; the engine folds them into a grid and shaders unfold it (see prelude.ts). */
  workgroups(shape: Shape, tuning: Tuning): number;
  /**
   * Row and column of an output element that this workgroup writes, or undefined where it writes none; another
   * one for another `choice`, a whole number below 2^32. Checks look into every workgroup's part this way.
   */
  spot(
    shape: Shape,
    tuning: Tuning,
    workgroup: number,
    choice: number,
  ): readonly [number, number] | undefined;
  /** In binding order from 1; the last is the output. */
  operands(shape: Shape): readonly Operand[];
  work(shape: Shape, dtype: DType): Work;
  /**
   * About one `parts`-th of the call, as a call of its own: for devices on which the whole would take too
   * long in one dispatch or one binding could not hold its weights. Absent where a call cannot be divided.
   */
  split?(shape: Shape, parts: number): Shape;
  /** Products that the reference of one output element takes. */
  products(shape: Shape): number;
  /** The given columns of one output row in float64. Slow: tests and spot checks only. */
  reference(shape: Shape, inputs: readonly Matrix[], row: number, columns: readonly number[]): Expected[];
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
export function bytesOf(operand: Operand, dtype: DType): number {
  return operand.rows * strideOf(operand.columns) * sizeOf[operand.type ?? dtype];
}

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

/** Columns `columns` of row `row` of A·Bᵀ, where A is (rows, K) and B (columns, K). */
export function dotProducts(
  a: Matrix,
  b: Matrix,
  K: number,
  row: number,
  columns: readonly number[],
): Expected[] {
  const left = Float64Array.from({ length: K }, (_, k) => a(row, k));
  return columns.map((column) => {
    let value = 0;
    let magnitude = 0;
    for (let k = 0; k < K; k++) {
      const term = left[k]! * b(column, k);
      value += term;
      magnitude += Math.abs(term);
    }
    return { value, magnitude };
  });
}
