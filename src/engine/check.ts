// Is the kernel right? Asked before any sample is taken, and once more after the last one.

import { kernelOf } from "../kernels";
import { variantOf } from "../kernels/choices";
import { decoder, type Float, isFloat, roundoff } from "../kernels/elements";
import { bytesOf, type Operand, strideOf } from "../kernels/kernel";
import { uniform } from "../statistics";
import type { Span } from "../timing";
import { type Gpu, guarded } from "./device";
import { type Launch, readBack } from "./launch";
import type { Timer } from "./timer";

/** Implementations may flush smaller numbers to zero (WGSL 15.7.2). */
const smallestNormal: Readonly<Record<Float, number>> = { f32: 2 ** -126, f16: 2 ** -14 };

/** NaN in f32 and in f16: an element that a kernel forgets stands out. */
const POISON = 0xffffffff;
/** The whole number of eight bits that no quantised cache has: its largest are 127 and -127. */
const QUANT_POISON = -128;

/** The first and the last of `size` and others between them, `most` at most, in order. */
export function spread(size: number, most: number): number[] {
  if (size <= most) return Array.from({ length: size }, (_, i) => i);
  const picked = new Set<number>();
  // The golden ratio's multiples avoid every period that tiles could have.
  for (let i = 0; picked.size < most - 2; i++) picked.add(Math.floor(((i * 0.618_033_988_75) % 1) * size));
  return [...picked.add(0).add(size - 1)].sort((a, b) => a - b);
}

/** How much of the float64 reference may be computed, in products. */
interface Budget {
  /** For one element in the part of every workgroup: as a rule enough for all of them. */
  readonly everyGroup: number;
  /** For as many more in each part as this allows. All workgroups run one text: a wrong thread is wrong in all of them. */
  readonly more: number;
}

export const THOROUGH: Budget = { everyGroup: 2e8, more: 2e7 };
/** While tuning, and after timing. */
export const CURSORY: Budget = { everyGroup: 1e7, more: 4e6 };

/** However cheap they are: looking at each costs something too. */
const MOST_ELEMENTS = 2 ** 15;

/** Elements of the last row and of the last column that are compared besides: edges are where tiles end early. */
const EDGE = 24;

/** The elements to compare: some in the part of every workgroup, as far as the budget allows, and the edges. */
function spots(launch: Launch, budget: Budget): { spots: Map<number, Set<number>>; coverage: number } {
  const { shape, outputs, choice } = launch;
  const kernel = kernelOf(launch.kernel);
  const variant = variantOf(kernel, choice);
  const rows = outputs.reduce((sum, { operand }) => sum + operand.rows, 0);
  const elements = outputs.reduce((sum, { operand }) => sum + operand.rows * operand.columns, 0);
  const columnsOf = (row: number): number => {
    let next = 0;
    for (const { operand } of outputs) {
      next += operand.rows;
      if (row < next) return operand.columns;
    }
    throw new RangeError(`${launch.kernel} has no output row ${row}`);
  };
  const perElement = kernel.products(shape);
  const groups = launch.compiled.stages.at(-1)!.stage.workgroups;
  const affordable = Math.max(64, Math.floor(budget.everyGroup / perElement));
  const most = Math.min(MOST_ELEMENTS, budget.more / perElement);
  const perGroup = Math.max(1, Math.floor(most / groups));
  const random = uniform(launch.seed);
  const found = new Map<number, Set<number>>();
  const add = (row: number, column: number) => {
    const known = found.get(row) ?? new Set<number>();
    found.set(row, known.add(column));
  };
  if (elements <= most) {
    for (let row = 0; row < rows; row++) found.set(row, new Set(spread(columnsOf(row), columnsOf(row))));
    return { spots: found, coverage: 1 };
  }
  for (const group of spread(groups, affordable)) {
    for (let i = 0; i < perGroup; i++) {
      const spot = variant.spot(shape, choice.tuning, group, Math.floor(random() * 2 ** 32));
      if (spot !== undefined) add(...spot);
    }
  }
  for (const column of spread(columnsOf(rows - 1), EDGE)) add(rows - 1, column);
  for (const row of spread(rows, EDGE)) add(row, columnsOf(row) - 1);
  return { spots: found, coverage: Math.min(1, affordable / groups) };
}

/** FNV-1a of 32-bit words, in hexadecimal. */
function hash(outputs: readonly ArrayBuffer[]): string {
  let state = 0x811c9dc5;
  for (const bytes of outputs) {
    for (const word of new Uint32Array(bytes, 0, bytes.byteLength >> 2)) {
      state = Math.imul(state ^ word, 0x01000193);
      state ^= state >>> 15;
    }
  }
  return (state >>> 0).toString(16).padStart(8, "0");
}

/** What is in a launch's outputs, each as raw bytes. */
async function readOutputs(gpu: Gpu, { outputs }: Launch): Promise<ArrayBuffer[]> {
  const all: ArrayBuffer[] = [];
  for (const { operand, buffer } of outputs) all.push(await readBack(gpu, buffer, bytesOf(operand)));
  return all;
}

function poison(gpu: Gpu, { outputs }: Launch): void {
  for (const { operand, buffer } of outputs) {
    const bytes = operand.element === "i8x4" ? QUANT_POISON & 0xff : 0xff;
    gpu.device.queue.writeBuffer(buffer, 0, new Uint8Array(buffer.size).fill(bytes));
  }
}

/** An output and what was left in it. Rows count on from one output to the next: its own begin at `first`. */
interface Left {
  readonly operand: Operand;
  readonly first: number;
  at(row: number, column: number): number;
}

