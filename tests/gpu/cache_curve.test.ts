// The cache curve in a real browser: every size that memory has, each checked.

import { afterAll, beforeAll, expect, test } from "vitest";
import { cacheCurve } from "../../src/engine/cache_curve";
import { calibrate } from "../../src/engine/calibrate";
import type { Instrument } from "../../src/engine/rounds";
import { createTimer } from "../../src/engine/timer";
import { allocateWeights, type Weights } from "../../src/engine/weights";
import { kernelOf } from "../../src/kernels";
import { defaultChoice } from "../../src/kernels/choices";
import { useDevice } from "./device";
import { faults, plant, removeFaults } from "./faults";

const gpu = useDevice();
const choice = defaultChoice(kernelOf("read"));
let instrument: Instrument;
let weights: Weights;

beforeAll(async () => {
  instrument = { gpu: gpu(), timer: createTimer(gpu()), instruments: await calibrate(gpu()) };
  weights = await allocateWeights(gpu(), "f32", 2 ** 21);
});
afterAll(() => weights?.destroy());

test("has a point for each working set that there is memory for", async () => {
  const curve = await cacheCurve(instrument, weights, choice);
  expect(curve.map(({ bytes }) => bytes)).toEqual([2 ** 18, 2 ** 19, 2 ** 20, 2 ** 21]);
  for (const { seconds } of curve) expect(seconds).toBeGreaterThan(0);
});

test("is not taken where another working set was read than the one that is named", async () => {
  const fault = faults.find(({ shader, name }) => shader === "read" && name === "the last slice never read");
  if (fault === undefined) throw new Error("no such fault");
  plant(fault);
  try {
    await expect(cacheCurve(instrument, weights, choice)).rejects.toThrow(/rounding explains/);
  } finally {
    removeFaults();
  }
});
