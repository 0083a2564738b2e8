import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type AnyShape, type Call, type KernelName, kernelOf, kernels, workOf } from "../../src/kernels";
import { attention } from "../../src/kernels/attention";
import {
  type Choice,
  choiceName,
  defaultChoice,
  isChoice,
  neighbours,
  starts,
  variantOf,
} from "../../src/kernels/choices";
import { bitsOf, decoder, dtypes, storedAt } from "../../src/kernels/elements";
import { bytesOf, type Matrix, outputsOf } from "../../src/kernels/kernel";
import { gridOf, render } from "../../src/kernels/prelude";
import { randomAt, randomBits } from "../../src/kernels/random";
import { callName, decode, modelConfig, modelIds, prefill } from "../../src/workloads";

const names = Object.keys(kernels) as KernelName[];

/** A call of every kernel, with no size a multiple of another. */
const calls: Call[] = [
  { kernel: "matmul", shape: { M: 2, N: 3, K: 4 } },
  { kernel: "matvec", shape: { M: 3, N: 7, K: 20 } },
  { kernel: "swiglu", shape: { M: 3, N: 7, K: 20 } },
  {
    kernel: "attention",
    shape: { batch: 2, queries: 3, keys: 5, heads: 4, kvHeads: 2, headDim: 8, window: 5 },
  },
  { kernel: "embed", shape: { tokens: 3, vocab: 7, hidden: 20, piece: 1 } },
  { kernel: "rms_norm", shape: { rows: 3, columns: 20, nanoEpsilon: 10_000 } },
  { kernel: "add_rms_norm", shape: { rows: 3, columns: 20, nanoEpsilon: 10_000 } },
  { kernel: "rope", shape: { batch: 2, queries: 3, heads: 4, kvHeads: 2, headDim: 8, capacity: 5 } },
  {
    kernel: "norm_rope",
    shape: { batch: 2, queries: 3, heads: 4, kvHeads: 2, headDim: 8, capacity: 5, nanoEpsilon: 1000 },
  },
  { kernel: "scaled_embed", shape: { tokens: 3, vocab: 7, hidden: 20, piece: 1 } },
  { kernel: "silu_mul", shape: { rows: 3, columns: 20 } },
  { kernel: "gelu_mul", shape: { rows: 3, columns: 20 } },
  { kernel: "add", shape: { rows: 3, columns: 20 } },
  { kernel: "argmax", shape: { rows: 3, columns: 7, block: 4 } },
  { kernel: "sample", shape: { rows: 3, columns: 7, block: 4, milliTemperature: 700, seed: 5 } },
  { kernel: "fma", shape: { invocations: 10, chains: 4, steps: 16 } },
  { kernel: "read", shape: { groups: 2, words: 3 } },
  { kernel: "dot", shape: { invocations: 10, chains: 4, steps: 16 } },
  { kernel: "mma", shape: { subgroups: 3, chains: 4, steps: 16, M: 8, N: 16, K: 8 } },
  { kernel: "reread", shape: { groups: 5, words: 3, slices: 2 } },
  { kernel: "copy", shape: { words: 5 } },
  { kernel: "fill", shape: { words: 5, seed: 9 } },
  { kernel: "empty", shape: { mark: 7 } },
];
const callOf = (name: KernelName) => calls.find(({ kernel }) => kernel === name)!;

const matrix =
  (...rows: number[][]): Matrix =>
  (row, column) =>
    rows[row]![column]!;

