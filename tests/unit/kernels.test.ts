// What kernels compute: work and references by hand, parts of calls, quantised weights.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Call, kernelOf, workOf } from "../../src/kernels";
import { attention } from "../../src/kernels/attention";
import { variantOf } from "../../src/kernels/choices";
import { onlyF32 } from "../../src/kernels/f32_only";
import { bytesOf, type Matrix } from "../../src/kernels/kernel";
import { randomAt } from "../../src/kernels/random";
import { callOf, calls, matrix } from "./kernel_calls";

describe("work, by hand", () => {
  test.each([
    [callOf("matmul"), 2 * 2 * 3 * 4, 4 * (2 * 4 + 3 * 4 + 2 * 3)],
    [callOf("matvec"), 2 * 3 * 7 * 20, 4 * (3 * 20 + 7 * 20 + 3 * 7)],
    [callOf("swiglu"), 2 * 2 * 3 * 7 * 20, 4 * (3 * 20 + 2 * 7 * 20 + 3 * 7)],
    // Positions 2, 3 and 4 see 3, 4 and 5 keys; two sequences of four heads of 8.
    [callOf("attention"), 2 * 4 * 12 * 8 * 4, 4 * 2 * 8 * (2 * 3 * 4 + 2 * 5 * 2)],
    // The same with 64 numbers to a head; of the cache each has a byte, and each 32 of them two more.
    [callOf("attention_q8_0"), 2 * 4 * 12 * 64 * 4, 4 * 2 * 64 * 2 * 3 * 4 + 2 * 2 * 5 * 2 * (64 + 2 * 2)],
    // A number, a row of the table and a row of the output for each token.
    [callOf("embed"), 0, 4 * (3 + 3 * 20 + 3 * 20)],
    [callOf("rms_norm"), 4 * 3 * 20, 4 * (2 * 3 * 20 + 20)],
    [callOf("add_rms_norm"), 5 * 3 * 20, 4 * (4 * 3 * 20 + 20)],
    // Six tokens of eight heads of 8, the bias of one, three positions, and the same eight heads written.
    [callOf("rope"), 3 * 6 * 6 * 8, 4 * (6 * 64 + 64 + 3 * 8 + 1 + 6 * 64)],
    [callOf("norm_rope"), 3 * 6 * 6 * 8, 4 * (6 * 64 + 64 + 3 * 8 + 1 + 2 * 8 + 6 * 64)],
    // Four heads of 32 and the keys and values of two, which are written as bytes with a scale.
    [
      callOf("rope_q8_0"),
      3 * 6 * 6 * 32,
      4 * (6 * 256 + 256 + 3 * 32 + 1 + 6 * 4 * 32) + 6 * 2 * 2 * (32 + 2),
    ],
    [
      callOf("norm_rope_q8_0"),
      3 * 6 * 6 * 32,
      4 * (6 * 256 + 256 + 3 * 32 + 1 + 2 * 32 + 6 * 4 * 32) + 6 * 2 * 2 * (32 + 2),
    ],
    [callOf("scaled_embed"), 3 * 20, 4 * (3 + 3 * 20 + 3 * 20)],
    [callOf("silu_mul"), 4 * 3 * 20, 4 * 3 * 3 * 20],
    [callOf("gelu_mul"), 9 * 3 * 20, 4 * 3 * 3 * 20],
    [callOf("add"), 3 * 20, 4 * 3 * 3 * 20],
    // As attention, and a sink for each of four heads.
    [callOf("sink_attention"), 2 * 4 * 12 * 8 * 4, 4 * (2 * 8 * (2 * 3 * 4 + 2 * 5 * 2) + 4)],
    [callOf("add_bias"), 3 * 20, 4 * (2 * 3 * 20 + 20)],
    [callOf("join"), 0, 4 * 2 * 3 * 20],
    [callOf("route"), 3 * (2 * 7 + 3 * 2), 4 * (3 * 7 + 7 + 2 * 3 * 2)],
    // Half of six experts are here: three of six pairs meet them, and two of the four that are woken are among them.
    [callOf("expert_matvec"), 2 * 3 * 7 * 20, 4 * (3 * 20 + 6 + 2 * 7 * 20 + 3 * 7)],
    [callOf("expert_swiglu"), 2 * 2 * 3 * 7 * 20, 4 * (3 * 20 + 6 + 2 * 2 * 7 * 20 + 3 * 7)],
    [callOf("expert_matmul"), 2 * 30 * 7 * 20, 4 * (60 * 20 + 60 + 3 * 7 * 20 + 30 * 7)],
    // The biases of four experts for six pairs.
    [callOf("clamped_swiglu"), 11 * 6 * 20, 4 * (6 * 40 + 6 + 4 * 40 + 6 * 20)],
    [callOf("combine"), 2 * 6 * 20, 4 * (6 * 20 + 6 + 3 * 20)],
    [callOf("biased_combine"), 3 * 6 * 20, 4 * (6 * 20 + 6 + 6 + 4 * 20 + 3 * 20)],
    [callOf("argmax"), 3 * 7, 4 * (3 * 7 + 3)],
    [callOf("sample"), 3 * 3 * 7, 4 * (3 * 7 + 1 + 3)],
    [callOf("cross_entropy"), 4 * 3 * 7, 4 * (3 * 7 + 3 + 3 * 2)],
    [callOf("cross_entropy_backward"), 4 * 3 * 7, 4 * (2 * 3 * 7 + 3 + 3 * 2)],
    [callOf("matmul_nn"), 2 * 2 * 3 * 4, 4 * (2 * 4 + 4 * 3 + 2 * 3)],
    [callOf("matmul_tn"), 2 * 2 * 3 * 4, 4 * (2 * 4 + 4 * 3 + 2 * 3)],
    [callOf("rms_norm_backward"), 11 * 3 * 20, 4 * (4 * 3 * 20 + 20)],
    [callOf("add_rms_norm_backward"), 12 * 3 * 20, 4 * (5 * 3 * 20 + 20)],
    [callOf("column_sum"), 3 * 20, 4 * (3 * 20 + 20)],
    [callOf("silu_mul_backward"), 11 * 3 * 20, 4 * 5 * 3 * 20],
    // Of five tokens with a window of 3, 1 + 2 + 3 + 3 + 3 keys are seen; two sequences of four heads of 8, ten tokens.
    [callOf("attention_stats"), 2 * 2 * 4 * 12 * 8 + 2 * 40 * 8, 4 * (3 * 40 * 8 + 20 * 8 + 40 * 2)],
    [callOf("attention_dq"), 3 * 2 * 2 * 4 * 12 * 8, 4 * (3 * 40 * 8 + 2 * 20 * 8 + 40 * 2)],
    [callOf("attention_dkv"), 4 * 2 * 2 * 4 * 12 * 8, 4 * (2 * 40 * 8 + 4 * 20 * 8 + 40 * 2)],
    [callOf("rope_backward"), 3 * 6 * 6 * 8, 4 * (2 * 6 * 64 + 3 * 8)],
    [callOf("embed_backward"), 3 * 20, 4 * (3 + 3 * 20 + 7 * 20)],
    [callOf("add_embed_backward"), 10 * 20, 4 * (3 + 3 * 20 + 2 * 7 * 20)],
    [callOf("adamw"), 15 * 3 * 20, 4 * (7 * 3 * 20 + 4)],
    [callOf("fma"), 2 * 4 * 10 * 4 * 16, 4 * (8 + 40)],
    [callOf("read"), 4 * 2 * 3, 4 * 24 + 16 * 2],
    [callOf("dot"), 2 * 4 * 10 * 4 * 16, 4 * (4 + 10)],
    [callOf("mma"), 2 * 8 * 16 * 8 * 3 * 4 * 16, 4 * (2 * 32 + 3 * 8 * 16)],
    [callOf("reread"), 4 * 5 * 3, 4 * 4 * 15 + 16 * 5],
    [callOf("copy"), 0, 4 * 40],
    [callOf("fill"), 0, 4 * 20],
    [callOf("empty"), 0, 0],
  ] as const)("$kernel in f32", (call, flops, bytes) => {
    expect(workOf(call, "f32")).toEqual({ flops, bytes });
    expect(workOf(call, "f16").flops).toBe(flops);
  });

  test("f16 moves half the bytes, except where sums are kept in f32 and where words are filled, whatever is in them", () => {
    for (const call of calls) {
      if (kernelOf(call.kernel).unsupported?.(call.shape, "f16") === onlyF32(call.shape, "f16")) continue;
      const [wide, narrow] = [workOf(call, "f32").bytes, workOf(call, "f16").bytes];
      const expected =
        {
          read: 2 * 24 + 16 * 2,
          reread: 2 * 4 * 15 + 16 * 5,
          mma: 2 * 2 * 32 + 4 * 3 * 8 * 16,
          dot: wide,
          fill: wide,
          // Tokens, positions and angles are not in the type.
          embed: (wide + 4 * 3) / 2,
          scaled_embed: (wide + 4 * 3) / 2,
          rope: (wide + 4 * (3 * 8 + 1)) / 2,
          norm_rope: (wide + 4 * (3 * 8 + 1)) / 2,
          // Nor are experts' numbers and what they count.
          route: (wide + 4 * 12) / 2,
          expert_matvec: (wide + 4 * 6) / 2,
          expert_swiglu: (wide + 4 * 6) / 2,
          expert_matmul: (wide + 4 * 60) / 2,
          clamped_swiglu: (wide + 4 * 6) / 2,
          combine: (wide + 4 * 6) / 2,
          biased_combine: (wide + 4 * 12) / 2,
          // Nor is a cache in q8_0.
          attention_q8_0: (wide + 2 * 2 * 5 * 2 * 68) / 2,
          rope_q8_0: (wide + 4 * (3 * 32 + 1) + 6 * 2 * 2 * 34) / 2,
          norm_rope_q8_0: (wide + 4 * (3 * 32 + 1) + 6 * 2 * 2 * 34) / 2,
          argmax: (wide + 4 * 3) / 2,
          sample: (wide + 4 * 4) / 2,
        }[call.kernel as string] ?? wide / 2;
      expect(narrow, call.kernel).toBe(expected);
    }
  });

  test("attention counts the pairs and reads the keys that some query sees, and no others", () => {
    const shape = fc
      .record({
        batch: fc.integer({ min: 1, max: 3 }),
        queries: fc.integer({ min: 1, max: 12 }),
        past: fc.integer({ min: 0, max: 12 }),
        kvHeads: fc.integer({ min: 1, max: 3 }),
        sharing: fc.integer({ min: 1, max: 3 }),
        window: fc.integer({ min: 1, max: 24 }),
      })
      .map(({ batch, queries, past, kvHeads, sharing, window }) => {
        const keys = queries + past;
        const heads = kvHeads * sharing;
        return { batch, queries, keys, heads, kvHeads, headDim: 4, window: Math.min(window, keys) };
      });
    fc.assert(
      fc.property(shape, (each) => {
        let pairs = 0;
        const seen = new Set<number>();
        for (let query = 0; query < each.queries; query++) {
          const position = each.keys - each.queries + query;
          for (let key = 0; key <= position; key++) {
            if (key <= position - each.window) continue;
            pairs++;
            seen.add(key);
          }
        }
        const { batch, heads, kvHeads, queries } = each;
        expect(attention.work(each, "f32")).toEqual({
          flops: 2 * 2 * 4 * batch * heads * pairs,
          bytes: 4 * 4 * batch * 2 * (queries * heads + seen.size * kvHeads),
        });
      }),
    );
  });
});

