// Matrix products by subgroup matrices, where the device has them, against the float64 reference.

import { afterAll, beforeAll, expect, test } from "vitest";
import { check } from "../../src/engine/check";
import { prepare } from "../../src/engine/launch";
import { unfit } from "../../src/engine/pipeline";
import { createTimer, type Timer } from "../../src/engine/timer";
import { allocateWeights, type Weights } from "../../src/engine/weights";
import { type Call, kernelOf } from "../../src/kernels";
import { type Choice, choiceName, starts } from "../../src/kernels/choices";
import type { DType } from "../../src/kernels/elements";
import { useDevice } from "./device";

const gpu = useDevice();
let timer: Timer;
let weights: Weights;
const hasUnits = () =>
  gpu().has("shader-f16") && gpu().matrixUnits.some(({ element, result }) => element === "f16" && result);

beforeAll(async () => {
  timer = createTimer(gpu());
  if (hasUnits()) weights = await allocateWeights(gpu(), "f16", 2 ** 23);
});
afterAll(() => weights?.destroy());

/** The choices of the matrix variants that suit the device and the call. */
const choicesFor = ({ kernel, shape }: Call, dtype: DType = "f16"): Choice[] =>
  starts(kernelOf(kernel)).filter(
    (choice) =>
      choice.variant.startsWith("matrix") &&
      unfit(gpu(), kernelOf(kernel), choice, shape, dtype) === undefined,
  );

test.for([
  [64, 64, 64],
  [128, 96, 256],
  [130, 65, 43],
  [1, 1, 1],
  [5, 7, 4096],
  [200, 72, 520],
] as const)("%i x %i x %i is right in every unit", async ([M, N, K], { skip }) => {
  if (!hasUnits()) return skip("no matrix units for f16 here");
  const call: Call = { kernel: "matmul", shape: { M, N, K } };
  const choices = choicesFor(call);
  expect(choices.map(({ variant }) => variant)).toContain("matrix");
  for (const choice of choices) {
    const name = choiceName(kernelOf("matmul"), choice);
    const launch = await prepare(gpu(), weights, call, "f16", choice);
    try {
      const { error, coverage } = await check(gpu(), timer, launch);
      expect(coverage, name).toBe(1);
      expect(error, name).toBeLessThan(1e-3);
      if (name.includes("in f32")) expect(error, name).toBeLessThan(1e-5);
    } finally {
      launch.destroy();
    }
  }
});

test("operands lie where they are loaded from only where whole matrices do", ({ skip }) => {
  if (!hasUnits()) return skip("no matrix units for f16 here");
  const variants = (M: number, N: number, K: number) =>
    choicesFor({ kernel: "matmul", shape: { M, N, K } }).map(({ variant }) => variant);
  expect(variants(64, 64, 64)).toContain("matrixDirect");
  expect(variants(64, 65, 64)).not.toContain("matrixDirect");
  expect(variants(64, 64, 60)).not.toContain("matrixDirect");
});

test.for([
  [1, 1, 32],
  [64, 64, 64],
  [37, 69, 96],
  [130, 65, 2048],
] as const)("%i x %i x %i of whole numbers is right in every unit", async ([M, N, K], { skip }) => {
  if (!hasUnits()) return skip("no matrix units for f16 here");
  const call: Call = { kernel: "matmul", shape: { M, N, K } };
  for (const dtype of ["q8_0", "q4_0"] as const) {
    const own = await allocateWeights(gpu(), dtype, 2 ** 22);
    const choices = choicesFor(call, dtype);
    expect(choices.map(({ variant }) => variant)).toContain("matrixQuants");
    for (const choice of choices) {
      const launch = await prepare(gpu(), own, call, dtype, choice);
      try {
        const { error, coverage } = await check(gpu(), timer, launch);
        expect(coverage).toBe(1);
        expect(error, choiceName(kernelOf("matmul"), choice)).toBeLessThan(1e-3);
      } finally {
        launch.destroy();
      }
    }
    own.destroy();
  }
});