describe("work, by hand", () => {
  test.each([
    [callOf("matmul"), 2 * 2 * 3 * 4, 4 * (2 * 4 + 3 * 4 + 2 * 3)],
    [callOf("matvec"), 2 * 3 * 7 * 20, 4 * (3 * 20 + 7 * 20 + 3 * 7)],
    [callOf("swiglu"), 2 * 2 * 3 * 7 * 20, 4 * (3 * 20 + 2 * 7 * 20 + 3 * 7)],
    // Positions 2, 3 and 4 see 3, 4 and 5 keys; two sequences of four heads of 8.
    [callOf("attention"), 2 * 4 * 12 * 8 * 4, 4 * 2 * 8 * (2 * 3 * 4 + 2 * 5 * 2)],
    // A number, a row of the table and a row of the output for each token.
    [callOf("embed"), 0, 4 * (3 + 3 * 20 + 3 * 20)],
    [callOf("rms_norm"), 4 * 3 * 20, 4 * (2 * 3 * 20 + 20)],
    [callOf("add_rms_norm"), 5 * 3 * 20, 4 * (4 * 3 * 20 + 20)],
    // Six tokens of eight heads of 8, the bias of one, three positions, and the same eight heads written.
    [callOf("rope"), 3 * 6 * 6 * 8, 4 * (6 * 64 + 64 + 3 * 8 + 1 + 6 * 64)],
    [callOf("norm_rope"), 3 * 6 * 6 * 8, 4 * (6 * 64 + 64 + 3 * 8 + 1 + 2 * 8 + 6 * 64)],
    [callOf("scaled_embed"), 3 * 20, 4 * (3 + 3 * 20 + 3 * 20)],
    [callOf("silu_mul"), 4 * 3 * 20, 4 * 3 * 3 * 20],
    [callOf("gelu_mul"), 9 * 3 * 20, 4 * 3 * 3 * 20],
    [callOf("add"), 3 * 20, 4 * 3 * 3 * 20],
    [callOf("argmax"), 3 * 7, 4 * (3 * 7 + 3)],
    [callOf("sample"), 3 * 3 * 7, 4 * (3 * 7 + 1 + 3)],
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

  test("embed takes the rows of its tokens, and leaves those of other pieces alone", () => {
    const call: Call = { kernel: "embed", shape: { tokens: 3, vocab: 2, hidden: 2, piece: 2 } };
    const inputs = [matrix([1, 3, 2]), matrix([1, 2], [3, 4])];
    expect(values(call, inputs, 1, [0, 1])).toEqual([3, 4]);
    expect(values(call, inputs, 2, [1])).toEqual([2]);
    const alone = [0, 1, 2].map((row) => kernelOf("embed").untouched!(call.shape, inputs, row));
    expect(alone).toEqual([true, false, false]);
  });

  test("rms_norm divides by the root mean square, add_rms_norm what it has added up", () => {
    const shape = { rows: 1, columns: 2, nanoEpsilon: 500_000_000 };
    // (1 + 8) / 2 with an epsilon of a half... is 5; with 3.5² it is 13.
    const [a, b] = values(
      { kernel: "rms_norm", shape },
      [matrix([1, Math.sqrt(8)]), matrix([2, 1])],
      0,
      [0, 1],
    );
    expect(a).toBeCloseTo(2 / Math.sqrt(5), 12);
    expect(b).toBeCloseTo(Math.sqrt(8 / 5), 12);
    const added: Call = { kernel: "add_rms_norm", shape };
    const inputs = [matrix([3, 1]), matrix([2, 1]), matrix([-2, Math.sqrt(8) - 1])];
    expect(values(added, inputs, 0, [0])).toEqual([1]);
    expect(values(added, inputs, 1, [0])[0]).toBeCloseTo(2 / Math.sqrt(5), 12);
  });

  describe("rope", () => {
    const shape = { batch: 2, queries: 1, heads: 1, kvHeads: 1, headDim: 4, capacity: 3 };
    const call: Call = { kernel: "rope", shape };
    // A quarter turn of the first pair and none of the second, at position 1.
    const angles = matrix([9, 9, 9, 9], [0, 1, 1, 0], [9, 9, 9, 9]);
    const qkv = matrix([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], [0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 7]);
    const bias: Matrix = (_, column) => (column === 0 ? 100 : 0);
    const inputs = [qkv, bias, angles, matrix([1])];

    test("turns the first half of a head against the second, after the bias", () => {
      expect(values(call, inputs, 0, [0, 1, 2, 3])).toEqual([-3, 2, 101, 4]);
    });

    test("puts keys, turned, and values, as they are, into their sequence's place in the cache", () => {
      // Two rows of q, then three of k for each sequence, then those of v.
      expect(values(call, inputs, 2 + 1, [0, 1, 2, 3])).toEqual([-7, 6, 5, 8]);
      expect(values(call, inputs, 2 + 4, [2])).toEqual([1]);
      expect(values(call, inputs, 2 + 6 + 1, [0, 3])).toEqual([9, 12]);
      expect(values(call, inputs, 2 + 6 + 4, [3])).toEqual([7]);
      const alone = Array.from({ length: 14 }, (_, row) => kernelOf("rope").untouched!(shape, inputs, row));
      expect(alone.flatMap((left, row) => (left ? [] : [row]))).toEqual([0, 1, 3, 6, 9, 12]);
    });

    test("norms queries and keys, not values, each with its own weights, before it turns them", () => {
      const normed: Call = { kernel: "norm_rope", shape: { ...shape, batch: 1, nanoEpsilon: 1 } };
      const given = [matrix([2, 2, 2, 2, 4, 4, 4, 4, 6, 6, 6, 6]), () => 0, angles, matrix([1])];
      const norms = matrix([1, 2, 3, 4], [10, 20, 30, 40]);
      const rounded = (row: number) =>
        values(normed, [...given, norms], row, [0, 1, 2, 3]).map((value) => Number(value.toFixed(6)));
      expect(rounded(0)).toEqual([-3, 2, 1, 4]);
      expect(rounded(1 + 1)).toEqual([-30, 20, 10, 40]);
      expect(rounded(1 + 3 + 1)).toEqual([6, 6, 6, 6]);
    });
  });

  test("scaled_embed multiplies by the root of its columns, gelu_mul gates by GELU", () => {
    const call: Call = { kernel: "scaled_embed", shape: { tokens: 1, vocab: 1, hidden: 4, piece: 1 } };
    expect(values(call, [matrix([0]), matrix([1, 2, 3, 4])], 0, [0, 3])).toEqual([2, 8]);
    const gated = matrix([0, 1, -1, 30, 5, 1, 1, 2]);
    const gelu: Call = { kernel: "gelu_mul", shape: { rows: 1, columns: 4 } };
    // By the tanh it is 0.841192 at 1, where the Gaussian's own distribution gives 0.841345.
    const rounded = values(gelu, [gated], 0, [0, 1, 2, 3]).map((value) => Number(value.toFixed(6)));
    expect(rounded).toEqual([0, 0.841192, -0.158808, 60]);
  });

  test("silu_mul gates the second half of a row by the first, add adds", () => {
    const gated = matrix([0, 1, 2, -1, 5, 6, 7, 8]);
    const call: Call = { kernel: "silu_mul", shape: { rows: 1, columns: 4 } };
    expect(values(call, [gated], 0, [0, 3])[0]).toBe(0);
    expect(values(call, [gated], 0, [3])[0]).toBeCloseTo((-1 / (1 + Math.E)) * 8, 12);
    expect(values(callOf("add"), [() => 2, () => 3], 0, [0])).toEqual([5]);
  });

  test("argmax finds the first of the largest, block by block", () => {
    const call: Call = { kernel: "argmax", shape: { rows: 2, columns: 5, block: 2 } };
    // Blocks of two columns, each with both rows.
    const logits = matrix([1, 2], [5, 1], [7, 7], [1, 1], [3, 9], [5, 9]);
    expect(values(call, [logits], 0, [0, 1])).toEqual([2, 0]);
  });

  test("sample draws each token as often as the softmax at its temperature says", () => {
    const logits = matrix([0, 1, 2]);
    const weights = [0, 1, 2].map((logit) => Math.exp(logit / 0.5));
    const total = weights.reduce((a, b) => a + b);
    const counts = [0, 0, 0];
    const draws = 20_000;
    const shape = { rows: 1, columns: 3, block: 3, milliTemperature: 500, seed: 11 };
    for (let position = 0; position < draws; position++) {
      const [token] = values({ kernel: "sample", shape }, [logits, matrix([position])], 0, [0]);
      counts[token!]!++;
    }
    // Three and a half standard deviations of a binomial count.
    weights.forEach((weight, token) => {
      const share = weight / total;
      expect(Math.abs(counts[token]! / draws - share)).toBeLessThan(
        3.5 * Math.sqrt((share * (1 - share)) / draws),
      );
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

describe("unrolling", () => {
  const unrolled = (constants: Record<string, number>, ...wgsl: string[]) =>
    render({ constants }, wgsl.join("\n")).code.split("\n").slice(Object.keys(constants).length);

  test("writes nested loops out and says which line each came from", () => {
    const { code, lines } = render(
      { enable: ["f16"], alias: { elem: "f16" }, constants: { ROWS: 2 } },
      [
        "fn main() {",
        "  for (var i = 0u; i < ROWS; i++) { // unroll",
        "    for (var k = 0u; k < 2u; k++) { // unroll",
        "      x[i][k] = index;",
        "    }",
        "  }",
        "}",
      ].join("\n"),
    );
    expect(code.split("\n").map((text, i) => `${lines[i]} ${text.trim()}`)).toEqual([
      "0 enable f16;",
      "0 alias elem = f16;",
      "0 const ROWS = 2u;",
      "1 fn main() {",
      ...[0, 1].flatMap((i) => [
        "2 {",
        ...[0, 1].flatMap((k) => ["3 {", `4 x[${i}u][${k}u] = index;`, "5 }"]),
        "6 }",
      ]),
      "7 }",
    ]);
  });

  test("counts from any start in any step", () => {
    expect(unrolled({}, "for (var n = 1u; n < 9u; n += 4u) { // unroll", "  f(n);", "}")).toEqual([
      "{",
      "  f(1u);",
      "}",
      "{",
      "  f(5u);",
      "}",
    ]);
    expect(
      unrolled({ STEP: 3, END: 7 }, "for (var n = 0u; n < END; n += STEP) { // unroll", "f(n);", "}").filter(
        (line) => line.startsWith("f"),
      ),
    ).toEqual(["f(0u);", "f(3u);", "f(6u);"]);
  });

  test("leaves nothing of a loop that does not run once", () => {
    expect(
      unrolled({ LOADS: 1 }, "a();", "for (var i = 1u; i < LOADS; i++) { // unroll", "b(i);", "}", "c();"),
    ).toEqual(["a();", "c();"]);
  });

  test("leaves unmarked loops alone", () => {
    const loop = ["for (var i = 0u; i < 4u; i++) {", "  f(i);", "}"];
    expect(unrolled({}, ...loop)).toEqual(loop);
  });

  test("throws at a bound that is no constant, and at a loop without an end", () => {
    expect(() => unrolled({}, "for (var i = 0u; i < LIMIT; i++) { // unroll", "}")).toThrow(/LIMIT/);
    expect(() => unrolled({}, "a();", "for (var i = 0u; i < 2u; i++) { // unroll", "b();")).toThrow(/line 2/);
  });
});

/** Shapes with whole blocks of 32, for weights that come in them. */
const blocked: Partial<Record<KernelName, AnyShape>> = {
  matmul: { M: 2, N: 3, K: 64 },
  matvec: { M: 3, N: 7, K: 64 },
  swiglu: { M: 3, N: 7, K: 64 },
  embed: { tokens: 3, vocab: 7, hidden: 64, piece: 1 },
  scaled_embed: { tokens: 3, vocab: 7, hidden: 64, piece: 1 },
};

describe.each(names)("%s", (name) => {
  const kernel = kernelOf(name);
  const { shape } = callOf(name);

  test("names the fields of its shape in order", () => {
    expect(Object.keys(shape)).toEqual(kernel.fields);
  });

  test("has a name of its own for every start, and every start in its space", () => {
    const list = starts(kernel);
    expect(new Set(list.map((choice) => choiceName(kernel, choice))).size).toBe(list.length);
    expect(list.filter((choice) => !isChoice(kernel, choice))).toEqual([]);
    expect(defaultChoice(kernel)).toEqual(list[0]);
  });

  test("has neighbours one step away from each start, all in its space and named differently", () => {
    for (const choice of starts(kernel)) {
      for (const other of neighbours(kernel, choice)) {
        expect(isChoice(kernel, other)).toBe(true);
        expect(choiceName(kernel, other)).not.toBe(choiceName(kernel, choice));
        const changed = Object.keys(other.tuning).filter((key) => other.tuning[key] !== choice.tuning[key]);
        expect(changed).toHaveLength(1);
      }
    }
  });

  const cases = dtypes.flatMap((dtype) => {
    const given = kernel.unsupported?.(shape, dtype) === undefined ? shape : (blocked[name] ?? shape);
    if (kernel.unsupported?.(given, dtype) !== undefined) return [];
    return starts(kernel).flatMap((choice) =>
      variantOf(kernel, choice).unfit?.(choice.tuning, given, dtype) === undefined
        ? [{ title: `${dtype}, ${choiceName(kernel, choice)}`, dtype, choice, shape: given }]
        : [],
    );
  });

  test.each(cases)("$title: every stage binds what it declares", ({ dtype, choice, shape: given }) => {
    const variant = variantOf(kernel, choice);
    const stages = variant.stages(choice.tuning, given, dtype);
    const operands = kernel.operands(given, dtype);
    const scratch = variant.scratch?.(choice.tuning, given, dtype) ?? [];
    const roles = new Map([...operands, ...scratch].map(({ name: each, role }) => [each, role]));
    expect(roles.size).toBe(operands.length + scratch.length);
    expect(operands.at(-1)!.role).toBe("output");
    const written = new Set<string>();
    for (const { shader, binds, workgroups } of stages) {
      const wgsl = variant.shaders[shader]!;
      const bindings = [...wgsl.matchAll(/@binding\((\d)\) var<(uniform|storage, read(?:_write)?)>/g)];
      // Bindings that only other tunings use come after those that this one has.
      const places = bindings.map(([, place]) => Number(place));
      expect(places.slice(0, binds.length + 1)).toEqual([0, ...binds.map((_, at) => at + 1)]);
      expect(bindings[0]![2]).toBe("uniform");
      const [, struct = ""] = /struct Shape \{([^}]*)\}/.exec(wgsl) ?? [];
      const declared = struct.split(",").map((field) => field.trim());
      const passed = [...kernel.fields, ...Object.keys(kernel.derived ?? {})];
      expect(declared).toEqual(passed.slice(0, declared.length).map((field) => `${field}: u32`));
      binds.forEach((bound, at) => {
        const writes = bindings[at + 1]![2] === "storage, read_write";
        // What is read is given, or was written by a stage before.
        if (!writes && roles.get(bound) === "scratch") expect(written).toContain(bound);
        else expect(writes, bound).toBe(["output", "scratch"].includes(roles.get(bound) ?? "nothing"));
        if (writes) written.add(bound);
      });
      expect(Number.isInteger(workgroups)).toBe(true);
      expect(workgroups).toBeGreaterThan(0);
    }
    const outputs = outputsOf(operands);
    expect(operands.slice(-outputs.length)).toEqual(outputs);
    expect(new Set(outputs.map(({ columns }) => columns)).size).toBe(1);
    expect(written).toEqual(new Set([...scratch, ...outputs].map((each) => each.name)));
  });

  test.each(cases)("$title: its shaders render", ({ dtype, choice, shape: given }) => {
    const variant = variantOf(kernel, choice);
    for (const { shader, prelude } of variant.stages(choice.tuning, given, dtype)) {
      const wgsl = variant.shaders[shader]!;
      const { code, lines } = render(prelude, wgsl);
      const text = code.split("\n");
      const file = wgsl.split("\n");
      expect(code).not.toContain("// unroll");
      expect(code.split("{")).toHaveLength(code.split("}").length);
      for (const constant of Object.keys(prelude.constants!))
        expect(wgsl).toMatch(RegExp(`\\b${constant}\\b`));
      expect(lines).toHaveLength(text.length);
      // Unrolling changes words only: without them a line is that of the file, or the brace of a loop.
      const marks = (line: string) => line.replace(/\w+/g, "").trim();
      const came = text.map((line, at) => ({ line, source: file[lines[at]! - 1] }));
      const head = came.filter(({ source }) => source === undefined).map(({ line }) => line);
      expect(head.join("\n")).toMatch(/^((enable \w+;|alias \w+ = [\w<>]+;|const \w+ = \d+u;)\n?)+$/);
      for (const { line, source } of came) {
        if (source?.endsWith("// unroll")) expect(line).toBe("{");
        else if (source !== undefined) expect(marks(line)).toBe(marks(source));
      }
    }
  });
});

describe("every call of every model", () => {
  const modelCalls = new Map(
    modelIds
      .flatMap((id) => [
        prefill(id, modelConfig(id), 512, 0),
        decode(id, modelConfig(id), 128, 4096, 1),
        decode(id, modelConfig(id), 128, 4096, 8),
        decode(id, modelConfig(id), 128, 4096, 32),
      ])
      .flatMap(({ steps }) => steps.map(({ call }) => [callName(call), call] as const)),
  );

  test.each(dtypes)("has a way to compute it within the limits that every device has, in %s", (dtype) => {
    const homeless = [...modelCalls.values()].filter(({ kernel: name, shape }) => {
      const kernel = kernelOf(name);
      const everywhere = (choice: Choice) => {
        const variant = variantOf(kernel, choice);
        if (variant.unfit?.(choice.tuning, shape, dtype) !== undefined) return false;
        const { threads, workgroupStorage, ...features } = variant.demand(choice.tuning, shape, dtype);
        return threads <= 256 && workgroupStorage <= 16_384 && Object.keys(features).length === 0;
      };
      return kernel.unsupported?.(shape, dtype) !== undefined || !starts(kernel).some(everywhere);
    });
    expect(homeless.map(callName)).toEqual([]);
  });
});

test("a grid holds every workgroup, is within the limit and wastes less than a row", () => {
  fc.assert(
    fc.property(
      fc
        .integer({ min: 1, max: 65_535 })
        .chain((limit) => fc.tuple(fc.constant(limit), fc.integer({ min: 1, max: limit * limit }))),
      ([limit, workgroups]) => {
        const [x, y] = gridOf(workgroups, limit);
        expect(x * y).toBeGreaterThanOrEqual(workgroups);
        expect(x * y - workgroups).toBeLessThan(y);
        expect(Math.max(x, y)).toBeLessThanOrEqual(limit);
      },
    ),
  );
  expect(gridOf(65_535)).toEqual([65_535, 1]);
  expect(gridOf(65_536)).toEqual([32_768, 2]);
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

describe("stored numbers", () => {
  const words = (seed: number, count: number) =>
    Uint32Array.from({ length: count }, (_, i) => randomBits(seed, i));

  test.each(["i8", "i4"] as const)(
    "%s: random bits of the stream, as a decoder of the bytes reads them",
    (element) => {
      const read = decoder(element, words(7, 64).buffer);
      const count = (64 * 32) / bitsOf[element];
      const values = Array.from({ length: count }, (_, i) => storedAt(element, 7, i));
      expect(values).toEqual(Array.from({ length: count }, (_, i) => read(i)));
      const top = 2 ** (bitsOf[element] - 1);
      expect(Math.min(...values)).toBeGreaterThanOrEqual(-top);
      expect(Math.max(...values)).toBeLessThan(top);
      expect(Math.min(...values)).toBeLessThan(-top / 2);
    },
  );

  test("four neighbours lie in the four words of a vec4u, in the same bits", () => {
    // Element k of a block of i4 is nibble k / 4 of word k % 4.
    const four = new Uint32Array([0, 0x00000070, 0, 0xf0000000]);
    const at = decoder("i4", four.buffer);
    expect(at(5)).toBe(7);
    expect(at(31)).toBe(-1);
    expect(Array.from({ length: 32 }, (_, k) => at(k)).filter((value) => value !== 0)).toEqual([7, -1]);
    // Element k of a block of i8 is byte k / 4 of word k % 4.
    const bytes = decoder("i8", new Uint32Array([0, 0x00008000, 0, 0]).buffer);
    expect(bytes(5)).toBe(-128);
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

describe("random weights", () => {
  /** PCG-RXS-M-XS once more, in whole numbers without overflow. */
  function pcg(seed: number, index: number): number {
    const state = (BigInt(index) * 747_796_405n + BigInt(seed) * 2_654_435_769n) % 2n ** 32n;
    const word = (((state >> ((state >> 28n) + 4n)) ^ state) * 277_803_737n) % 2n ** 32n;
    return Number(((word >> 22n) ^ word) >> 20n) / 4096 - 0.5;
  }

  test("are multiples of 1/4096 from -1/2 to below 1/2, by the published generator", () => {
    const seed = fc.integer({ min: 1, max: 1000 });
    fc.assert(
      fc.property(seed, fc.integer({ min: 0, max: 2 ** 32 - 1 }), (stream, index) => {
        const value = randomAt(stream, index);
        expect(Number.isInteger(value * 4096)).toBe(true);
        expect(value).toBeGreaterThanOrEqual(-0.5);
        expect(value).toBeLessThan(0.5);
        expect(value).toBe(pcg(stream, index));
      }),
    );
  });

  const stream = (seed: number) => Array.from({ length: 100_000 }, (_, i) => randomAt(seed, i));
  const mean = (values: number[]) => values.reduce((a, b) => a + b) / values.length;

  test.each([
    [1, 2],
    [1, 9],
    [2, 3],
  ])("of streams %d and %d have nothing to do with each other", (one, other) => {
    const [a, b] = [stream(one), stream(other)];
    const correlation = 12 * mean(a.map((value, i) => value * b[i]!));
    expect(Math.abs(correlation)).toBeLessThan(0.02);
  });

  test.each([1, 2, 77])("are evenly spread in stream %d", (seed) => {
    const values = stream(seed);
    expect(Math.abs(mean(values))).toBeLessThan(0.005);
    expect(mean(values.map((value) => value * value))).toBeCloseTo(1 / 12, 2);
    expect(new Set(values).size).toBe(4096);
  });

  test("differ from stream to stream and from one to the next", () => {
    const [a, b] = [stream(1), stream(2)];
    expect(a.filter((value, i) => value === b[i]).length).toBeLessThan(100);
    expect(Math.abs(mean(a.slice(1).map((value, i) => value * a[i]!)))).toBeLessThan(0.001);
  });
});