describe("references, by hand", () => {
  const values = (call: Call, inputs: Matrix[], row: number, columns: number[]) =>
    kernelOf(call.kernel)
      .reference(call.shape, inputs, row, columns, "f32")
      .map(({ value }) => value);

  test.each(["matmul", "matvec"] as const)("%s multiplies rows by rows", (kernel) => {
    const call: Call = { kernel, shape: { M: 2, N: 2, K: 2 } };
    const inputs = [matrix([1, 2], [3, 4]), matrix([5, 6], [7, 8])];
    expect(values(call, inputs, 0, [0, 1])).toEqual([17, 23]);
    expect(values(call, inputs, 1, [0, 1])).toEqual([39, 53]);
    expect(values(call, inputs, 1, [1])).toEqual([53]);
  });

  test("the magnitude of a sum is that of its terms, not of what is left of them", () => {
    const call: Call = { kernel: "matmul", shape: { M: 1, N: 1, K: 2 } };
    const [sum] = kernelOf("matmul").reference(call.shape, [matrix([3, -2]), matrix([2, 3])], 0, [0], "f32");
    expect(sum).toEqual({ value: 0, magnitude: 12 });
  });

  test("swiglu multiplies SiLU of the first half of its rows by the second", () => {
    const call: Call = { kernel: "swiglu", shape: { M: 1, N: 2, K: 2 } };
    const [a, b] = values(call, [matrix([1, 2]), matrix([0, 0], [3, 4], [5, 6], [7, 8])], 0, [0, 1]);
    expect(a).toBe(0);
    expect(b).toBeCloseTo((11 / (1 + Math.exp(-11))) * 23, 9);
  });

  describe("attention", () => {
    const shape = { batch: 1, queries: 1, keys: 2, heads: 1, kvHeads: 1, headDim: 4, window: 2 };
    const call = (changes: Partial<typeof shape> = {}): Call => ({
      kernel: "attention",
      shape: { ...shape, ...changes },
    });
    // q·k / √4 is 0 for the first key and ln 3 for the second: weights of 1/4 and 3/4.
    const q = matrix([2, 0, 0, 0], [2, 0, 0, 0]);
    const k = matrix([0, 1, 1, 1], [Math.log(3), 5, 5, 5]);
    const v = matrix([4, 8, 0, -4], [8, 0, 4, 0]);

    test("weighs two values by the softmax of their scores", () => {
      const [a, b, c, d] = values(call(), [q, k, v], 0, [0, 1, 2, 3]);
      expect([a, b, c, d].map((value) => value!.toFixed(12))).toEqual(
        [7, 2, 3, -1].map((value) => value.toFixed(12)),
      );
    });

    test("lets no query see the keys after it", () => {
      expect(values(call({ queries: 2 }), [q, k, v], 0, [0])).toEqual([4]);
      expect(values(call({ queries: 2 }), [q, k, v], 1, [0])[0]).toBeCloseTo(7, 12);
    });

    test("lets a query see no further back than its window", () => {
      expect(values(call({ window: 1 }), [q, k, v], 0, [0, 1])).toEqual([8, 0]);
    });

    test("shares a key/value head among neighbouring query heads, and no cache among sequences", () => {
      const many = call({ batch: 2, keys: 1, heads: 4, kvHeads: 2, window: 1 });
      const rowOfCache: Matrix = (row) => row;
      const read = Array.from(
        { length: 8 },
        (_, row) => values(many, [() => 1, () => 1, rowOfCache], row, [0])[0],
      );
      expect(read).toEqual([0, 0, 1, 1, 2, 2, 3, 3]);
    });

    test("survives scores whose exponentials would overflow", () => {
      const large = matrix([2000, 0, 0, 0]);
      expect(values(call(), [large, k, v], 0, [0])).toEqual([8]);
    });
  });

  test("fma counts its steps up or down and adds the chains up", () => {
    const one: Call = { kernel: "fma", shape: { invocations: 64, chains: 1, steps: 2 } };
    const up = matrix([0.4], [0.1]);
    const down = matrix([0.4], [-0.1]);
    // Invocation 32 starts at 32 and takes two steps of 1.
    expect(values(one, [up], 32, [0])).toEqual([34]);
    expect(values(one, [down], 32, [0])).toEqual([30]);
    const two: Call = { kernel: "fma", shape: { invocations: 64, chains: 2, steps: 1 } };
    // The chains of invocation 1 start at 2 and 3.
    expect(values(two, [up], 1, [0])).toEqual([7]);
  });

  test("read adds up each lane of a slice", () => {
    const data = matrix([1, 2, 3, 4, 10, 20, 30, 40], [0, 0, 0, 0, 1, 1, 1, 1]);
    const call: Call = { kernel: "read", shape: { groups: 2, words: 2 } };
    expect(values(call, [data], 0, [0, 1, 2, 3])).toEqual([11, 22, 33, 44]);
    expect(values(call, [data], 1, [3])).toEqual([1]);
  });

  test("copy copies, fill draws from its stream, empty leaves its mark", () => {
    expect(values(callOf("copy"), [matrix([5, 6, 7])], 0, [2, 0])).toEqual([7, 5]);
    expect(values(callOf("fill"), [], 0, [0, 3])).toEqual([randomAt(9, 0), randomAt(9, 3)]);
    expect(values(callOf("empty"), [], 0, [0])).toEqual([7]);
  });
});

