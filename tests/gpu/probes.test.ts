// The probes of whole numbers and of matrix units, where the device has them.

import { beforeAll, describe, expect, test } from "vitest";
import { check } from "../../src/engine/check";
import { prepare } from "../../src/engine/launch";
import { fittingStarts } from "../../src/engine/pipeline";
import { createTimer, type Timer } from "../../src/engine/timer";
import { type Call, kernelOf } from "../../src/kernels";
import { choiceName } from "../../src/kernels/choices";
import type { DType } from "../../src/kernels/elements";
import { useDevice } from "./device";

const gpu = useDevice();
let timer: Timer;

beforeAll(() => {
  timer = createTimer(gpu());
});

/** Checks every start that suits the device; their names. */
async function checkAll(call: Call, dtype: DType): Promise<string[]> {
  const names: string[] = [];
  for (const choice of fittingStarts(gpu(), call.kernel, call.shape, dtype)) {
    const name = choiceName(kernelOf(call.kernel), choice);
    const launch = await prepare(gpu(), undefined, call, dtype, choice);
    try {
      expect(await check(gpu(), timer, launch), name).toMatchObject({ error: 0, coverage: 1 });
    } finally {
      launch.destroy();
    }
    names.push(name);
  }
  return names;
}

describe("dot", () => {
  const shapes = [
    { invocations: 300, chains: 1, steps: 8 },
    { invocations: 1000, chains: 4, steps: 64 },
    { invocations: 257, chains: 16, steps: 1024 },
    // More than is compared.
    { invocations: 5000, chains: 16, steps: 1024 },
  ];
  test.for(shapes)("$invocations invocations of $chains chains", async (shape, { skip }) => {
    if (!gpu().packedDot) return skip("no packed products here");
    expect(await checkAll({ kernel: "dot", shape }, "q8_0")).not.toEqual([]);
    expect(await checkAll({ kernel: "dot", shape }, "q4_0")).not.toEqual([]);
  });
});

describe("mma", () => {
  test("is exact in every unit", async ({ skip }) => {
    const units = gpu().matrixUnits.filter(({ element }) => element !== "i8");
    if (units.length === 0) return skip("no matrix units here");
    for (const { element, M, N, K } of units) {
      for (const [subgroups, chains, steps] of [
        [8, 2, 8],
        [37, 8, 64],
        // More than is compared.
        [600, 2, 8],
        [5, 16, 1920],
      ] as const) {
        const call: Call = { kernel: "mma", shape: { subgroups, chains, steps, M, N, K } };
        expect(await checkAll(call, element === "f32" ? "f32" : "f16")).not.toEqual([]);
      }
    }
  });
});
