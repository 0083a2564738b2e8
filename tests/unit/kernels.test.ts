import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Call, type KernelName, kernelOf, kernels, workOf } from "../../src/kernels";
import { attention } from "../../src/kernels/attention";
import type { DType, Matrix } from "../../src/kernels/kernel";
import { gridOf, render } from "../../src/kernels/prelude";
import { randomAt } from "../../src/kernels/random";
import { callName, decode, modelConfig, modelIds, prefill } from "../../src/workloads";

const names = Object.keys(kernels) as KernelName[];
const dtypes: DType[] = ["f32", "f16"];

/** A call of every kernel, with no size a multiple of another. */
const calls: Call[] = [
  { kernel: "matmul", shape: { M: 2, N: 3, K: 4 } },
  { kernel: "matvec", shape: { M: 3, N: 7, K: 20 } },
  {
    kernel: "attention",
    shape: { batch: 2, queries: 3, keys: 5, heads: 4, kvHeads: 2, headDim: 8, window: 5 },
  },
  { kernel: "fma", shape: { invocations: 10, chains: 4, steps: 16 } },
  { kernel: "read", shape: { groups: 2, words: 3 } },
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
    // Positions 2, 3 and 4 see 3, 4 and 5 keys; two sequences of four heads of 8.
    [callOf("attention"), 2 * 4 * 12 * 8 * 4, 4 * 2 * 8 * (2 * 3 * 4 + 2 * 5 * 2)],
    [callOf("fma"), 2 * 4 * 10 * 4 * 16, 4 * (8 + 40)],
    [callOf("read"), 4 * 2 * 3, 4 * 24 + 16 * 2],
    [callOf("copy"), 0, 4 * 40],
    [callOf("fill"), 0, 4 * 20],
    [callOf("empty"), 0, 0],
  ] as const)("$kernel in f32", (call, flops, bytes) => {
    expect(workOf(call, "f32")).toEqual({ flops, bytes });
    expect(workOf(call, "f16").flops).toBe(flops);
  });

  test("f16 moves half the bytes, except where sums are kept in f32", () => {
    for (const call of calls) {
      const [wide, narrow] = [workOf(call, "f32").bytes, workOf(call, "f16").bytes];
      expect(narrow, call.kernel).toBe(call.kernel === "read" ? 2 * 24 + 16 * 2 : wide / 2);
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
      .reference(call.shape, inputs, row, columns)
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
    const [sum] = kernelOf("matmul").reference(call.shape, [matrix([3, -2]), matrix([2, 3])], 0, [0]);
    expect(sum).toEqual({ value: 0, magnitude: 12 });
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

describe.each(names)("%s", (name) => {
  const kernel = kernelOf(name);
  const { shape } = callOf(name);

  test("declares the fields of its shape in the shader's order", () => {
    const [, struct = ""] = /struct Shape \{([^}]*)\}/.exec(kernel.wgsl) ?? [];
    expect(struct.split(",").map((field) => field.trim())).toEqual(
      kernel.fields.map((field) => `${field}: u32`),
    );
    expect(Object.keys(shape)).toEqual(kernel.fields);
  });

  test("binds its shape and its operands, the output last and alone writable", () => {
    const bindings = [...kernel.wgsl.matchAll(/@binding\((\d)\) var<(uniform|storage, read(?:_write)?)>/g)];
    const operands = kernel.operands(shape);
    expect(bindings.map(([, place]) => Number(place))).toEqual([0, ...operands.map((_, i) => i + 1)]);
    expect(bindings.map(([, , access]) => access)).toEqual([
      "uniform",
      ...operands.map(({ role }) => (role === "output" ? "storage, read_write" : "storage, read")),
    ]);
    expect(operands.at(-1)!.role).toBe("output");
  });

  test.each(dtypes.flatMap((dtype) => Object.keys(kernel.tunings).map((tuning) => [dtype, tuning] as const)))(
    "renders in %s with %s",
    (dtype, tuning) => {
      const given = kernel.prelude(kernel.tunings[tuning]!, shape, dtype);
      const { code, lines } = render(given, kernel.wgsl);
      const text = code.split("\n");
      const file = kernel.wgsl.split("\n");
      expect(code).not.toContain("// unroll");
      expect(code.startsWith("enable f16;")).toBe(dtype === "f16");
      expect(code.split("{")).toHaveLength(code.split("}").length);
      for (const constant of Object.keys(given.constants!))
        expect(kernel.wgsl).toMatch(RegExp(`\\b${constant}\\b`));
      expect(lines).toHaveLength(text.length);
      // Unrolling changes words only: without them a line is that of the file, or the brace of a loop.
      const marks = (line: string) => line.replace(/\w+/g, "").trim();
      const came = text.map((line, i) => ({ line, source: file[lines[i]! - 1] }));
      const prelude = came.filter(({ source }) => source === undefined).map(({ line }) => line);
      expect(prelude.join("\n")).toMatch(/^((enable f16;|alias elem = f(32|16);|const \w+ = \d+u;)\n?)+$/);
      for (const { line, source } of came) {
        if (source?.endsWith("// unroll")) expect(line).toBe("{");
        else if (source !== undefined) expect(marks(line)).toBe(marks(source));
      }
    },
  );
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

  test.each(dtypes)("has a tuning within the limits that every device has, in %s", (dtype) => {
    const homeless = [...modelCalls.values()].filter(({ kernel, shape }) => {
      const { tunings, demand } = kernelOf(kernel);
      return !Object.values(tunings).some((tuning) => {
        const { threads, workgroupStorage } = demand(tuning, shape, dtype);
        return threads <= 256 && workgroupStorage <= 16_384;
      });
    });
    expect(homeless.map(callName)).toEqual([]);
  });

  test("is dispatched in whole workgroups", () => {
    for (const { kernel, shape } of modelCalls.values()) {
      const { tunings, workgroups } = kernelOf(kernel);
      for (const tuning of Object.values(tunings)) {
        expect(Number.isInteger(workgroups(shape, tuning))).toBe(true);
        expect(workgroups(shape, tuning)).toBeGreaterThan(0);
      }
    }
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
  test.each(["matmul", "matvec"] as const)(
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
