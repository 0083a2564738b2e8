// The measured device as a chip: on a made-up GPU whose every call is at a known rate, what follows for other models is
// known by hand arithmetic.

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { ownChecks, predictOwn } from "../../src/analysis/own_chip";
import { measuredWhole } from "../../src/analysis/own_whole";
import { architecture } from "../../src/analysis/prediction/architecture";
import { weightFormat } from "../../src/analysis/prediction/weight_format";
import { workOf } from "../../src/kernels";
import { decodeLink } from "../../src/report/link";
import { decode, modelConfig, prefill } from "../../src/workloads";
import { everyRun, ran } from "./forward_fixture";
import { BANDWIDTH_SHARE, COMPUTE_SHARE, exactSeconds, resultOf, roofs } from "./result_fixture";

const result = resultOf({ words: "model=llama-3.2-1b,smollm2-135m pp=512 tg=128 dtype=f32" });

const request = (model: string, weights = "f32") => ({
  model: architecture(model)!,
  weights: weightFormat(weights)!,
  prompt: 512,
  output: 128,
  batch: 1,
});

const predicted = (model: string) => {
  const outcome = predictOwn(result, request(model));
  if (outcome.status !== "predicted") throw new Error(outcome.reason);
  return outcome;
};

test("a step of decoding takes its bytes at the measured bandwidth, and its dispatches", () => {
  const { decode: step } = predicted("llama-3.1-8b");
  const workload = decode("", modelConfig("llama-3.1-8b"), 1, 512 + 64, 1);
  const bytes = workload.steps.reduce((sum, { call, count }) => sum + count * workOf(call, "f32").bytes, 0);
  const calls = workload.steps.reduce((sum, { count }) => sum + count, 0);
  const launching = (calls + 5 * 32) * (result.instruments?.dispatchCost ?? 0);
  expect(launching).toBeGreaterThan(0);
  expect(step.seconds.value).toBeCloseTo(bytes / (BANDWIDTH_SHARE * roofs.f32.bandwidth) + launching, 5);
  expect(step.terms.weightsRead + step.terms.cacheRead + step.terms.overhead).toBeCloseTo(
    step.seconds.value,
    9,
  );
});

test("a prompt takes its FLOP at the measured rate", () => {
  const { prefill } = predicted("llama-3.1-8b");
  // Two FLOP per weight of the layers (6.98e9) and token: 7.1 TFLOP; attention is less than 2 % of it.
  expect(prefill?.terms.arithmetic).toBeCloseTo((2 * 6.979e9 * 512) / (COMPUTE_SHARE * roofs.f32.flops), 2);
});

test("intervals hold the value and widen with distance from what was measured", () => {
  const width = (model: string) => {
    const { low, value, high } = predicted(model).decode.seconds;
    expect(low).toBeLessThan(value);
    expect(value).toBeLessThan(high);
    return high / low;
  };
  expect(width("llama-3.1-70b")).toBeGreaterThan(width("llama-3.2-1b"));
});

test("each model is checked against what the others say of it", () => {
  const checks = ownChecks(result);
  expect(checks.map(({ workload }) => `${workload.model} ${workload.phase}`).sort()).toEqual([
    "llama-3.2-1b decode",
    "llama-3.2-1b prefill",
    "smollm2-135m decode",
    "smollm2-135m prefill",
  ]);
  for (const { measured, predicted: said } of checks) {
    expect(said.low).toBeLessThan(measured.value);
    expect(said.high).toBeGreaterThan(measured.value);
  }
});

test("of a real device whose speed wandered, most of what was measured lies within what the other models say", async () => {
  const opened = await decodeLink(
    readFileSync(new URL("../fixtures/three-models.txt", import.meta.url), "utf8").trim(),
  );
  if (!opened.ok) throw new Error(opened.problem);
  const checks = ownChecks(opened.result);
  expect(checks).toHaveLength(12);
  const held = checks.filter(
    ({ measured, predicted: { low, high } }) => low <= measured.value && measured.value <= high,
  );
  expect(held.length).toBeGreaterThanOrEqual(10);
});

