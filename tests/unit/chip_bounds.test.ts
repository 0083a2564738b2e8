import { expect, test } from "vitest";
import { chipBounds } from "../../src/analysis/chip_bounds";
import { chip, chips } from "../../src/chips/index";
import { decode, modelConfig, prefill } from "../../src/workloads";

const bound = (workload: Parameters<typeof chipBounds>[0], id: string) =>
  chipBounds(workload, [chip(id)!], "f16")[0]!;
const model = modelConfig("llama-3.1-8b");
const token = decode("llama-3.1-8b", model, 1, 0, 1);

test("an H100 writes at most 223 tokens/s of Llama 3.1 8B: all weights once over 3.35 TB/s", () => {
  const layers = 32 * (6144 * 4096 + 4096 * 4096 + 28_672 * 4096 + 4096 * 14_336);
  const head = 128_256 * 4096;
  const activations = 32 * (4096 + 6144 + 2 * 4096 + 4096 + 28_672 + 14_336 + 4096) + 4096 + 128_256;
  const attention = 32 * 2 * (32 + 8) * 128;
  const bytes = 2 * (layers + head + activations + attention);
  expect(bytes).toBe(15_014_693_376);
  expect(bound(token, "h100-sxm").tokensPerSecond).toBeCloseTo(3.35e12 / bytes, 6);
  expect(3.35e12 / bytes).toBeCloseTo(223.1, 1);
  expect(bound(token, "h100-sxm").tokensPerSecondPerWatt).toBeCloseTo(3.35e12 / bytes / 700, 6);
});

test("an H100 reads a prompt of 2048 tokens at its arithmetic peak, and the LM head once from memory", () => {
  const weights = 32 * (6144 * 4096 + 4096 * 4096 + 28_672 * 4096 + 4096 * 14_336);
  const pairs = (2048 * 2049) / 2;
  const seconds = (2 * 2048 * weights + 32 * 4 * 32 * 128 * pairs) / 989e12 + (2 * 128_256 * 4096) / 3.35e12;
  const { tokensPerSecond } = bound(prefill("llama-3.1-8b", model, 2048, 0), "h100-sxm");
  expect(tokensPerSecond! / (2048 / seconds)).toBeCloseTo(1, 3);
});

test("it takes 70 Groq chips of 230 MB to hold 8.03 billion 16-bit weights, and one H100", () => {
  expect(8.03e9 * 2).toBeGreaterThan(69 * 230e6);
  expect(bound(token, "groq-lpu-v1").chipsToHold).toBe(70);
  expect(bound(token, "h100-sxm").chipsToHold).toBe(1);
});

test("a chip without figures has no bound, and nothing is guessed for it", () => {
  expect(bound(token, "openai-jalapeno")).toMatchObject({
    roof: { known: false, missing: "no sourced 16-bit peak" },
    tokensPerSecond: undefined,
    tokensPerSecondPerWatt: undefined,
    chipsToHold: undefined,
  });
});

test("every chip is compared, in the order given", () => {
  expect(chipBounds(token, chips, "f16").map((each) => each.chip.id)).toEqual(chips.map(({ id }) => id));
});

test("no bound of a memory-bound token exceeds bandwidth over weights", () => {
  const bounds = chipBounds(token, chips, "f16").filter(
    ({ tokensPerSecond }) => tokensPerSecond !== undefined,
  );
  expect(bounds.length).toBeGreaterThan(50);
  for (const { chip, tokensPerSecond } of bounds)
    expect(tokensPerSecond!, chip.id).toBeLessThan(chip.memory.bandwidth!.value / (2 * 7.5e9));
});