describe("splitting", () => {
  test.each(["matmul", "matvec", "swiglu"] as const)(
    "%s into rows of weights that start at a multiple of 64",
    (name) => {
      const size = fc.integer({ min: 1, max: 300_000 });
      fc.assert(
        fc.property(size, fc.integer({ min: 2, max: 4096 }), (N, parts) => {
          const piece = kernelOf(name).split!({ M: 2, N, K: 64 }, parts) as Record<string, number>;
          expect(piece).toMatchObject({ M: 2, K: 64 });
          expect(piece.N! % 64 === 0 || piece.N === N).toBe(true);
          expect(piece.N!).toBeGreaterThan(0);
          expect(piece.N!).toBeLessThanOrEqual(N);
        }),
      );
    },
  );

  test("attention into whole sequences, then whole key/value heads with all their query heads", () => {
    const shape = fc.record({
      batch: fc.integer({ min: 1, max: 64 }),
      kvHeads: fc.integer({ min: 1, max: 16 }),
      sharing: fc.integer({ min: 1, max: 8 }),
    });
    fc.assert(
      fc.property(shape, fc.integer({ min: 2, max: 256 }), ({ batch, kvHeads, sharing }, parts) => {
        const call = {
          batch,
          queries: 1,
          keys: 100,
          heads: kvHeads * sharing,
          kvHeads,
          headDim: 64,
          window: 100,
        };
        const piece = attention.split!(call, parts);
        expect(piece).toMatchObject({ queries: 1, keys: 100, headDim: 64, window: 100 });
        expect(piece.heads).toBe(piece.kvHeads * sharing);
        for (const [part, whole] of [
          [piece.batch, batch],
          [piece.kvHeads, kvHeads],
        ] as const) {
          expect(Number.isInteger(part)).toBe(true);
          expect(part).toBeGreaterThanOrEqual(1);
          expect(part).toBeLessThanOrEqual(whole);
        }
        // Heads are divided only where one sequence is already too much.
        if (piece.kvHeads < kvHeads) expect(piece.batch).toBe(1);
      }),
    );
  });
});

