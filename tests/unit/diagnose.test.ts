// Every sentence that a reader is told, each on the one result that calls for it, and none where nothing is odd.

import { describe, expect, test } from "vitest";
import { diagnose } from "../../src/analysis/diagnose";
import type { Measurement, Outcome, Result } from "../../src/result";
import { uniform } from "../../src/statistics";
import { normal } from "./distributions";
import { eventful, exactSeconds, noisy, referenceOf, resultOf, timingOf } from "./result_fixture";

/** The fourth cell: the first of the model's calls. */
const NAME = "matmul 512x3072x2048 f32";

/** A result in which one cell is different. */
function withCell(change: (cell: Measurement) => Partial<Measurement>, words = "dtype=f32"): Result {
  const result = resultOf({ words, samples: noisy });
  const outcomes = result.outcomes.map(
    (outcome, i): Outcome =>
      i === 3 && outcome.status === "measured" ? { ...outcome, ...change(outcome) } : outcome,
  );
  return { ...result, outcomes };
}

/** Spans of a cell whose samples are these shares of its time. */
const timed = ({ call, dtype }: Measurement, shares: readonly number[]) =>
  timingOf(shares.map((share) => share * exactSeconds(call, dtype)));

/** So many shares around 1. */
const around = (count: number, noise: number, seed = 1) => {
  const random = uniform(seed);
  return Array.from({ length: count }, () => 1 + noise * normal(random));
};

/** Readings of the reference kernel of which those around the `cell`th cell are slower. */
function slowedAround(cell: number, slowness: number, result = resultOf({ words: "dtype=f32" })): Result {
  const reference = referenceOf(28);
  const readings = reference.readings.map(({ at, samples }, i) => ({
    at,
    samples: samples.map((sample) => (i >> 1 === cell ? slowness * sample : sample)),
  }));
  return { ...result, reference: { ...reference, readings } };
}

describe("nothing is said", () => {
  test.each([
    ["of a quiet run", resultOf({ samples: noisy })],
    ["of a run without noise at all", resultOf()],
    [
      "of a run in Node",
      { ...resultOf(), host: { ...resultOf().host, kind: "node" as const, crossOriginIsolated: false } },
    ],
    [
      "of an integrated GPU that is alone",
      { ...resultOf(), device: { ...resultOf().device, type: "integrated GPU" } },
    ],
    [
      "of one integrated GPU beside another",
      {
        ...resultOf(),
        device: { ...resultOf().device, type: "integrated GPU", others: ["Some Iris (integrated GPU)"] },
      },
    ],
    [
      "of a discrete GPU beside an integrated one",
      { ...resultOf(), device: { ...resultOf().device, others: ["Some Iris (integrated GPU)"] } },
    ],
    ["of a device that is 4 % slower for a while", slowedAround(3, 1.04)],
    ["of a result without cells", { ...resultOf(), outcomes: [], reference: null }],
  ])("%s", (_, result) => expect(diagnose(result)).toEqual([]));
});

