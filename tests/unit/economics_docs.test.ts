// docs/economics.md says what the code computes: its tables and worked examples, word for word.

import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { type disaggregated, type PhaseSpeeds, servingWays } from "../../src/analysis/disaggregation";
import {
  defaultAssumptions,
  inBaseUnits,
  parseAssumptions,
  YEAR,
} from "../../src/analysis/economics/assumptions";
import { breakEven } from "../../src/analysis/economics/break_even";
import { dollarsPerToken } from "../../src/analysis/economics/cost";
import { supply } from "../../src/analysis/economics/demand";
import { energyDollarsPerToken, joulesPerToken } from "../../src/analysis/economics/energy";
import { chipCost, ownership, powerDraw } from "../../src/analysis/economics/hardware";
import { exactly } from "../../src/analysis/interval";
import { lifeFlops, lifeSeconds, lifetimeSplit } from "../../src/analysis/lifetime_split";
import { chipRoof } from "../../src/analysis/roofline";
import { promptCacheBytes, scenarios } from "../../src/analysis/scenarios";
import { trainingBounds, trainingFlops, trainingStep } from "../../src/analysis/training_step";
import { chip } from "../../src/chips/index";
import {
  dollarsPerHour,
  dollarsPerMillionTokens,
  duration,
  joulesPerToken as joulesScale,
  kilowattHoursPerMillionTokens,
  memory,
  percent,
  scaled,
  significant,
  watts,
  written,
} from "../../src/units";
import { kvCacheBytes, modelConfig } from "../../src/workloads";

const doc = readFileSync(resolve(import.meta.dirname, "../../docs/economics.md"), "utf8").replace(
  /\s+/g,
  " ",
);
const says = (text: string) => expect(doc).toContain(text.replace(/\s+/g, " "));

const h100 = chip("h100-sxm")!;
const llama = modelConfig("llama-3.1-8b");
const outcome = parseAssumptions("host-price=0,host-power=0");
const bare = outcome.ok ? outcome.assumptions : defaultAssumptions;
const meter = (value: number, assumptions = bare) => {
  const power = powerDraw({ value, source: "", quote: "" }, assumptions);
  if (!power.known) throw new Error(power.missing);
  return power;
};

test("every assumption stands there with its default, range and name", () => {
  for (const [key, { value, unit, range, label }] of Object.entries(defaultAssumptions.values))
    says(`| \`${key}\` | ${value}${unit && ` ${unit}`} | ${range[0]} … ${range[1]} | ${label} |`);
});

test("every scenario stands there", () => {
  for (const { id, prompt, cachedPrompt, output } of scenarios)
    says(`| ${id} | ${prompt} | ${cachedPrompt} | ${output} |`);
});