describe("quantised weights", () => {
  const shape = { M: 1, N: 2, K: 64 };

  test.each([
    ["q8_0", 2 * 64 + 2 * 2 * 2],
    ["q4_0", 64 + 2 * 2 * 2],
  ] as const)("%s moves its whole numbers, a scale for each 32 and f32 activations", (dtype, weights) => {
    expect(kernelOf("matvec").work(shape, dtype)).toEqual({ flops: 256, bytes: weights + 4 * 64 + 4 * 2 });
  });

  test("are multiplied by the scale of their block", () => {
    const scales = matrix([0.5, 2]);
    const [one] = kernelOf("matvec").reference(
      { ...shape, N: 1 },
      [() => 1, (_, k) => (k < 32 ? 1 : 3), scales],
      0,
      [0],
      "q4_0",
    );
    expect(one!.value).toBe(32 * 0.5 + 32 * 3 * 2);
  });

  test("need whole blocks of 32 along K", () => {
    expect(kernelOf("matmul").unsupported?.({ M: 1, N: 1, K: 48 }, "q4_0")).toMatch(/K = 48/);
    expect(kernelOf("matmul").unsupported?.({ M: 1, N: 1, K: 48 }, "f16")).toBeUndefined();
  });

  test("fill as much memory as GGML's blocks do: 34 and 18 bytes for 32 weights", () => {
    for (const [dtype, block] of [
      ["q8_0", 34],
      ["q4_0", 18],
    ] as const) {
      const operands = kernelOf("matmul").operands({ M: 1, N: 10, K: 128 }, dtype);
      const weights = operands.filter(({ role }) => role === "weights");
      expect(weights.reduce((sum, operand) => sum + bytesOf(operand), 0)).toBe(10 * 4 * block);
    }
  });

  test("meet activations rounded to eight bits, each block by its largest", () => {
    const { rounded } = variantOf(kernelOf("matvec"), { variant: "packed", tuning: {} });
    const x: Matrix = (_, k) => (k < 32 ? (k === 3 ? -1 : 0.26) : k === 40 ? 10 : 0);
    const [bytes] = rounded!.inputs([x, () => 0, () => 0], shape);
    expect(bytes!(0, 3)).toBe(-1);
    expect(bytes!(0, 4)).toBeCloseTo(33 / 127, 12);
    expect(bytes!(0, 40)).toBe(10);
    expect(bytes!(0, 41)).toBe(0);
  });
});
