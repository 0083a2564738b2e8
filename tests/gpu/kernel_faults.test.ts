// Wrong kernels, in a real browser: the check must catch each of them, so that none is ever timed. And right ones:
// it must not take them for wrong.

import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { type Check, CURSORY, check } from "../../src/engine/check";
import { unsupported } from "../../src/engine/device";
import { prepare } from "../../src/engine/launch";
import { fittingStarts } from "../../src/engine/pipeline";
import { run } from "../../src/engine/run";
import { createTimer, type Timer } from "../../src/engine/timer";
import { allocateWeights, streamedBy, type Weights } from "../../src/engine/weights";
import { type AnyShape, type KernelName, kernelOf } from "../../src/kernels";
import { type Choice, choiceName } from "../../src/kernels/choices";
import { type DType, dtypes } from "../../src/kernels/elements";
import { parsePlanWords } from "../../src/plan";
import { adapter, eased } from "./adapter";
import { host, useDevice } from "./device";
import { type Fault, faults, plant, removeFaults, suffers } from "./faults";

/** What `check` says about a wrong kernel; a shader that does not compile is not caught by it. */
const CAUGHT = /was not written, or is not finite|was written, and is not its|rounding explains/;

const gpu = useDevice();
let timer: Timer;
const weights = new Map<DType, Weights>();

beforeAll(async () => {
  timer = createTimer(gpu());
  // Before any fault is planted: the weights are filled by a kernel as well.
  for (const dtype of dtypes) {
    if (unsupported(gpu(), dtype) === undefined)
      weights.set(dtype, await allocateWeights(gpu(), dtype, 2 ** 22, streamedBy(faults, dtype)));
  }
});

afterEach(() => {
  removeFaults();
  vi.restoreAllMocks();
});

const nameOf = (kernel: KernelName, choice: Choice) => choiceName(kernelOf(kernel), choice);

/** The choices that run the shader with the fault. */
const choicesOf = (fault: Fault) =>
  fittingStarts(gpu(), fault.kernel, fault.shape, fault.dtype).filter((choice) => suffers(fault, choice));

/** Why a fault is not planted here, or undefined: races are, for they are lost on SwiftShader as nowhere else. */
const notPlanted = ({ dtype, race }: Fault): string | undefined =>
  unsupported(gpu(), dtype) ?? (eased && !race ? "Chromium on lavapipe and Firefox run it" : undefined);

/** Compiles the kernel as it now is and checks it, as little as where candidates are compared. */
async function checked(
  kernel: KernelName,
  shape: AnyShape,
  dtype: DType,
  choice: Choice,
): Promise<Check | Error> {
  const launch = await prepare(gpu(), weights.get(dtype), { kernel, shape }, dtype, choice, 4);
  try {
    return await check(gpu(), timer, launch, CURSORY).catch((error: Error) => error);
  } finally {
    launch.destroy();
  }
}

const faulty = [...new Set(faults.map(({ kernel }) => kernel))];

describe.each(faulty)("%s", (kernel) => {
  const own = faults.filter((fault) => fault.kernel === kernel);

  test("passes as it is", async ({ skip }) => {
    const seen = new Set<string>();
    for (const fault of own) {
      if (notPlanted(fault) !== undefined) continue;
      for (const choice of choicesOf(fault)) {
        const key = JSON.stringify([fault.shape, fault.dtype, choice]);
        if (seen.has(key)) continue;
        seen.add(key);
        const result = await checked(kernel, fault.shape, fault.dtype, choice);
        expect(result, key).toMatchObject({ elements: expect.any(Number), error: expect.any(Number) });
      }
    }
    const reasons = own.map(notPlanted);
    if (reasons.every((reason) => reason !== undefined)) return skip(reasons[0]);
    if (seen.size === 0 && own.every(({ needs }) => needs !== undefined))
      return skip(`this adapter has no ${own[0]?.needs}`);
    expect(seen.size).toBeGreaterThan(0);
  });

  test.for(own.map((fault) => [fault.name, fault] as const))("%s", async ([, fault], { skip }) => {
    const { shape, dtype, race, benign = [] } = fault;
    const reason = notPlanted(fault);
    if (reason !== undefined) return skip(reason);
    plant(fault);
    const choices = choicesOf(fault);
    if (choices.length === 0 && fault.needs !== undefined) return skip(`this adapter has no ${fault.needs}`);
    expect(choices).not.toEqual([]);
    for (const choice of choices) {
      const result = await checked(kernel, shape, dtype, choice);
      if (!(result instanceof Error) && benign.includes(adapter))
        return skip(`${adapter} runs it as if nothing were missing`);
      if (!(result instanceof Error) && race && gpu().info.software === null)
        return skip("no software adapter: the race may be won");
      expect(result, nameOf(kernel, choice)).toMatchObject({ message: expect.stringMatching(CAUGHT) });
    }
  });
});

test("a run never times a tuning with a fault", async () => {
  const passes = vi.spyOn(GPUComputePassEncoder.prototype, "setPipeline");
  const plan = parsePlanWords(
    "preset=smoke dtype=f32 kernel=matmul:33x64x128,matvec:1x64x256,attention:1x1x40x4x2x16x40".split(" "),
  );
  if (!plan.ok) throw new Error(plan.problem);
  const planted = [
    ["matmul", "the last of 4096 products lost"],
    ["attention", "no 1/sqrt(headDim)"],
    ["read", "one thread's sum lost"],
    ["copy", "neighbours swapped"],
    ["matvec", "one lane's partial sum lost"],
  ];
  for (const [kernel, name] of planted) {
    const fault = faults.find((each) => each.kernel === kernel && each.name === name);
    if (fault === undefined) throw new Error(`no fault of ${kernel} is called "${name}"`);
    plant(fault);
  }

  const { outcomes, tunings, completion } = await run(plan.plan, host, () => {});
  expect(completion).toEqual({ status: "complete" });

  for (const kernel of ["matmul", "read", "copy"] as const) {
    const outcome = outcomes.find(({ call }) => call.kernel === kernel);
    expect(outcome).toMatchObject({ status: "failed", error: expect.stringMatching(CAUGHT) });
    expect(outcome).not.toHaveProperty("timing");
    expect(tunings.filter((each) => each.kernel === kernel)).toEqual([]);
    // Each tuning ran once, for its check.
    const pipelines = passes.mock.calls.map(([pipeline]) => pipeline).filter(({ label }) => label === kernel);
    expect(pipelines).not.toEqual([]);
    expect(new Set(pipelines).size).toBe(pipelines.length);
  }

  // These have choices that do without what is broken: one lane needs no reduction, and threads by themselves have a
  // shader of their own.
  for (const [kernel, broken] of [
    ["matvec", /x32 of/],
    ["attention", /threads of/],
  ] as const) {
    const tried = Object.entries(tunings.find((each) => each.kernel === kernel)?.tried ?? {});
    expect(tried.length).toBeGreaterThan(1);
    for (const [tuning, seconds] of tried)
      expect(seconds, tuning).toEqual(broken.test(tuning) ? null : expect.any(Number));
  }
});
