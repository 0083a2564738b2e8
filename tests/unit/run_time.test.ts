// How long a run will take: by what a plan asks for, and against whole runs on simulated GPUs.

import { describe, expect, test } from "vitest";
import { type DeviceSpeed, runTime, speedOf } from "../../src/analysis/run_time";
import { run } from "../../src/engine/run";
import { workloadsOf } from "../../src/plan";
import { runTimeText } from "../../src/report/model_fit_report";
import { costs } from "../simulation/bench";
import { simulate } from "../simulation/gpu";
import { type Hardware, quiet } from "../simulation/hardware";
import { planOf, resultOf, roofs } from "./result_fixture";

const speed: DeviceSpeed = { roofs, dispatchCost: 2e-6 };

const timeOf = (words: string, of: DeviceSpeed | undefined = speed, tuned = false) => {
  const plan = planOf(words);
  return runTime(plan, workloadsOf(plan), of, tuned);
};
const secondsOf = (words: string, tuned = false) => timeOf(words, speed, tuned)!.seconds.value;
const partOf = (words: string, part: string) =>
  timeOf(words)!.parts.find((each) => each.part === part)?.seconds.value ?? 0;

describe("the speed of a device", () => {
  test("is that of the roofs of an earlier run, in every type that they are enough for", () => {
    const found = speedOf(resultOf({ words: "dtype=f32" }));
    expect(Object.keys(found?.roofs ?? {})).toEqual(["f32", "f16", "q8_0", "q4_0"]);
    expect(found?.roofs.f32?.bandwidth).toBeCloseTo(500e9, -7);
    expect(speedOf({ ...resultOf({ words: "dtype=f32" }), outcomes: [] })).toBeUndefined();
  });

  test("is needed in every type of the plan: else nothing is predicted, and that is said", () => {
    expect(runTime(planOf(""), workloadsOf(planOf("")), undefined)).toBeUndefined();
    expect(timeOf("dtype=f32,f16", { roofs: { f32: roofs.f32 }, dispatchCost: 0 })).toBeUndefined();
    expect(runTimeText(undefined)).toMatch(/^How long it takes is not known/);
  });
});

describe("the time of a run", () => {
  test("is longer with the trouble that a preset takes, more types, more models", () => {
    const presets = ["smoke", "quick", "standard", "rigorous"].map((preset) =>
      secondsOf(`preset=${preset} model=llama-3.2-1b pp=512 tg=128`),
    );
    expect(presets).toEqual([...presets].sort((a, b) => a - b));
    expect(secondsOf("preset=quick dtype=f32,f16")).toBeGreaterThan(
      1.5 * secondsOf("preset=quick dtype=f32"),
    );
    expect(secondsOf("model=llama-3.2-1b,llama-3.1-8b")).toBeGreaterThan(secondsOf("model=llama-3.2-1b"));
    expect(partOf("sustain=10 dtype=f32", "kernels")).toBeGreaterThan(
      partOf("dtype=f32", "kernels") + 11 * 10,
    );
  });

  test("is without searches where kernels are known from before", () => {
    const parts = timeOf("preset=standard dtype=f32", speed, true)!.parts.map(({ part }) => part);
    expect(parts).toEqual(["instruments", "roofs", "kernels"]);
    expect(secondsOf("dtype=f32", true)).toBeLessThan(secondsOf("dtype=f32"));
  });

  test("has for each whole model what its preset gives it, and more on a slow device", () => {
    const one = partOf("dtype=f32 forward=on", "whole models");
    expect(one).toBeGreaterThan(15);
    expect(partOf("dtype=f32 forward=on batch=1,8", "whole models")).toBeGreaterThan(1.8 * one);
    const slow = { roofs: { f32: { flops: 1e9, bandwidth: 1e9 } }, dispatchCost: 1e-4 };
    const there = timeOf("preset=quick dtype=f32 forward=on", slow)!;
    expect(there.seconds.value).toBeGreaterThan(10 * secondsOf("preset=quick dtype=f32 forward=on"));
    expect(runTimeText(there)).toMatch(/^About .* most of it for whole models: from the roofs/);
  });

  test("adds up, and lies between its ends", () => {
    const { seconds, parts } = timeOf("forward=on depth=0,4096 batch=1,8")!;
    const sum = (end: "low" | "high") => parts.reduce((total, each) => total + each.seconds[end], 0);
    expect(sum("low")).toBeCloseTo(seconds.low, 9);
    expect(sum("high")).toBeCloseTo(seconds.high, 9);
    expect(seconds.low).toBeLessThan(seconds.value);
    expect(seconds.value).toBeLessThan(seconds.high);
  });
});

describe("of a simulated GPU", () => {
  const calls = "kernel=matmul:33x64x128,matvec:1x64x256,attention:1x1x40x4x2x16x40";

  test.each<[preset: string, cost: number]>([
    ["smoke", 4e-4],
    ["smoke", 4e-3],
    ["quick", 4e-4],
  ])(
    "a run of preset %s with dispatches of %d s ends within what an earlier one predicts",
    async (preset, cost) => {
      const hardware: Hardware = {
        ...quiet,
        noise: 0.005,
        cost: (kernel, shape) =>
          kernel === "empty" || kernel === "fma"
            ? costs(1e-6)(kernel, shape)
            : kernel === "fill"
              ? 1e-3
              : cost,
      };
      const plan = planOf(`preset=${preset} dtype=f32 memory=16MiB ${calls}`);
      const { host, drive } = simulate(hardware);
      const began = host.clock.now();
      const result = await drive(run(plan, host, () => {}, { seed: 42 }));
      const took = host.clock.now() - began;
      expect(result.completion.status).toBe("complete");
      const predicted = runTime(plan, result.workloads, speedOf(result));
      expect(took).toBeGreaterThan(predicted!.seconds.low);
      expect(took).toBeLessThan(predicted!.seconds.high);
    },
  );
});
