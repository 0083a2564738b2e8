// Is a contender's answer right? Asked before any time is taken, and once more after the last one.

import { kernels } from "../kernels";
import { roundoff } from "../kernels/elements";
import { type Expected, type Matrix, sumTolerance } from "../kernels/kernel";
import { dotProducts } from "../kernels/product";
import type { Arithmetic } from "./contender";
import { matrixOf, type TaskData } from "./data";
import { operandsOf, type Task } from "./tasks";

/** Elements of an answer, and what they should be. */
export interface Reference {
  /** Row after row, as the output has them. */
  readonly size: number;
  readonly columns: number;
  readonly elements: readonly { readonly at: number; readonly expected: Expected }[];
}

/** Terms that may be summed in float64: a second or two. */
const BUDGET = 1e8;

/** `most` of the numbers below `size`, the first and the last among them; another set for another `turn`. */
function spread(size: number, most: number, turn: number): number[] {
  if (size <= most) return Array.from({ length: size }, (_, i) => i);
  const picked = new Set([0, size - 1]);
  // The golden ratio's multiples avoid every period that tiles could have; those of the root of 2 begin elsewhere.
  for (let i = 0; picked.size < most; i++)
    picked.add(Math.floor((((i + 1) * 0.618_033_988_75 + turn * Math.SQRT2) % 1) * size));
  return [...picked].sort((a, b) => a - b);
}

function referenceRow({ call }: Task, inputs: readonly Matrix[], row: number, columns: readonly number[]) {
  return call.kernel === "attention"
    ? kernels.attention.reference(call.shape, inputs, row, columns, "f32")
    : dotProducts(inputs[0]!, inputs[1]!, call.shape.K, row, columns);
}

/** The float64 reference of a task: every element where that is cheap, else some of every row. */
export function referenceOf(task: Task, { inputs }: TaskData): Reference {
  const { rows, columns } = operandsOf(task).at(-1)!;
  const terms = task.call.kernel === "attention" ? 0 : rows * columns * task.call.shape.K;
  const perRow = terms <= BUDGET ? columns : Math.max(16, Math.floor((BUDGET * columns) / terms));
  const matrices = inputs.map(matrixOf);
  const elements = Array.from({ length: rows }, (_, row) => {
    const chosen = spread(columns, perRow, row);
    return referenceRow(task, matrices, row, chosen).map((expected, i) => ({
      at: row * columns + chosen[i]!,
      expected,
    }));
  }).flat();
  return { size: rows * columns, columns, elements };
}

/**
 * Activations rounded to 8 bits with a scale per block are off by 1/254 of the block's largest at most. Over 2048 terms
 * such errors mostly cancel out: what is measured is 5e-4 of the sum of absolute products, and a wrong code or scale
 * shows as 1e-2.
 */
const INT8_TOLERANCE = 1e-3;

/** Both operands of a product are rounded to f16, and so are the sums of some matrix units. */
const F16_TOLERANCE = 4 * roundoff.f16;

/** The largest |error| / magnitude that rounding explains. */
export function toleranceOf({ call }: Task, arithmetic: Arithmetic): number {
  if (call.kernel === "attention") return kernels.attention.tolerance(call.shape, "f32");
  const exact = sumTolerance(call.shape.K);
  return { f32: exact, "f16 products": F16_TOLERANCE, "int8 activations": INT8_TOLERANCE }[arithmetic];
}

export interface Check {
  /** Elements that were compared. */
  readonly elements: number;
  /** Largest |error| / magnitude; null where an element is not finite or missing. */
  readonly error: number | null;
  readonly tolerance: number;
  /** What is wrong with the answer, or null. */
  readonly wrong: string | null;
}

/** Compares an answer with the reference: every element must be finite, and the chosen ones must agree. */
export function checkAnswer(
  { size, columns, elements }: Reference,
  answer: Float32Array,
  tolerance: number,
): Check {
  const failed = (wrong: string): Check => ({ elements: elements.length, error: null, tolerance, wrong });
  if (answer.length !== size) return failed(`it has ${answer.length} elements instead of ${size}`);
  const missing = answer.findIndex((value) => !Number.isFinite(value));
  const place = (at: number) => `(${Math.floor(at / columns)}, ${at % columns})`;
  if (missing >= 0) return failed(`element ${place(missing)} is ${answer[missing]}`);

  let error = 0;
  let worst = elements[0]!;
  for (const element of elements) {
    const { value, magnitude } = element.expected;
    const off = Math.abs(answer[element.at]! - value) / (magnitude || 1);
    if (off > error) [error, worst] = [off, element];
  }
  const says = () =>
    `element ${place(worst.at)} is ${answer[worst.at]}, should be ${worst.expected.value}: off by ${error.toPrecision(2)} of its magnitude`;
  return { elements: elements.length, error, tolerance, wrong: error <= tolerance ? null : says() };
}
