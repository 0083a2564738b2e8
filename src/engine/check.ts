// Is the kernel right? Asked before any sample is taken.

import { kernelOf } from "../kernels";
import { type DType, roundoff, sizeOf, strideOf } from "../kernels/kernel";
import { type Gpu, guarded } from "./device";
import { f16Value } from "./f16";
import { type Launch, readBack } from "./launch";

/** Implementations may flush smaller numbers to zero (WGSL 15.7.2). */
const smallestNormal: Readonly<Record<DType, number>> = { f32: 2 ** -126, f16: 2 ** -14 };

/** NaN in f32 and in f16: an element that a kernel forgets stands out. */
const POISON = 0xffffffff;

/** The first and the last of `size` and others between them, `most` at most, in order. */
export function spread(size: number, most: number): number[] {
  if (size <= most) return Array.from({ length: size }, (_, i) => i);
  const picked = new Set<number>();
  // The golden ratio's multiples avoid every period that tiles could have.
  for (let i = 0; picked.size < most - 2; i++) picked.add(Math.floor(((i * 0.618_033_988_75) % 1) * size));
  return [...picked.add(0).add(size - 1)].sort((a, b) => a - b);
}

export interface Check {
  /** Elements that were compared with the reference; all of them were looked at for poison. */
  readonly elements: number;
  /** Largest |error| / magnitude. */
  readonly error: number;
  readonly tolerance: number;
}

/**
 * Runs one dispatch into a poisoned output and compares it with the float64 reference: every element
 * must have been written, and `rows` × `columns` of them, spread over the whole, must agree. Throws an
 * error that says which element is wrong and by how much.
 */
export async function check(gpu: Gpu, launch: Launch, rows = 8, columns = 48): Promise<Check> {
  const kernel = kernelOf(launch.kernel);
  const { operand, buffer } = launch.output;
  const stride = strideOf(operand.columns);
  const stored = operand.type ?? launch.dtype;
  const element = sizeOf[stored];

  const bytes = await guarded(gpu, `checking ${launch.kernel}`, async () => {
    gpu.device.queue.writeBuffer(buffer, 0, new Uint32Array(buffer.size / 4).fill(POISON));
    const encoder = gpu.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    launch.encode(pass, 0, 1);
    pass.end();
    gpu.device.queue.submit([encoder.finish()]);
    return readBack(gpu, buffer, operand.rows * stride * element);
  });
  const raw = element === 4 ? new Float32Array(bytes) : new Uint16Array(bytes);
  const at = (row: number, column: number) => {
    const value = raw[row * stride + column]!;
    return raw instanceof Uint16Array ? f16Value(value) : value;
  };

  for (let row = 0; row < operand.rows; row++) {
    for (let column = 0; column < operand.columns; column++) {
      if (!Number.isFinite(at(row, column))) {
        throw new Error(
          `${launch.kernel}: element (${row}, ${column}) of the output was not written, or is not finite`,
        );
      }
    }
  }

  const tolerance = kernel.tolerance(launch.shape, launch.dtype);
  const checkedColumns = spread(operand.columns, columns);
  const checkedRows = spread(operand.rows, rows);
  let worst = 0;
  for (const row of checkedRows) {
    kernel.reference(launch.shape, launch.inputs, row, checkedColumns).forEach(({ value, magnitude }, i) => {
      const column = checkedColumns[i]!;
      // The output's own rounding is not the arithmetic's error, nor is a tiny number that was flushed to zero.
      const storing =
        roundoff[stored] * Math.abs(value) +
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
  return { elements: checkedRows.length * checkedColumns.length, error: worst, tolerance };
}
