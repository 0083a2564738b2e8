// The worked examples of docs/model.md, by hand, and what has to hold of every prediction.

import fc from "fast-check";
import { expect, test } from "vitest";
import { type Predicted, type PredictionRequest, predict } from "../../src/analysis/predict";
import { architecture } from "../../src/analysis/prediction/architecture";
import { matrixOverFp32, matrixPeak } from "../../src/analysis/prediction/chip_figures";
import { activeExperts, decodeWork, promptWork } from "../../src/analysis/prediction/operators";
import { totalSeconds } from "../../src/analysis/prediction/pass_time";
import { chipsToHold, sequencesThatFit } from "../../src/analysis/prediction/serving";
import { weightFormats } from "../../src/analysis/prediction/weight_format";
import { chip, chips } from "../../src/chips";
import { type Chip, isVerified } from "../../src/chips/chip";
import { roundChip, uncalibrated, withBandwidth, withPeak } from "./prediction_example";

const llama = architecture("llama-3.1-8b")!;
const request: PredictionRequest = {
  chip: roundChip,
  model: llama,
  weights: weightFormats.f16,
  prompt: 1000,
  output: 1,
  batch: 1,
  stack: "vllm",
};
const predicted = (it: PredictionRequest, by = uncalibrated): Predicted & { status: "predicted" } => {
  const outcome = predict(it, by);
  if (outcome.status !== "predicted") throw new Error(outcome.reason);
  return outcome;
};

/** What longer or shorter work adds to reading that it overlaps with. */
const beyond = (work: number, reading: number) => Math.cbrt(work ** 3 + reading ** 3) - reading;

/** Weights of the matrices of Llama 3.1 8B's layers, and of its LM head. */
const layers = 32 * (6144 * 4096 + 4096 * 4096 + 28_672 * 4096 + 4096 * 14_336);
const head = 128_256 * 4096;

test("a step of Llama 3.1 8B on a chip of 1 TB/s takes 20.5 ms, mostly to read the weights", () => {
  const { decode, tpot } = predicted(request);
  expect(layers + head).toBe(7_504_658_432);
  // 80 % of 1 TB/s
  expect(decode.terms.weightsRead).toBeCloseTo((2 * 7_504_658_432) / 0.8e12, 12);
  // 1,002 keys (the prompt, the answer's token, the one being written), 2 × 8 heads × 128, in 32 layers, 2 bytes each
  expect(decode.terms.cacheRead).toBeCloseTo((32 * 1002 * 2 * 8 * 128 * 2) / 0.7e12, 12);
  expect(decode.terms.overhead).toBeCloseTo(32 * 50e-6, 12);
  // 15 GFLOP at 40 % of 100 TFLOP/s take 0.38 ms: hidden behind reading.
  expect(decode.terms.arithmetic).toBeCloseTo(beyond(0.375e-3, 18.76e-3), 9);
  expect(decode.terms.arithmetic).toBeLessThan(1e-7);
  expect(tpot.value).toBeCloseTo(20.55e-3, 5);
  expect(decode.tokensPerSecond.value).toBeCloseTo(48.7, 1);
  expect(totalSeconds(decode.terms)).toBeCloseTo(tpot.value, 15);
});

test("a prompt of 1,000 tokens takes 0.28 s at 55 % of 100 TFLOP/s", () => {
  const { prefill, ttft } = predicted(request);
  const flops = 2 * 1000 * layers + 2 * head;
  const reading = (2 * (layers + head)) / 0.8e12;
  const arithmetic = flops * (1 / (0.55 * 1e14) + 1 / 2e16);
  const pairs = (1000 * 1001) / 2;
  const attention = (32 * 4 * 32 * 128 * pairs) / (0.55 * 0.4 * 1e14);
  expect(prefill?.terms.weightsRead).toBeCloseTo(reading, 12);
  expect(prefill?.terms.arithmetic).toBeCloseTo(beyond(arithmetic, reading), 12);
  expect(prefill?.terms.attention).toBeCloseTo(attention, 12);
  const between = (32 * 1000 * 4096 * 60) / 1e12;
  expect(prefill?.terms.activations).toBeCloseTo(between, 12);
  expect(ttft?.value).toBeCloseTo(
    reading +
      beyond(arithmetic, reading) +
      attention +
      between +
      32 * 80e-6 +
      (32 * 1000 * 2 * 8 * 128 * 2) / 1e12,
    9,
  );
  expect(ttft?.value).toBeCloseTo(0.28, 2);
});

