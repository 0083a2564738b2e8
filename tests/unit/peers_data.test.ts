import { describe, expect, test } from "vitest";
import { kernelOf } from "../../src/kernels";
import { choiceName, starts, variantOf } from "../../src/kernels/choices";
import { checkAnswer, type Reference, referenceOf, toleranceOf } from "../../src/peers/check";
import { dataOf, quantisedOf, regrouped, transposed } from "../../src/peers/data";
import { arithmeticOf } from "../../src/peers/own";
import { operandsOf, type Task, tasks, workOfTask } from "../../src/peers/tasks";

const named = (id: string): Task => tasks.find((task) => task.id === id)!;

describe("tasks", () => {
  test("have names of their own", () => expect(new Set(tasks.map(({ id }) => id)).size).toBe(tasks.length));

  test("q4_0 counts 18 bytes per 32 weights", () => {
    const { flops, bytes } = workOfTask(named("gemv-q4_0-8192x2048"));
    expect(flops).toBe(2 * 8192 * 2048);
    expect(bytes).toBe((8192 * 2048 * 18) / 32 + 4 * (2048 + 8192));
    expect(workOfTask(named("gemv-f32-8192x2048")).bytes).toBe(4 * (8192 * 2048 + 2048 + 8192));
  });

  test("need no padding in any layout", () => {
    for (const task of tasks) for (const { columns } of operandsOf(task)) expect(columns % 32).toBe(0);
  });
});

describe("data", () => {
  test("rows and columns, heads and tokens exchange places", () => {
    const six = { rows: 2, columns: 3, values: Float32Array.of(1, 2, 3, 4, 5, 6) };
    expect([...transposed(six).values]).toEqual([1, 4, 2, 5, 3, 6]);
    const rows = { rows: 4, columns: 2, values: Float32Array.of(0, 0, 1, 1, 2, 2, 3, 3) };
    expect([...regrouped(rows, 2, 2)]).toEqual([0, 0, 2, 2, 1, 1, 3, 3]);
  });

  test("codes and scales give back the very values that they were found from", () => {
    const call = { kernel: "matmul", shape: { M: 2, N: 64, K: 96 } } as const;
    const { inputs, quantised } = dataOf({ ...named("gemm-q4_0-128x2048x2048"), call }, undefined);
    const { values } = inputs[1]!;
    const back = values.map((_, i) => (quantised!.codes[i]! - 8) * quantised!.scales[Math.floor(i / 32)]!);
    expect(back).toEqual(values);
    expect(new Set(quantised!.codes).size).toBe(16);
  });

  test.each([
    ["few values", (i: number) => (i % 2 === 0 ? 0.75 : -0.5)],
    ["nothing but zeros", () => 0],
    ["the lowest code alone", () => -8 * 0.125],
    ["a negative scale", (i: number) => -0.375 * ((i % 16) - 8)],
    ["steps of 2 and 3 only", (i: number) => 0.01 * [-8, -5, -3, 0, 3, 6][i % 6]!],
  ])("a block of %s has a scale", (_, value) => {
    const values = Float32Array.from({ length: 32 }, (_, i) => value(i));
    const { codes, scales } = quantisedOf({ rows: 1, columns: 32, values });
    codes.forEach((code, i) => {
      expect(code).toBeLessThanOrEqual(15);
      expect((code - 8) * scales[0]!).toBeCloseTo(values[i]!, 6);
    });
  });

  test("weights that are not of q4_0 are refused", () => {
    const values = Float32Array.from({ length: 32 }, (_, i) => Math.sin(i));
    expect(() => quantisedOf({ rows: 1, columns: 32, values })).toThrow(
      "block 0 of the weights is not of q4_0",
    );
  });
});

describe("check", () => {
  const task = named("gemv-q4_0-2048x2048");
  const data = dataOf(task, undefined);
  const reference = referenceOf(task, data);
  const right = (of: Reference) => {
    const answer = new Float32Array(of.size);
    for (const { at, expected } of of.elements) answer[at] = expected.value;
    return answer;
  };
  const check = (change: (answer: Float32Array) => void, tolerance = toleranceOf(task, "f32")) => {
    const answer = right(reference);
    change(answer);
    return checkAnswer(reference, answer, tolerance);
  };

  test("passes the answer itself, rounded", () => {
    expect(check(() => {})).toMatchObject({ elements: 2048, wrong: null });
  });

  test("sees one wrong element, one missing and a short answer", () => {
    expect(check((answer) => answer.fill(0, 77, 78)).wrong).toMatch(/^element \(0, 77\) is 0, should be /);
    expect(check((answer) => answer.fill(NaN, 9, 10))).toMatchObject({
      error: null,
      wrong: "element (0, 9) is NaN",
    });
    expect(checkAnswer(reference, new Float32Array(7), 1).wrong).toBe("it has 7 elements instead of 2048");
  });

  test("allows quantised activations more, but not a lost block of 32", () => {
    const off = { ...data, inputs: data.inputs.map((each) => ({ ...each, values: each.values.slice() })) };
    off.inputs[0]!.values.fill(0, 64, 96);
    const lost = right(referenceOf(task, off));
    expect(checkAnswer(reference, lost, toleranceOf(task, "int8 activations")).wrong).not.toBeNull();
    const rounded = data.inputs[0]!.values.map((value) => Math.round(value * 254) / 254);
    off.inputs[0]!.values.set(rounded);
    const quantised = right(referenceOf(task, off));
    expect(checkAnswer(reference, quantised, toleranceOf(task, "int8 activations")).wrong).toBeNull();
    expect(checkAnswer(reference, quantised, toleranceOf(task, "f32")).wrong).not.toBeNull();
  });

  test.each(tasks.map((each) => [each.id, each] as const))(
    "allows %s what the engine allows each way",
    (_id, each) => {
      const { call, weights } = each;
      const kernel = kernelOf(call.kernel);
      for (const choice of starts(kernel)) {
        const { unfit, slack, rounded } = variantOf(kernel, choice);
        if (unfit?.(choice.tuning, call.shape, weights) !== undefined) continue;
        const allowed = toleranceOf(each, arithmeticOf(each, choice));
        const engine =
          kernel.tolerance(call.shape, weights) + (slack?.(choice.tuning, call.shape, weights) ?? 0);
        expect(allowed, choiceName(kernel, choice)).toBeGreaterThanOrEqual(
          engine + (rounded?.slack(call.shape) ?? 0),
        );
      }
    },
  );

  test("looks into every row and every column of a large product", () => {
    const large = named("gemm-f32-512x2048x2048");
    const inputs = operandsOf(large)
      .slice(0, -1)
      .map(({ rows, columns }) => ({ rows, columns, values: new Float32Array(rows * columns) }));
    const { elements } = referenceOf(large, { inputs, quantised: undefined });
    expect(new Set(elements.map(({ at }) => Math.floor(at / 2048))).size).toBe(512);
    expect(new Set(elements.map(({ at }) => at % 2048)).size).toBe(2048);
  });
});
