// The weights' memory: random numbers in as many buffers as the budget takes, handed out piece after
// piece in turn. A piece is read again only after all the others, so that nothing is found in a cache
// that would not be there in a model of this size.

import { bitsOf, cacheOf, type DType, type Element, quantsOf, storedAt } from "../kernels/elements";
import { bytesOf, type Operand } from "../kernels/kernel";
import { type Gpu, guarded } from "./device";
import { fillBuffer } from "./fill";

/** Offsets of storage bindings are multiples of this on every device. */
const ALIGNMENT = 256;

/** Of the memory for quantised weights, what their scales and the KV cache have: two bytes for every sixteen at most. */
const SCALES_SHARE = 1 / 8;

/** A part of a buffer, and the numbers that are in it. */
export interface Piece {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly size: number;
  /** The element `index` of the piece. */
  at(index: number): number;
}

export interface Weights {
  readonly bytes: number;
  readonly dtype: DType;
  /**
   * Disjoint pieces for these operands in memory order; each group holds one piece for each. As many groups as there
   * are, or `limit` of them spread over everything.
   */
  pieces(operands: readonly Operand[], limit: number): Piece[][];
  destroy(): void;
}

/**
 * The most that one dispatch can stream. A buffer is no larger than one binding, so that it can be bound
 * whole, and than 512 MiB: some drivers promise more and then do not give it.
 */
export const largestPiece = ({ limits }: Gpu): number =>
  Math.min(limits.maxBufferSize, limits.maxStorageBufferBindingSize, 2 ** 29);

const align = (bytes: number) => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

/** Memory of one element type. */
interface Pool {
  readonly element: Element;
  readonly buffers: GPUBuffer[];
  readonly seeds: number[];
}

/** Allocates and fills about `bytes` of one type, adding to the pool as it goes: what there is can be destroyed at any time. */
async function fillPool(gpu: Gpu, { element, buffers, seeds }: Pool, bytes: number): Promise<void> {
  const largest = largestPiece(gpu);
  const unit = Math.floor(Math.min(largest, align(bytes)) / ALIGNMENT) * ALIGNMENT;
  while (buffers.length * unit < bytes) {
    const seed = gpu.freshSeed();
    const size = Math.min(unit, align(bytes - buffers.length * unit));
    const buffer = gpu.device.createBuffer({ size, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC });
    seeds.push(seed);
    buffers.push(buffer);
    await fillBuffer(gpu, buffer, element, seed);
  }
}

/** Pieces of a pool for these operands side by side, over and over. */
function groupsIn({ buffers, seeds }: Pool, operands: readonly Operand[]) {
  const stride = operands.reduce((sum, operand) => sum + align(bytesOf(operand)), 0);
  const perBuffer = buffers.map(({ size }) => Math.floor(size / stride));
  return {
    count: perBuffer.reduce((sum, count) => sum + count, 0),
    at(index: number): Piece[] {
      let which = 0;
      let number = index;
      while (number >= perBuffer[which]!) number -= perBuffer[which++]!;
      const [buffer, seed] = [buffers[which]!, seeds[which]!];
      let offset = number * stride;
      return operands.map((operand): Piece => {
        const { element } = operand;
        const first = (8 * offset) / bitsOf[element];
        const size = bytesOf(operand);
        const at = (place: number) => storedAt(element, seed, first + place);
        const piece = { buffer, offset, size, at };
        offset += align(size);
        return piece;
      });
    },
  };
}

const bytesIn = ({ buffers }: Pool) => buffers.reduce((sum, { size }) => sum + size, 0);

/** Allocates and fills about `bytes` of weights. Throws when there is not that much memory. */
export async function allocateWeights(gpu: Gpu, dtype: DType, bytes: number): Promise<Weights> {
  const quants = quantsOf[dtype];
  const floats: Pool = { element: cacheOf[dtype], buffers: [], seeds: [] };
  const whole: Pool | undefined = quants && { element: quants, buffers: [], seeds: [] };
  const pools = whole === undefined ? [floats] : [whole, floats];
  const destroy = () => {
    for (const { buffers } of pools) for (const buffer of buffers) buffer.destroy();
  };
  try {
    await guarded(gpu, `allocating ${Math.round(bytes / 2 ** 20)} MiB of weights`, async () => {
      await fillPool(gpu, floats, whole === undefined ? bytes : bytes * SCALES_SHARE);
      if (whole !== undefined) await fillPool(gpu, whole, bytes * (1 - SCALES_SHARE));
    });
  } catch (error) {
    destroy();
    throw error;
  }

  return {
    bytes: pools.reduce((sum, pool) => sum + bytesIn(pool), 0),
    dtype,
    destroy,
    pieces(operands, limit) {
      const poolOf = ({ element }: Operand) => (element === whole?.element ? whole : floats);
      const used = pools.filter((pool) => operands.some((operand) => poolOf(operand) === pool));
      const groups = used.map((pool) =>
        groupsIn(
          pool,
          operands.filter((operand) => poolOf(operand) === pool),
        ),
      );
      const total = Math.min(...groups.map(({ count }) => count));
      const length = Math.min(total, limit);
      return Array.from({ length }, (_, i) => {
        const next = groups.map((each) => each.at(Math.floor((i * total) / length)).values());
        return operands.map((operand) => next[used.indexOf(poolOf(operand))]!.next().value!);
      });
    },
  };
}