test("packed weights are unpacked at the fp32 peak: 20 operations each, partly while they are read", () => {
  const { decode } = predicted({ ...request, weights: weightFormats.q4_0 });
  const reading = (7_504_658_432 * 4.5) / 8 / 0.8e12;
  expect(decode.terms.weightsRead).toBeCloseTo(reading, 12);
  const unpacking = (7_504_658_432 * 20) / 1e13;
  const multiplying = (2 * 7_504_658_432) / 0.4e14;
  const { terms } = decode;
  expect(terms.unpacking + terms.arithmetic).toBeCloseTo(beyond(unpacking + multiplying, reading), 12);
  expect(terms.unpacking / terms.arithmetic).toBeCloseTo(unpacking / multiplying, 9);
});

test("two chips share the reading and exchange activations twice per layer", () => {
  const { decode } = predicted({ ...request, chips: 2 });
  expect(decode.terms.weightsRead).toBeCloseTo((2 * 7_504_658_432) / 2 / 0.8e12, 12);
  // Half of the activations are sent twice; one step of 15 µs.
  expect(decode.terms.communication).toBeCloseTo(2 * 32 * (15e-6 + (4096 * 2) / 1e11), 12);
});

test("experts that wake: all but those that nobody picks", () => {
  expect(activeExperts(8, 2, 1)).toBe(2);
  expect(activeExperts(8, 2, 2)).toBe(3.5);
  expect(activeExperts(128, 4, 1000)).toBeCloseTo(128, 9);
  const mixtral = architecture("mixtral-8x7b")!;
  const one = decodeWork(mixtral, 10, 1);
  expect(one.expertWeights).toBe(32 * 2 * 3 * 4096 * 14_336);
  expect(one.otherWeights).toBe(32 * (6144 + 4096) * 4096 + 32_000 * 4096);
  expect(decodeWork(mixtral, 10, 2).expertWeights).toBe(one.expertWeights * (3.5 / 2));
  // Each token is multiplied by two experts, however many are read.
  expect(decodeWork(mixtral, 10, 2).matrixFlops).toBe(2 * one.matrixFlops);
  expect(promptWork(mixtral, 100, 1).expertWeights).toBeCloseTo(32 * 8 * 3 * 4096 * 14_336, -3);
});

test("latent attention caches 576 numbers per token and layer", () => {
  const { cacheNumbers } = decodeWork(architecture("deepseek-r1")!, 99, 1);
  expect(cacheNumbers).toBe(61 * 100 * 576);
});

test("what memory holds: sequences beside the weights, and chips for the weights", () => {
  const model = { architecture: llama, weights: weightFormats.f16, cacheBytes: 2 };
  const weights = 2 * (layers + 2 * head);
  const perSequence = 32 * 2 * 8 * 128 * 2 * 2000;
  expect(sequencesThatFit(model, 1e11, 1, 2000)).toBe(Math.floor((0.9e11 - weights) / perSequence));
  expect(sequencesThatFit(model, 1e10, 1, 2000)).toBe(0);
  expect(chipsToHold(model, 1e10, 2000)).toBe(Math.ceil((weights + perSequence) / 0.9e10));
});

test("a model that does not fit is refused with the number of chips that hold it", () => {
  const outcome = predict({
    ...request,
    chip: chip("groq-lpu-v1")!,
    model: architecture("llama-3.1-70b")!,
    weights: weightFormats.fp8,
  });
  expect(outcome).toMatchObject({ status: "not-predicted", chipsToHold: 343 });
  expect(outcome).toMatchObject({ reason: expect.stringContaining("needs 343 chips") });
  expect(predict({ ...request, chip: chip("cerebras-wse3")! }).status).toBe("predicted");
});

test.each([
  [{ batch: 0 }, "batch 0: a whole number from 1 to 65536"],
  [{ batch: -1 }, "batch -1: "],
  [{ batch: 1e9 }, "batch 1000000000: "],
  [{ prompt: Number.NaN }, "prompt NaN: a whole number from 1 to 131072"],
  [{ prompt: 131_000, output: 1000 }, "prompt + output 132000: meta-llama/Llama-3.1-8B takes at most 131072"],
  [{ output: 0.5 }, "output 0.5: "],
  [{ chips: 0 }, "chips 0: a whole number from 1 to 10000"],
])("%o is refused with the range that is valid", (wrong, reason) => {
  expect(predict({ ...request, ...wrong })).toMatchObject({
    status: "not-predicted",
    reason: expect.stringContaining(reason),
  });
});

test("a figure from memory decides nothing", () => {
  const { bandwidth } = roundChip.memory;
  const recalled = { ...bandwidth, kind: "recalled-unverified" as const, source: "" };
  const doubtful: Chip = { ...roundChip, memory: { ...roundChip.memory, bandwidth: recalled } };
  expect(predict({ ...request, chip: doubtful })).toMatchObject({
    status: "not-predicted",
    reason: "no verified memory bandwidth for Round: not predicted",
  });
  const { fp16: _, fp32: __, ...peakFlops } = roundChip.peakFlops;
  const noPeak = predicted({ ...request, chip: { ...roundChip, peakFlops } });
  expect(noPeak.prefill).toBeUndefined();
  expect(noPeak.assumptions).toContainEqual(expect.stringContaining("no verified fp16 peak for Round"));
});