describe("one sentence is said", () => {
  const device = (change: Partial<Result["device"]>): Result => ({
    ...resultOf(),
    device: { ...resultOf().device, ...change },
  });
  const instruments = (change: Partial<NonNullable<Result["instruments"]>>, isolated = true): Result => {
    const { instruments: found, host, ...rest } = resultOf();
    if (found === null) throw new Error("the fixture has instruments");
    return {
      ...rest,
      host: { ...host, crossOriginIsolated: isolated },
      instruments: { ...found, ...change },
    };
  };

  test.each<[what: string, result: Result, sentence: RegExp]>([
    [
      "of a software adapter, with its reason",
      device({ software: 'the adapter calls itself "llvmpipe"' }),
      /^Software adapter: these are a CPU's numbers, not a GPU's \(the adapter calls itself "llvmpipe"\)/,
    ],
    [
      "of an integrated GPU where there is another",
      device({ type: "integrated GPU", description: "Iris", others: ["GeForce (discrete GPU)"] }),
      /^The browser handed out the integrated GPU \(Iris\) although this machine has another: GeForce \(discrete GPU\)/,
    ],
    [
      "of a partial result",
      { ...resultOf(), completion: { status: "partial", reason: "cancelled" } },
      /^Partial result: cancelled\.$/,
    ],
    [
      "of an incident",
      { ...resultOf(), incidents: [{ at: 3, says: "the device was lost: unknown" }] },
      /^On the way: the device was lost: unknown\.$/,
    ],
    [
      "of a hidden page, with the cell",
      withCell(() => ({ hidden: true })),
      RegExp(`^The page was hidden during ${NAME}: `),
    ],
    [
      "of a device that was slowed down, with the cell and by how much",
      slowedAround(3, 1.2),
      RegExp(`^The device was slowed down around ${NAME} \\(a fixed kernel took up to 2[01] % longer`),
    ],
    [
      "of a cell that became slower",
      withCell((cell) => ({
        timing: timed(
          cell,
          around(20, 0.005).map((x, i) => x * (1 + 0.01 * i)),
        ),
      })),
      RegExp(`^The speed of ${NAME} changed meanwhile`),
    ],
    [
      "of two speeds",
      withCell((cell) => ({
        timing: timed(
          cell,
          around(20, 0.003).map((x, i) => x * (i % 2 ? 1.08 : 1)),
        ),
      })),
      RegExp(`^Two speeds: the samples of ${NAME} fall into two groups`),
    ],
    [
      "of clocks that disagree",
      withCell(({ timing }) => ({
        timing:
          timing.kind === "spans"
            ? { ...timing, spans: timing.spans.map((span) => ({ ...span, wall: 1.12 * span.wall })) }
            : timing,
      })),
      RegExp(`^Timestamps and wall clock differ by more than 5 % for ${NAME}: timestamps are shown\\.$`),
    ],
    [
      "of interruptions",
      withCell((cell) => ({
        timing: timed(
          cell,
          around(20, 0.005).map((x, i) => (i % 6 === 5 ? 2 * x : x)),
        ),
      })),
      RegExp(`^Interruptions: many samples of ${NAME} lie far from the others`),
    ],
    [
      "of rounds that were set aside",
      withCell(({ timing }) => ({
        clock: "wall",
        timing: timing.kind === "spans" ? { ...timing, setAside: { rounds: 3, reason: "stamps" } } : timing,
      })),
      RegExp(`^Timestamps made no sense for ${NAME}: the first rounds were set aside`),
    ],
    [
      "of a cache that may have helped",
      withCell(() => ({ rotation: 2 ** 26 })),
      RegExp(`^${NAME} rotated through less than 128 MiB, of which a cache here may keep some`),
    ],
    [
      "of a cell above the roof",
      withCell((cell) => ({
        timing: timed(
          cell,
          around(20, 0.005).map((x) => x / 3),
        ),
      })),
      RegExp(`^Faster than the measured roof: ${NAME}\\.`),
    ],
    [
      "of missing timestamps",
      instruments({ timestampQuantum: null }),
      /^No GPU timestamps here: the wall clock alone was used/,
    ],
    [
      "of coarse timestamps",
      instruments({ timestampQuantum: 65_536e-9 }),
      /^Coarse timestamps: they step by 66 µs/,
    ],
    ["of a coarse clock", instruments({ clockStep: 100e-6 }), /^Coarse clock: it steps by 100 µs\.$/],
    [
      "of a coarse clock because of the page",
      instruments({ clockStep: 100e-6 }, false),
      /^Coarse clock: it steps by 100 µs \(the page is not cross-origin isolated\)\.$/,
    ],
    [
      "of layers that did not fit into memory",
      (() => {
        const result = resultOf({ words: "dtype=f32" });
        return { ...result, residency: result.residency.map((each) => ({ ...each, layers: 4 })) };
      })(),
      /^llama-3\.2-1b f32: 4 of 16 layers resident, cycled \(memory=1024MiB\)\.$/,
    ],
    [
      "of calls measured in part",
      withCell(() => ({ pieces: 2 })),
      /^1 of 14 calls were too large for one dispatch/,
    ],
  ])("%s", (_, result, sentence) => {
    const found = diagnose(result);
    expect(found).toEqual([expect.stringMatching(sentence)]);
  });

  test("of a coarse clock in Node, where no page could be isolated", () => {
    const coarse = instruments({ clockStep: 100e-6 }, false);
    expect(diagnose({ ...coarse, host: { ...coarse.host, kind: "node" } })).toEqual([
      "Coarse clock: it steps by 100 µs.",
    ]);
  });

  test("of a hidden page and not of the slowness that comes with it", () => {
    const slow = slowedAround(
      3,
      1.5,
      withCell(() => ({ hidden: true })),
    );
    expect(diagnose(slow)).toEqual([expect.stringMatching(/^The page was hidden/)]);
  });

  test("of a slow device and not of the drift that comes with it", () => {
    const drifting = withCell((cell) => ({
      timing: timed(
        cell,
        around(20, 0.005).map((x, i) => x * (1 + 0.01 * i)),
      ),
    }));
    expect(diagnose(slowedAround(3, 1.5, drifting))).toEqual([
      expect.stringMatching(/^The device was slowed down/),
    ]);
  });

  test("of a whole workload above the roof, instead of its cells", () => {
    const result = resultOf({
      words: "dtype=f32 kernel=matmul tg=0",
      samples: (call, dtype) => [exactSeconds(call, dtype) / (call.kernel === "matmul" ? 4 : 1)],
    });
    expect(diagnose(result)).toEqual([
      "Faster than the measured roof: pp512 [matmul] f32 (200 %). A cache, or a noisy probe.",
    ]);
  });
});