describe("worked example:", () => {
  test("power", () => {
    says(`700 · 1.2 = **${significant(meter(700).facilityWatts)} W**`);
    const hot = meter(2300, defaultAssumptions).facilityWatts;
    says(`2,300 · 1.11 · 1.15 = **${written(hot, watts)}**`);
    says(`1.2 would make it ${written((hot / 1.15) * 1.2, watts)}`);
  });

  test("ownership", () => {
    const { chip, energy } = ownership(30_000, meter(700).facilityWatts, bare);
    says(
      `chip **${written(chip, dollarsPerHour)}**, energy of 700 W at PUE 1.2 **${written(energy, dollarsPerHour)}**`,
    );
    const whole = chipCost(h100, "purchase", defaultAssumptions);
    if (!whole.known) throw new Error(whole.missing);
    says(`The same with host and the host's power: **${written(whole.dollarsPerSecond, dollarsPerHour)}**`);
  });

  test("a token", () => {
    const rent = chipCost(h100, "rent", defaultAssumptions);
    if (!rent.known) throw new Error(rent.missing);
    const at = (speed: number) =>
      written(dollarsPerToken(rent.dollarsPerSecond, exactly(speed)).value, dollarsPerMillionTokens);
    says(`at 100 tokens/s: **${at(100)}**; at 10,000 tokens/s **${at(10_000)}**`);
    const joules = joulesPerToken(840, exactly(100));
    const energy = written(energyDollarsPerToken(joules, bare).value, dollarsPerMillionTokens);
    says(
      `840 W at 100 tokens/s: **${written(joules.value, joulesScale)}**, **${written(joules.value, kilowattHoursPerMillionTokens)}**, **${energy}**`,
    );
  });

  test("demand", () => {
    const answer = supply(1e6, { tokensPerSecond: exactly(1000), chips: 8, power: meter(700) }, bare);
    if (!answer.possible) throw new Error(answer.reason);
    const chips = answer.chips.value.toLocaleString("en-US");
    says(`${chips} chips, ${answer.racks.value} racks, **${written(answer.facilityWatts.value, watts)}**`);
  });

  test("break-even", () => {
    const answer = breakEven(
      { input: 1000, output: 1000 },
      { input: 0.1e-6, output: 0.4e-6 },
      { dollars: 2000, watts: 500, secondsPerRequest: exactly(10) },
      bare,
    );
    if (answer.verdict !== "pays-off") throw new Error(answer.verdict);
    says(
      `${significant(answer.requests.value / 1e6)} million requests, **${significant(answer.seconds.value / YEAR)} years**`,
    );
  });

  test("training", () => {
    const step = trainingStep(llama, 8192, 4);
    const [bound] = trainingBounds(step, [h100]);
    says(
      `**${scaled(trainingFlops(step), "FLOP")}**; at most **${significant(bound!.tokensPerSecond!)} tokens/s** on an H100`,
    );
  });

  test("lifetime", () => {
    const roof = chipRoof(h100, "f16");
    if (!roof.known) throw new Error(roof.missing);
    for (const scenario of scenarios) {
      const life = {
        trainingTokens: 15e12,
        trainingSequence: 8192,
        trainingBatch: 16,
        scenario,
        requests: 1e10,
        batch: 32,
      };
      const flops = lifetimeSplit(life, lifeFlops(llama, life));
      const seconds = lifetimeSplit(life, lifeSeconds(llama, life, roof.roof, "f16"));
      const cells = [
        scenario.id,
        flops.crossover.value.toExponential(2),
        seconds.crossover.value.toExponential(2),
        percent(flops.share.decode.value),
        percent(seconds.share.decode.value),
      ];
      says(`| ${cells.join(" | ")} |`);
    }
  });

  test("disaggregation", () => {
    const [chat] = scenarios;
    const bytes = promptCacheBytes(llama, chat, "f16");
    const bandwidth = inBaseUnits(defaultAssumptions.values.link);
    says(`**${memory(kvCacheBytes(llama, 1, "f16"))}** per token`);
    says(`a chat's prompt of 1,024 tokens takes **${duration(bytes / bandwidth)}** over 50 GB/s`);
    const unit = (name: string, read: number, step: number, dollarsPerSecond: number): PhaseSpeeds => ({
      name,
      prefillSeconds: () => exactly(read),
      decodeStepSeconds: () => exactly(step),
      maxBatch: 10,
      dollarsPerSecond,
      watts: undefined,
      chips: 1,
    });
    const [a, b] = [unit("A", 0.1, 0.04, 0.002), unit("B", 0.5, 0.01, 0.001)];
    const request = { output: 101, kvBytes: 1e9 };
    const link = { bandwidth, latency: inBaseUnits(defaultAssumptions.values["link-latency"]) };
    const { onA, onB, fromAToB } = servingWays(a, b, request, link, 10);
    const perDollar = (way: ReturnType<typeof disaggregated>) =>
      way.fits && way.tokensPerDollar ? significant(way.tokensPerDollar.value) : "";
    says(
      `A alone **${perDollar(onA)} tokens/$**, B alone **${perDollar(onB)} tokens/$**, split **${perDollar(fromAToB)} tokens/$**`,
    );
    expect(fromAToB.fits && fromAToB.prefillUnits.value).toBeCloseTo(1, 12);
  });
});
