// The weights' memory: random numbers in as many buffers as the budget takes, handed out piece after
// piece in turn. A piece is read again only after all the others, so that nothing is found in a cache
// that would not be there in a model of this size.

import { type AnyCall, kernelOf } from "../kernels";
import { bitsOf, cacheOf, type DType, type Element, isFloat, quantsOf, storedAt } from "../kernels/elements";
import { bytesOf, type Operand } from "../kernels/kernel";
import { LARGEST_PIECE } from "../workloads";
import { type Gpu, guarded } from "./device";
import { fillBuffer } from "./fill";
import { isStreamed } from "./pieces";

/** Offsets of storage bindings are multiples of this on every device. */
const ALIGNMENT = 256;

/**
 * Of the memory for what is quantised, what goes to scales, two bytes for every sixteen at most; and with quantised
 * weights to a KV cache in f16.
 */
const SCALES_SHARE = 1 / 8;

/** What has memory of its own: whole numbers of all kinds are random bits. */
type Kind = "f32" | "f16" | "whole";

const kindOf = (element: Element): Kind => (isFloat(element) ? element : "whole");

/** What calls stream beside what weights of their type and their KV cache are stored as. */
export const streamedBy = (calls: readonly AnyCall[], dtype: DType): ReadonlySet<Element> =>
  new Set(
    calls.flatMap(({ kernel, shape }) =>
      kernelOf(kernel)
        .operands(shape, dtype)
        .filter(isStreamed)
        .map(({ element }) => element),
    ),
  );

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
  Math.min(limits.maxBufferSize, limits.maxStorageBufferBindingSize, LARGEST_PIECE);

const align = (bytes: number) => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

/** Memory of one kind. */
interface Pool {
  readonly kind: Kind;
  readonly buffers: GPUBuffer[];
  readonly seeds: number[];
}

/** Allocates and fills about `bytes` of one type, adding to the pool as it goes: what there is can be destroyed at any time. */
async function fillPool(gpu: Gpu, { kind, buffers, seeds }: Pool, bytes: number): Promise<void> {
  const largest = largestPiece(gpu);
  const unit = Math.floor(Math.min(largest, align(bytes)) / ALIGNMENT) * ALIGNMENT;
  while (buffers.length * unit < bytes) {
    const seed = gpu.freshSeed();
    const size = Math.min(unit, align(bytes - buffers.length * unit));
    const buffer = gpu.device.createBuffer({ size, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC });
    seeds.push(seed);
    buffers.push(buffer);
    await fillBuffer(gpu, buffer, kind === "whole" ? "u32" : kind, seed);
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

/**
 * How much of the memory each kind has: a type's own weights and KV cache, and as much again for what else is
 * streamed, in whole numbers.
 */
function shares(dtype: DType, streamed: ReadonlySet<Element>): Map<Kind, number> {
  const own = cacheOf[dtype];
  const quantised = new Map<Kind, number>([
    ["f16", SCALES_SHARE],
    ["whole", 1 - SCALES_SHARE],
  ]);
  if (quantsOf[dtype] !== undefined) return quantised;
  if (![...streamed].some((element) => kindOf(element) === "whole")) return new Map([[own, 1]]);
  const halves = [...quantised].map(([kind, share]) => [kind, share / 2] as const);
  return new Map([...halves, [own, 1 / 2 + (own === "f16" ? SCALES_SHARE / 2 : 0)]]);
}

/**
 * Allocates and fills about `bytes` of weights, and of what else is streamed. Throws when there is not that much
 * memory.
 */
export async function allocateWeights(
  gpu: Gpu,
  dtype: DType,
  bytes: number,
  streamed: ReadonlySet<Element> = new Set(),
): Promise<Weights> {
  const pools: Pool[] = [];
  const destroy = () => {
    for (const { buffers } of pools) for (const buffer of buffers) buffer.destroy();
  };
  try {
    await guarded(gpu, `allocating ${Math.round(bytes / 2 ** 20)} MiB of weights`, async () => {
      for (const [kind, share] of shares(dtype, streamed)) {
        const pool: Pool = { kind, buffers: [], seeds: [] };
        pools.push(pool);
        await fillPool(gpu, pool, bytes * share);
      }
    });
  } catch (error) {
    destroy();
    throw error;
  }
  const poolOf = ({ element }: Operand): Pool => {
    const found = pools.find(({ kind }) => kind === kindOf(element));
    if (found === undefined) throw new Error(`no ${element} was allocated beside weights in ${dtype}`);
    return found;
  };

  return {
    bytes: pools.reduce((sum, pool) => sum + bytesIn(pool), 0),
    dtype,
    destroy,
    pieces(operands, limit) {
      const used = [...new Set(operands.map(poolOf))];
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