test("GeForce cards multiply on matrix units at fixed multiples of fp32, wherever that is verified", () => {
  for (const [format, { times, since }] of Object.entries(matrixOverFp32)) {
    const ratios = chips.flatMap((each) => {
      const { fp32, [format as "fp16"]: matrix } = each.peakFlops;
      const known = fp32 !== undefined && matrix !== undefined && isVerified(fp32) && isVerified(matrix);
      if (!each.id.startsWith("rtx-") || each.launch < since || !known) return [];
      return [matrix.value / fp32.value];
    });
    expect(ratios.length).toBeGreaterThanOrEqual(2);
    for (const ratio of ratios) expect(ratio / times).toBeCloseTo(1, 1);
  }
  expect(matrixPeak(chip("rtx-3090")!, "fp16")).toMatchObject({ value: 4 * 35.58e12 });
  // Ampere has no 8-bit floats: their weights are multiplied as 16-bit ones.
  expect(matrixPeak(chip("rtx-3090")!, "fp8")).toMatchObject({ value: 4 * 35.58e12 });
});

const anyRequest = fc.record({
  model: fc
    .constantFrom("llama-3.2-1b", "llama-3.1-8b", "mixtral-8x7b", "gpt-oss-20b", "gemma-3-4b")
    .map((id) => architecture(id)!),
  weights: fc.constantFrom(...Object.values(weightFormats)),
  prompt: fc.integer({ min: 1, max: 4000 }),
  output: fc.integer({ min: 1, max: 2000 }),
  batch: fc.integer({ min: 1, max: 64 }),
  stack: fc.constantFrom("llama.cpp" as const, "vllm" as const, "tensorrt-llm" as const, "unknown" as const),
});
const big: Chip = {
  ...roundChip,
  memory: { ...roundChip.memory, capacity: { ...roundChip.memory.capacity, value: 1e13 } },
};
const on = (it: Omit<PredictionRequest, "chip">, onChip = big) =>
  predicted({ ...it, chip: onChip }, undefined);
const nearly = 1 + 1e-12;

test("more bandwidth or arithmetic is never slower, and more work never faster", () => {
  fc.assert(
    fc.property(anyRequest, fc.double({ min: 1, max: 10, noNaN: true }), (it, factor) => {
      const base = on(it);
      const seconds = ({ tpot, ttft, latency }: Predicted & { status: "predicted" }) =>
        [tpot, ttft!, latency!].map(({ value }) => value);
      const less = (a: readonly number[], b: readonly number[]) =>
        a.forEach((value, i) => {
          expect(value).toBeLessThanOrEqual(b[i]! * nearly);
        });
      less(seconds(on(it, withBandwidth(big, 1e12 * factor))), seconds(base));
      less(seconds(on(it, withPeak(big, 1e14 * factor))), seconds(base));
      less(seconds(base), seconds(on({ ...it, prompt: Math.ceil(it.prompt * Math.min(factor, 2)) })));
      less(seconds(base), seconds(on({ ...it, batch: 2 * it.batch })));
    }),
    { numRuns: 60 },
  );
});

test("every estimate is positive, finite and inside its interval; terms add up", () => {
  fc.assert(
    fc.property(anyRequest, fc.constantFrom(...chips), (it, onChip) => {
      const outcome = predict({ ...it, chip: onChip });
      if (outcome.status === "not-predicted") {
        expect(outcome.reason).not.toBe("");
        return;
      }
      const { ttft, tpot, latency, throughput, decode } = outcome;
      for (const each of [ttft, tpot, latency, throughput]) {
        if (each === undefined) continue;
        expect(each.low).toBeGreaterThan(0);
        expect(each.low).toBeLessThan(each.value);
        expect(each.high).toBeGreaterThan(each.value);
        expect(Number.isFinite(each.high)).toBe(true);
      }
      expect(totalSeconds(decode.terms)).toBeCloseTo(tpot.value, 12);
    }),
    { numRuns: 200 },
  );
});

test("every effect of a request's numbers is in seconds, bytes and FLOP: ten times the chip is ten times as fast", () => {
  const tenfold = withPeak(withBandwidth(roundChip, 1e13), 1e15);
  const slow = predicted(request).decode.terms;
  const fast = predicted({ ...request, chip: tenfold }).decode.terms;
  expect(fast.weightsRead * 10).toBeCloseTo(slow.weightsRead, 12);
  expect(fast.cacheRead * 10).toBeCloseTo(slow.cacheRead, 12);
  expect(fast.overhead).toBe(slow.overhead);
});