function leftIn({ outputs }: Launch, all: readonly ArrayBuffer[]): Left[] {
  let next = 0;
  return outputs.map(({ operand }, i) => {
    const stride = strideOf(operand.columns);
    const decode = decoder(operand.element, all[i]!);
    const first = next;
    next += operand.rows;
    return { operand, first, at: (row, column) => decode((row - first) * stride + column) };
  });
}

/** Whole numbers are written as they are: there is nothing to round, and nothing that is not finite. */
const floatOf = ({ element }: Operand): Float | undefined => (isFloat(element) ? element : undefined);

/** Whether an element still holds what the outputs are poisoned with. */
const isPoison = ({ operand }: Left, value: number): boolean =>
  floatOf(operand) === undefined
    ? value === (operand.element === "i8x4" ? QUANT_POISON : POISON)
    : Number.isNaN(value);

/** Whether an element that has to be written was not, or is no number. */
const isMissing = (left: Left, value: number): boolean =>
  left.operand.element === "i8x4" ? isPoison(left, value) : !Number.isFinite(value);

export interface Check {
  /** Elements that were compared with the reference; all of them were looked at for poison. */
  readonly elements: number;
  /** Workgroups of whose output an element was compared, as a share of all. */
  readonly coverage: number;
  /** Largest |error| / magnitude. */
  readonly error: number;
  readonly tolerance: number;
}

/**
 * Compares an output with the float64 reference of what the dispatch of this number in the rotation reads: every
 * element must be finite, and the chosen ones must agree. Throws an error that says which is wrong and by how much.
 */
function compare(launch: Launch, bytes: readonly ArrayBuffer[], dispatch: number, budget: Budget): Check {
  const { shape, dtype, choice } = launch;
  const kernel = kernelOf(launch.kernel);
  const all = leftIn(launch, bytes);
  const given = launch.inputs(dispatch);
  const untouched = (row: number) => kernel.untouched?.(shape, given, row) ?? false;

  for (const left of all) {
    const { operand, first, at } = left;
    for (let row = first; row < first + operand.rows; row++) {
      const alone = untouched(row);
      for (let column = 0; column < operand.columns; column++) {
        const value = at(row, column);
        if (alone ? !isPoison(left, value) : isMissing(left, value)) {
          const wrong = alone ? "was written, and is not its to write" : "was not written, or is not finite";
          throw new Error(`${launch.kernel}: element (${row}, ${column}) of the output ${wrong}`);
        }
      }
    }
  }

  const variant = variantOf(kernel, choice);
  const { rounded } = variant;
  const inputs = rounded?.inputs(given, shape) ?? given;
  const tolerance =
    kernel.tolerance(shape, dtype) +
    (rounded?.slack(shape) ?? 0) +
    (variant.slack?.(choice.tuning, shape, dtype) ?? 0);
  const { spots: chosen, coverage } = spots(launch, budget);
  let worst = 0;
  let elements = 0;
  for (const [row, set] of chosen) {
    if (untouched(row)) continue;
    const { operand, at } = all.findLast(({ first }) => first <= row)!;
    const stored = floatOf(operand);
    const columns = [...set];
    elements += columns.length;
    kernel.reference(shape, inputs, row, columns, dtype).forEach(({ value, magnitude }, i) => {
      const column = columns[i]!;
      // The output's own rounding is not the arithmetic's error, nor is a tiny number that was flushed to zero.
      const storing =
        stored === undefined
          ? 0
          : roundoff[stored] * Math.abs(value) +
            (Math.abs(value) < smallestNormal[stored] ? smallestNormal[stored] : 0);
      const error = Math.max(0, Math.abs(at(row, column) - value) - storing) / (magnitude || 1);
      worst = Math.max(worst, error);
      if (!(error <= tolerance)) {
        throw new Error(
          `${launch.kernel}: element (${row}, ${column}) is ${at(row, column)}, should be ${value}: ` +
            `off by ${error.toExponential(1)} of its magnitude, rounding explains ${tolerance.toExponential(1)}`,
        );
      }
    });
  }
  return { elements, coverage, error: worst, tolerance };
}

/**
 * Runs one dispatch into a poisoned output and compares it with the float64 reference: every element must have
 * been written, and some in the part of every workgroup must agree. `budget` bounds the reference. Throws where that
 * is not so. Returns also the dispatch's span: it may have been the shader's first run.
 */
export async function check(
  gpu: Gpu,
  timer: Timer,
  launch: Launch,
  budget = THOROUGH,
): Promise<Check & { readonly span: Span }> {
  await guarded(gpu, `checking ${launch.kernel}`, () => poison(gpu, launch));
  const span = await timer.span(launch, 1, 0);
  const bytes = await readOutputs(gpu, launch);
  return { ...compare(launch, bytes, timer.lastDispatch(launch), budget), span };
}

/**
 * Looks at what the last timed dispatch left behind: it must agree with the reference as well, and a fresh run on
 * the same memory must give the same bits, or the kernel that was timed is not the one that was checked. Returns
 * their hash. Throws where that is not so.
 */
export async function checkAfter(gpu: Gpu, timer: Timer, launch: Launch): Promise<string> {
  const dispatch = timer.lastDispatch(launch);
  const bytes = await readOutputs(gpu, launch);
  compare(launch, bytes, dispatch, CURSORY);
  await guarded(gpu, `checking ${launch.kernel}`, () => {
    poison(gpu, launch);
    const encoder = gpu.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    launch.encode(pass, dispatch, 1);
    pass.end();
    gpu.device.queue.submit([encoder.finish()]);
  });
  const [left, fresh] = [hash(bytes), hash(await readOutputs(gpu, launch))];
  if (left !== fresh) {
    throw new Error(
      `${launch.kernel}: the output after timing (${left}) is not that of a fresh run (${fresh}): what was timed is not what was checked`,
    );
  }
  return fresh;
}
