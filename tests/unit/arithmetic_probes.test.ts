import { describe, expect, test } from "vitest";
import { measuredRoof, probeRate } from "../../src/analysis/roofline";
import type { Gpu } from "../../src/engine/device";
import { hasProbe } from "../../src/engine/roof";
import { type Call, workOf } from "../../src/kernels";
import { dot } from "../../src/kernels/dot";
import type { DType } from "../../src/kernels/elements";
import type { Matrix, MatrixUnit } from "../../src/kernels/kernel";
import { matmul } from "../../src/kernels/matmul";
import { mma } from "../../src/kernels/mma";
import { olderMatrixSyntax } from "../../src/kernels/prelude";
import { report } from "../../src/report/report";
import type { Result } from "../../src/result";
import { measured, resultOf, roofs } from "./result_fixture";

const dotCall: Call = { kernel: "dot", shape: { invocations: 2 ** 20, chains: 8, steps: 1024 } };
const mmaCall: Call = {
  kernel: "mma",
  shape: { subgroups: 1024, chains: 8, steps: 1024, M: 16, N: 16, K: 16 },
};

const share = (value: number | undefined, of: number) => (value ?? 0) / of;

/** A result with one more probe, which reaches so many FLOP/s. */
function withProbe(result: Result, call: Call, dtype: DType, flops: number): Result {
  const seconds = workOf(call, dtype).flops / flops;
  const outcome = measured(
    call,
    dtype,
    Array.from({ length: 10 }, () => seconds),
  );
  return { ...result, outcomes: [...result.outcomes, outcome] };
}

describe("the measured roof", () => {
  const floats = resultOf({ words: "preset=smoke dtype=f32,f16" });

  test("of f16 is that of the matrix unit where there is one, and that of f32 is not", () => {
    const result = withProbe(floats, mmaCall, "f16", 100e12);
    expect(share(probeRate(result, "mma", "f16")?.value, 100e12)).toBeCloseTo(1, 4);
    expect(share(measuredRoof(result, "f16")?.flops, 100e12)).toBeCloseTo(1, 4);
    expect(share(measuredRoof(result, "f32")?.flops, roofs.f32.flops)).toBeCloseTo(1, 4);
  });

  test("of f16 is that of multiply-adds where the matrix unit is slower", () => {
    const result = withProbe(floats, mmaCall, "f16", 1e12);
    expect(share(measuredRoof(result, "f16")?.flops, roofs.f16.flops)).toBeCloseTo(1, 4);
  });

  test("of whole numbers is that of packed bytes, whichever size was probed, and no float's", () => {
    {
      const result = withProbe(floats, dotCall, "q8_0", 40e12);
      for (const dtype of ["q8_0", "q4_0"] as const)
        expect(share(measuredRoof(result, dtype)?.flops, 40e12)).toBeCloseTo(1, 4);
      expect(share(measuredRoof(result, "f16")?.flops, roofs.f16.flops)).toBeCloseTo(1, 4);
    }
    expect(share(measuredRoof(floats, "q4_0")?.flops, roofs.f32.flops)).toBeCloseTo(1, 4);
  });

  test("has a column in its table for each probe that there was", () => {
    const columns = (result: Result) =>
      report(result, []).tables.find(({ title }) => title.includes("own roof"))?.columns;
    expect(columns(floats)).toEqual(["type", "fma", "read", "copy"]);
    expect(columns(withProbe(floats, mmaCall, "f16", 1e12))).toEqual([
      "type",
      "fma",
      "matrix units",
      "read",
      "copy",
    ]);
    expect(columns(withProbe(floats, dotCall, "q8_0", 1e12))).toContain("packed bytes");
  });
});

