import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { exactly } from "../../src/analysis/interval";
import {
  type Life,
  lifeFlops,
  lifePhases,
  lifeSeconds,
  lifeTokens,
  lifetimeSplit,
} from "../../src/analysis/lifetime_split";
import { freshPrompt, promptCacheBytes, scenarios, scenarioWorkloads } from "../../src/analysis/scenarios";
import { modelConfig } from "../../src/workloads";
import { absurd, estimates, expectNear } from "./estimates";

const llama = modelConfig("llama-3.1-8b");
const [chat] = scenarios;
const scenario = (id: string) => scenarios.find((each) => each.id === id)!;
/** Llama 3.1 8B was trained on 15 trillion tokens, says its model card. */
const life: Life = {
  trainingTokens: 15e12,
  trainingSequence: 8192,
  trainingBatch: 16,
  scenario: chat,
  requests: 1e10,
  batch: 32,
};

describe("scenarios", () => {
  test("have ids of their own, and something to read and to write", () => {
    expect(new Set(scenarios.map(({ id }) => id)).size).toBe(scenarios.length);
    for (const each of scenarios) {
      expect(freshPrompt(each)).toBeGreaterThan(0);
      expect(each.output).toBeGreaterThan(1);
    }
  });

  test("reasoning writes ten and a hundred times a chat's output", () => {
    expect(scenario("reasoning").output / chat.output).toBe(10);
    expect(scenario("long-reasoning").output / chat.output).toBe(100);
  });

  test("an agent reads 1,024 of its 51,200 tokens anew, at a depth of 50,176", () => {
    const agent = scenario("agent");
    expect(freshPrompt(agent)).toBe(1024);
    const { prefill, decode } = scenarioWorkloads("llama-3.1-8b", llama, agent, 4);
    expect(prefill.id).toBe("pp1024 @ d50176");
    expect(decode.id).toBe("tg512 @ d51200 b4");
    expect(promptCacheBytes(llama, agent, "f16")).toBe(51_200 * 131_072);
  });

  test.each([-1, 1024, 2000, 0.5, Number.NaN])("with %d of 1,024 tokens cached is refused", (cachedPrompt) =>
    expect(() => freshPrompt({ ...chat, cachedPrompt })).toThrow("at least one has to be read"),
  );
});

describe("a model's life", () => {
  test("in FLOP: 6 per weight and token in training, 2 in inference, and attention", () => {
    const flops = lifeFlops(llama, life);
    const head = 128_256 * 4096;
    const layers = 7_504_658_432 - head;
    const attention = (keys: number) => 32 * 4 * 32 * 128 * keys;
    expect(flops.training.value / (6 * (layers + head) + 3.5 * attention(8193 / 2))).toBeCloseTo(1, 12);
    expect(flops.prefill.value / (2 * layers + (2 * head) / 1024 + attention(1025 / 2))).toBeCloseTo(1, 12);
    expect(flops.decode.value / (2 * (layers + head) + attention(1024 + 65))).toBeCloseTo(1, 12);
  });

  test("by hand: 10 tokens trained at 6, 20 read at 2, 10 written at 4 are 60, 40 and 40 of 140", () => {
    const tiny = { ...chat, prompt: 2, output: 1 };
    const made = { ...life, trainingTokens: 10, scenario: tiny, requests: 10 };
    expect(lifeTokens(made)).toEqual({ training: 10, prefill: 20, decode: 10 });
    const { total, share, crossover } = lifetimeSplit(made, {
      training: exactly(6),
      prefill: exactly(2),
      decode: exactly(4),
    });
    expect([total.training.value, total.prefill.value, total.decode.value]).toEqual([60, 40, 40]);
    expect(share.training.value).toBeCloseTo(3 / 7, 12);
    // 60 / (2 · 2 + 1 · 4) requests.
    expect(crossover.value).toBe(7.5);
  });

  test("in seconds has more of decode than in FLOP: it waits for memory", () => {
    const h100 = { flops: 989e12, bandwidth: 3.35e12 };
    const flops = lifetimeSplit(life, lifeFlops(llama, life)).share.decode.value;
    const seconds = lifetimeSplit(life, lifeSeconds(llama, life, h100, "f16")).share.decode.value;
    expect(seconds).toBeGreaterThan(2 * flops);
  });

  test("is one, whatever it is counted in, and at the crossover half of it is training", () => {
    const costs = fc.record({
      training: estimates(1, 1e6),
      prefill: estimates(1, 1e6),
      decode: estimates(1, 1e6),
    });
    fc.assert(
      fc.property(costs, (perToken) => {
        const { share, crossover } = lifetimeSplit(life, perToken);
        expect(lifePhases.reduce((sum, each) => sum + share[each].value, 0)).toBeCloseTo(1, 9);
        for (const phase of lifePhases) {
          expect(share[phase].low).toBeGreaterThan(0);
          expect(share[phase].low).toBeLessThanOrEqual(share[phase].value);
          expect(share[phase].high).toBeLessThan(1 + 1e-12);
        }
        const then = lifetimeSplit({ ...life, requests: crossover.value }, perToken);
        expect(then.share.training.value).toBeCloseTo(0.5, 9);
        expectNear(then.crossover, crossover);
      }),
    );
  });

  test.each(absurd)("of %d tokens, requests or cost is refused", (wrong) => {
    const ones = { training: exactly(1), prefill: exactly(1), decode: exactly(1) };
    expect(() => lifetimeSplit({ ...life, trainingTokens: wrong }, ones)).toThrow("training tokens is");
    expect(() => lifetimeSplit({ ...life, requests: wrong }, ones)).toThrow("requests is");
    expect(() => lifetimeSplit(life, { ...ones, decode: exactly(wrong) })).toThrow("decode per token is");
  });
});
