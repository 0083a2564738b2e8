import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { divide, type Roofs } from "../../src/engine/pieces";
import { type Call, kernelOf, workOf } from "../../src/kernels";
import type { DType } from "../../src/kernels/elements";
import { bytesOf } from "../../src/kernels/kernel";
import { decode, modelConfig, modelIds, prefill } from "../../src/workloads";

const fast: Roofs = { flops: 50e12, bandwidth: 3e12 };
const slow: Roofs = { flops: 20e9, bandwidth: 5e9 };

/** Bytes that one dispatch takes from the weights' memory, and of its largest operand. */
function bindings({ kernel, shape }: Call, dtype: DType) {
  const operands = kernelOf(kernel).operands(shape, dtype);
  const streamed = operands.filter(({ role }) => role === "weights" || role === "kv-cache");
  const bytes = (list: typeof operands) => list.map((operand) => bytesOf(operand));
  return {
    streamed: bytes(streamed).reduce((a, b) => a + b, 0),
    largest: Math.max(...bytes(operands)),
  };
}

const dtypes: DType[] = ["f32", "f16", "q8_0", "q4_0"];
const calls = modelIds.flatMap((id) =>
  [
    prefill(id, modelConfig(id), 512, 0),
    decode(id, modelConfig(id), 128, 4096, 1),
    decode(id, modelConfig(id), 128, 8000, 32),
  ].flatMap(({ steps }) => steps.map(({ label, call }) => ({ name: `${id} ${label}`, call }))),
);

describe.each(dtypes)("%s", (dtype) => {
  test("a call that fits and is short enough stays whole", () => {
    for (const [M, N, K] of [
      [1, 2048, 2048],
      [512, 2048, 2048],
    ] as const) {
      const call: Call = { kernel: "matmul", shape: { M, N, K } };
      expect(divide(call, dtype, fast, 2 ** 31)).toEqual({ piece: call, pieces: 1 });
    }
  });

  test.each([2 ** 27, 2 ** 28, 2 ** 29, 2 ** 31])(
    "no piece of a model outgrows a binding of %d bytes",
    (binding) => {
      const outgrown = calls.filter(({ call }) => {
        const { streamed, largest } = bindings(divide(call, dtype, fast, binding).piece, dtype);
        return Math.max(streamed, largest) > binding;
      });
      expect(outgrown.map(({ name, call }) => ({ name, ...call.shape }))).toEqual([]);
    },
  );

  test.each([
    ["fast", fast],
    ["slow", slow],
  ])("the pieces of every call of the models add up to it on a %s device", (_, roofs) => {
    for (const { name, call } of calls) {
      const { piece, pieces } = divide(call, dtype, roofs, 2 ** 27);
      expect(pieces, name).toBeGreaterThanOrEqual(1);
      expect((pieces * workOf(piece, dtype).flops) / workOf(call, dtype).flops, name).toBeCloseTo(1, 5);
    }
  });

  test("a slow device gets shorter dispatches", () => {
    const call: Call = { kernel: "matmul", shape: { M: 512, N: 16_384, K: 2048 } };
    const { pieces } = divide(call, dtype, slow, 2 ** 31);
    // 34 GFLOP at 2 GFLOP/s, a tenth of the roof, in dispatches of 35 ms.
    expect(pieces).toBeGreaterThan(100);
    expect(divide(call, dtype, fast, 2 ** 31).pieces).toBe(1);
  });
});

test("no piece outgrows the binding, as long as the smallest possible piece does not", () => {
  const matvec = fc.record({
    M: fc.integer({ min: 1, max: 8 }),
    N: fc.integer({ min: 1, max: 300_000 }),
    K: fc.integer({ min: 4, max: 32_768 }),
  });
  const cache = fc.record({
    batch: fc.integer({ min: 1, max: 64 }),
    keys: fc.integer({ min: 1, max: 32_768 }),
    kvHeads: fc.integer({ min: 1, max: 16 }),
    headDim: fc.constantFrom(64, 128, 256),
  });
  fc.assert(
    fc.property(
      fc.oneof(
        matvec.map((shape): Call => ({ kernel: "matvec", shape })),
        cache.map((shape): Call => {
          const { kvHeads, keys } = shape;
          return {
            kernel: "attention",
            shape: { ...shape, queries: 1, heads: 4 * kvHeads, window: keys },
          };
        }),
      ),
      fc.constantFrom(...dtypes),
      (call, dtype) => {
        // 64 rows of 32,768 or one head of 32,768 keys take at most 64 MiB.
        const { streamed } = bindings(divide(call, dtype, fast, 2 ** 27).piece, dtype);
        expect(streamed).toBeLessThanOrEqual(2 ** 27);
      },
    ),
    { numRuns: 1000 },
  );
});

test("a call that cannot be divided stays whole, whatever its size", () => {
  const call: Call = { kernel: "read", shape: { groups: 65_536, words: 4096 } };
  expect(divide(call, "f32", slow, 2 ** 27)).toEqual({ piece: call, pieces: 1 });
});