test("there is a probe of matrix units where one of them is of a size that kernels know, in their type", () => {
  const limits = {
    maxComputeInvocationsPerWorkgroup: 256,
    maxComputeWorkgroupSizeX: 256,
    maxComputeWorkgroupStorageSize: 32_768,
  };
  const has = (...matrixUnits: MatrixUnit[]) =>
    hasProbe({ limits, matrixUnits, largestSubgroup: 32 } as unknown as Gpu, "mma", "f16");
  const unit = (M: number, N: number, K: number): MatrixUnit => ({
    element: "f16",
    result: "f32",
    M,
    N,
    K,
  });
  expect(has()).toBe(false);
  expect(has({ ...unit(16, 16, 16), element: "i8", result: "i32" })).toBe(false);
  expect(has(unit(64, 8, 64))).toBe(false);
  expect(has(unit(64, 8, 64), unit(16, 16, 16))).toBe(true);
});

describe("references, by hand", () => {
  /** What an invocation of dot comes to with a factor for each byte. */
  const value = (factors: readonly number[], chains: number, steps: number, invocation: number) => {
    const coefficients: Matrix = (_row, column) => (factors[column]! - 1) / 2 / 127 + 0.001;
    const shape = { invocations: 10, chains, steps };
    return dot.reference(shape, [coefficients], 0, [invocation], "q8_0")[0]!.value;
  };

  test("dot adds the sum of signed bytes times their factors to itself, step by step", () => {
    // The first chain starts at 1: doubled seven times, until 128 is -128.
    expect(value([1, 1, 1, 1], 1, 7, 0)).toBe(128);
    expect(value([1, 1, 1, 1], 1, 8, 0)).toBe(0);
    expect(value([127, 1, 1, 1], 1, 1, 0)).toBe(128);
    expect(value([-1, 1, 1, 1], 1, 3, 0)).toBe(0);
    // The second one starts at 0x9e3779b2: bytes -78, 121, 55 and -98.
    const second = (0x9e3779b2 - 78 + 3 * 121 + 5 * 55 - 7 * 98) & 0xffffff;
    expect(value([1, 3, 5, 7], 1, 1, 1)).toBe(second);
    expect(value([1, 3, 5, 7], 2, 1, 0)).toBe((second + 2) & 0xffffff);
  });

  test("mma counts steps by the signs of its row and column", () => {
    const shape = { subgroups: 3, chains: 2, steps: 16, M: 8, N: 8, K: 8 };
    // Rows of the left operands: the first matrix's second row is negative. Columns: the third is negative.
    const signs: Matrix = (which, at) => (at === (which === 0 ? 1 : 2) ? -0.25 : 0.25);
    const values = mma.reference(shape, [signs], 2, [0, 8, 2, 8 + 2], "f16").map((each) => each.value);
    const starts = 4 + 5;
    expect(values).toEqual([starts + 32, starts + 0, starts - 32, starts + 0]);
  });
});

describe("the older syntax of subgroup matrices", () => {
  test("has the order of elements as an argument", () => {
    expect(
      olderMatrixSyntax("  left[0u] = subgroupMatrixLoad<Left, row_major>(&a, (x + 0u * M) * S + 1u, S);"),
    ).toBe("  left[0u] = subgroupMatrixLoad<Left>(&a, (x + 0u * M) * S + 1u, false, S);");
    expect(olderMatrixSyntax("let r = subgroupMatrixLoad<Right, col_major>(&b, at_b[1u] + k, stride);")).toBe(
      "let r = subgroupMatrixLoad<Right>(&b, at_b[1u] + k, true, stride);",
    );
    expect(olderMatrixSyntax("subgroupMatrixStore<row_major>(&c, s * 64u, acc[1u * 2u + 0u], N);")).toBe(
      "subgroupMatrixStore(&c, s * 64u, acc[1u * 2u + 0u], false, N);",
    );
  });

  test("leaves nothing of the newer one in any shader", () => {
    const shaders = [matmul.variants.matrix, matmul.variants.matrixDirect, mma.variants.outer].flatMap(
      (variant) => Object.values(variant?.shaders ?? {}),
    );
    expect(shaders).toHaveLength(3);
    for (const wgsl of shaders) {
      const calls = wgsl.match(/subgroupMatrix(Load|Store)</g)?.length ?? 0;
      const older = olderMatrixSyntax(wgsl);
      expect(calls).toBeGreaterThan(2);
      expect(older).not.toMatch(/_major>/);
      expect(older.match(/, (true|false), \w+\);/g)).toHaveLength(calls);
    }
  });
});