describe("noise", () => {
  const rough = (preset: string, stopped: Measurement["stopped"]) =>
    withCell(
      (cell) => ({ stopped, timing: timed(cell, around(20, 0.4)) }),
      `preset=${preset} dtype=f32 sustain=0`,
    );

  test("is told of the cells whose interval is wide, with what to do", () => {
    expect(diagnose(rough("standard", "time"))).toEqual([
      `Noisy: the interval of ${NAME} is wider than ±10 %. Close other programs, or use preset=rigorous.`,
    ]);
  });

  test("that would not shrink is said to be stable", () => {
    expect(diagnose(rough("standard", "noise"))[1]).toBe(
      `More samples would not have helped ${NAME}: the noise is stable.`,
    );
  });

  test("under the rigorous preset is not answered with the rigorous preset", () => {
    expect(diagnose(rough("rigorous", "time"))[0]).toMatch(/Close other programs\.$/);
  });
});

describe("what happened to cells", () => {
  test("names what failed and what was skipped", () => {
    const text = diagnose(eventful()).join("\n");
    expect(text).toContain(
      "attention 1x512x512x32x8x64x512 f16 failed and has no time: attention: element (3, 5)",
    );
    expect(text).toContain("f16 was skipped: this device has no memory left");
  });

  test("counts the failures and the incidents that it does not name", () => {
    const result = resultOf({
      words: "dtype=f32",
      instead: (call, dtype) => ({ status: "failed", call, dtype, error: "broken" }),
    });
    const incidents = Array.from({ length: 5 }, (_, at) => ({ at, says: `loss ${at}` }));
    const found = diagnose({ ...result, incidents });
    expect(found.filter((sentence) => /failed and has no time: broken/.test(sentence))).toHaveLength(5);
    expect(found).toContain("9 more cells failed; the table of cells has them.");
    expect(found.filter((sentence) => sentence.startsWith("On the way: loss"))).toHaveLength(3);
    expect(found).toContain("2 more such incidents.");
  });

  test("names the first of several cells and counts the others", () => {
    const result = resultOf({ words: "dtype=f32" });
    const outcomes = result.outcomes.map((each) => ({
      ...each,
      ...(each.status === "measured" && { hidden: true }),
    }));
    expect(diagnose({ ...result, outcomes })).toEqual([
      "The page was hidden during fma 1048576x8x1024 f32 and 13 more: browsers slow hidden pages down.",
    ]);
  });
});

test("what matters most comes first: the adapter, what is missing, the device's speed, the samples, the clocks", () => {
  const { device, instruments, ...rest } = slowedAround(
    5,
    1.3,
    withCell(() => ({ pieces: 2, rotation: 2 ** 24 })),
  );
  const found = diagnose({
    ...rest,
    device: { ...device, software: "it is" },
    completion: { status: "partial", reason: "cancelled" },
    instruments: instruments && { ...instruments, timestampQuantum: null },
  });
  expect(found.map((sentence) => sentence.split(" ").slice(0, 2).join(" "))).toEqual([
    "Software adapter:",
    "Partial result:",
    "The device",
    "1 of",
    "matmul 512x3072x2048",
    "No GPU",
  ]);
});