describe("what was not measured is not guessed", () => {
  const reason = (model: string, weights: string, of = result) => {
    const outcome = predictOwn(of, request(model, weights));
    return outcome.status === "predicted" ? undefined : outcome.reason;
  };
  test("another type", () =>
    expect(reason("llama-3.1-8b", "q4_0")).toMatch(/^no matvec in q4_0 was measured: run/));
  test("a format without kernels", () =>
    expect(reason("llama-3.1-8b", "fp8")).toMatch(/^weights in fp8 do not run/));
  test("experts", () =>
    expect(reason("gpt-oss-20b", "f32")).toMatch(/experts .* are not predicted from cells/));
  test("a result without prompts", () =>
    expect(reason("llama-3.1-8b", "f32", resultOf({ words: "model=smollm2-135m pp=0 dtype=f32" }))).toMatch(
      /^no matmul in f32/,
    ));
  test("more tokens than the model takes", () => {
    const outcome = predictOwn(result, { ...request("llama-3.1-8b"), prompt: 200_000 });
    expect(outcome).toMatchObject({
      status: "not-predicted",
      reason: expect.stringContaining("from 1 to 131072"),
    });
  });
});

describe("models that were run whole tell what lies between kernels", () => {
  const words = "model=smollm2-135m pp=512 tg=128 dtype=f32 forward=on";
  const bare = everyRun(words);
  const step = (() => {
    // The kernels of the step in the middle of the answer, and the dispatches of a step.
    const workload = decode("", modelConfig("smollm2-135m"), 1, 512 + 64, 1);
    const bytes = workload.steps.reduce((sum, { call, count }) => sum + count * workOf(call, "f32").bytes, 0);
    const calls = workload.steps.reduce((sum, { count }) => sum + count, 0);
    return { seconds: bytes / (BANDWIDTH_SHARE * roofs.f32.bandwidth), dispatches: calls + 5 * 30 };
  })();
  const samples = (seconds: number) => ({ kind: "samples" as const, seconds: [seconds, seconds] });
  const prompts = prefill("", modelConfig("smollm2-135m"), 512, 0).steps.reduce(
    (sum, { call, count }) => sum + count * exactSeconds(call, "f32"),
    0,
  );
  const whole = everyRun(words, (wanted) => {
    const { decode: usual, prefill: reading } = ran(wanted);
    return {
      prefill: { ...reading, times: samples(1.5 * prompts) },
      decode: { ...usual, times: samples(step.seconds + step.dispatches * 20e-6) },
      interactive: samples(step.seconds + step.dispatches * 20e-6 + 0.003),
    };
  });
  const on = (of: typeof whole) => {
    const outcome = predictOwn(of, request("llama-3.1-8b"));
    if (outcome.status !== "predicted") throw new Error(outcome.reason);
    return outcome;
  };
  const none = on({ ...bare, forwards: [] });
  const some = on(whole);

  test("of a step: 20 us per dispatch in place of an empty one's cost", () => {
    const cost = bare.instruments?.dispatchCost ?? 0;
    const dispatches = none.decode.terms.overhead / cost;
    expect(some.decode.terms.overhead / dispatches).toBeCloseTo(20e-6, 7);
    expect(some.tpot.value).toBeGreaterThan(none.tpot.value);
  });

  test("of a prompt: half as long again as its kernels", () => {
    const kernels = none.prefill!.seconds.value - none.prefill!.terms.overhead;
    expect(some.ttft!.value / kernels).toBeCloseTo(1.5, 2);
    expect(some.prefill!.tokensPerSecond.value).toBeCloseTo(512 / some.ttft!.value, 6);
  });

  test("and of a step whose token is read back", () => {
    expect(some.interactive!.value - some.tpot.value).toBeCloseTo(0.003, 6);
    expect(none.interactive).toBeUndefined();
    expect(some.assumptions.join()).toContain("as in 1 run of whole models in f32");
  });

  test("in their own type only, and the model's own runs can be left out", () => {
    const all = predictOwn(
      everyRun("model=smollm2-135m dtype=f32,f16 forward=on"),
      request("llama-3.1-8b", "f16"),
    );
    expect(all).toMatchObject({ interactive: expect.anything() });
    const without = predictOwn(whole, request("llama-3.1-8b"), "smollm2-135m");
    expect(without).toMatchObject({ status: "not-predicted" });
    const others = whole.forwards.map((each) => ({ ...each, dtype: "q8_0" as const }));
    expect(on({ ...whole, forwards: others }).interactive).toBeUndefined();
  });

  test("what was measured of the very model is given as it is", () => {
    const asked = { name: "HuggingFaceTB/SmolLM2-135M", dtype: "f32", batch: 1 };
    expect(measuredWhole(whole, asked)).toEqual([
      {
        run: "pp512+tg128",
        ttft: expect.objectContaining({ value: expect.closeTo(1.5 * prompts, 4) }),
        tpot: expect.anything(),
        interactive: expect.anything(),
      },
    ]);
    expect(measuredWhole(whole, { ...asked, batch: 8 })).toEqual([]);
    expect(measuredWhole(whole, { ...asked, name: "meta-llama/Llama-3.1-8B" })).toEqual([]);
  });
});
