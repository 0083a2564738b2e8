// Wrong kernels of matrix units, packed bytes and the cache curve: the check must catch each of them.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CURSORY, check } from "../../src/engine/check";
import { unsupported } from "../../src/engine/device";
import { prepare } from "../../src/engine/launch";
import { unfit } from "../../src/engine/pipeline";
import { createTimer, type Timer } from "../../src/engine/timer";
import { allocateWeights, type Weights } from "../../src/engine/weights";
import { kernelOf } from "../../src/kernels";
import { type Choice, choiceName, starts } from "../../src/kernels/choices";
import { type DType, dtypes } from "../../src/kernels/elements";
import { useDevice } from "./device";
import { type Fault, faults, plant } from "./matrix_faults";

/** What `check` says about a wrong kernel; a shader that does not compile is not caught by it. */
const CAUGHT = /was not written, or is not finite|rounding explains/;

const gpu = useDevice();
let timer: Timer;
const weights = new Map<DType, Weights>();

beforeAll(async () => {
  timer = createTimer(gpu());
  for (const dtype of dtypes) {
    if (unsupported(gpu(), dtype) === undefined)
      weights.set(dtype, await allocateWeights(gpu(), dtype, 2 ** 22));
  }
});
afterAll(() => {
  for (const each of weights.values()) each.destroy();
});

const choicesFor = ({ call: { kernel, shape }, dtype, variant, choices }: Fault): Choice[] =>
  starts(kernelOf(kernel)).filter(
    (choice) =>
      choice.variant === variant &&
      choices.test(choiceName(kernelOf(kernel), choice)) &&
      unfit(gpu(), kernelOf(kernel), choice, shape, dtype) === undefined,
  );

async function problemOf({ call, dtype }: Fault, choice: Choice): Promise<string | undefined> {
  const launch = await prepare(gpu(), weights.get(dtype), call, dtype, choice);
  try {
    return await check(gpu(), timer, launch, CURSORY).then(
      () => undefined,
      (error: Error) => error.message,
    );
  } finally {
    launch.destroy();
  }
}

describe.each([...new Set(faults.map(({ shader }) => shader))])("%s", (shader) => {
  const own = faults.filter((fault) => fault.shader === shader);

  test.for(own.map((fault) => [fault.name, fault] as const))("%s", async ([, fault], { skip }) => {
    const choices = choicesFor(fault);
    if (choices.length === 0) return skip("this device does not have what the shader needs");
    const sound = choices[0] && (await problemOf(fault, choices[0]));
    expect(sound, "without the fault").toBeUndefined();
    const remove = plant(fault);
    try {
      for (const choice of choices) {
        const name = choiceName(kernelOf(fault.call.kernel), choice);
        const problem = await problemOf(fault, choice);
        if (problem === undefined && fault.race && gpu().info.software === null)
          return skip("no software adapter: the race may be won");
        expect(problem, name).toMatch(CAUGHT);
      }
    } finally {
      remove();
    }
  });
});
