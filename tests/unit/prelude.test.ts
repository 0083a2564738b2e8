// From a shader file to the text that is compiled, and from a number of workgroups to a grid.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { gridOf, render } from "../../src/kernels/prelude";

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
