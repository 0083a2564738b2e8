import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { caseOf, forwardCases, forwardName } from "../../src/forward_result";
import { type Call, type KernelName, kernels } from "../../src/kernels";
import { cacheTypes } from "../../src/kernels/elements";
import {
  type Plan,
  type PlanOutcome,
  parsePlan,
  parsePlanWords,
  planPairs,
  planWordNames,
  planWords,
  presetPlans,
  presets,
  workloadsOf,
} from "../../src/plan";
import { trainingCases, trainingName } from "../../src/training_result";
import { callName, modelIds } from "../../src/workloads";
import { planOf } from "./result_fixture";

const problemOf = (outcome: PlanOutcome) => (outcome.ok ? "no problem" : outcome.problem);
const problem = (words: string) => problemOf(parsePlanWords(words.split(" ")));
const ids = (words: string) => workloadsOf(planOf(words)).map(({ model, id }) => `${model} ${id}`);

/** A problem is one short line. */
function expectOneLine(outcome: PlanOutcome) {
  if (outcome.ok) return;
  expect(outcome.problem).not.toMatch(/[\n\r\u2028\u2029]/);
  expect(outcome.problem.length).toBeLessThan(400);
  expect(outcome.problem).not.toBe("");
}

test("no words are the standard plan: Llama 3.2 1B, pp512 and tg128, in both types", () => {
  expect(planOf("")).toEqual({
    preset: "standard",
    model: ["llama-3.2-1b"],
    pp: [512],
    tg: [128],
    depth: [0],
    batch: [1],
    dtype: ["f32", "f16"],
    kernel: [],
    calls: [],
    sustain: 0,
    memory: 2 ** 30,
    forward: false,
    kv: ["auto"],
    fused: [true],
    train: false,
  });
  expect(ids("")).toEqual(["llama-3.2-1b pp512", "llama-3.2-1b tg128"]);
});

describe("presets", () => {
  test.each(presets)("%s is a plan of its own", (preset) => {
    expect(planOf(`preset=${preset}`)).toEqual(presetPlans[preset]);
    expect(planOf(`preset=${preset}`).preset).toBe(preset);
  });

  test("take a sustained measurement where they are rigorous, and nowhere else", () => {
    expect(presets.filter((preset) => presetPlans[preset].sustain > 0)).toEqual(["rigorous"]);
    expect(planOf("preset=rigorous sustain=0").sustain).toBe(0);
    expect(planPairs(planOf("preset=rigorous sustain=0"))).toEqual([
      ["preset", "rigorous"],
      ["sustain", "0"],
    ]);
  });

  test("yield to the words beside them, in whatever order", () => {
    expect(planOf("preset=smoke pp=64")).toMatchObject({ model: ["smollm2-135m"], pp: [64], tg: [1] });
    expect(planOf("pp=64 preset=smoke")).toEqual(planOf("preset=smoke pp=64"));
  });
});

describe("lists", () => {
  test("multiply; batches multiply decode alone", () => {
    expect(ids("model=llama-3.2-1b,smollm2-135m pp=128,512 tg=32 depth=0,1024 batch=1,8")).toEqual(
      ["llama-3.2-1b", "smollm2-135m"].flatMap((model) =>
        [
          ["pp128", "pp512", "tg32", "tg32 @ b8"],
          ["pp128 @ d1024", "pp512 @ d1024", "tg32 @ d1024", "tg32 @ d1024 b8"],
        ].flatMap((row) => row.map((id) => `${model} ${id}`)),
      ),
    );
  });

  test.each(["pp=512,512", "pp=512,0512", "model=llama-3.2-1b,llama-3.2-1b"])(
    "count what is given twice once: %s",
    (words) => {
      expect(planOf(words)).toEqual(planOf(""));
    },
  );

  test("may be empty for prompts or for answers, not for both", () => {
    expect(ids("pp=0")).toEqual(["llama-3.2-1b tg128"]);
    expect(ids("tg=0")).toEqual(["llama-3.2-1b pp512"]);
    expect(problem("pp=0 tg=0")).toMatch(/nothing to measure/);
  });

  test("are cut where they multiply to too much", () => {
    const eight = "1,2,3,4,5,6,7,8";
    expect(workloadsOf(planOf(`pp=${eight} tg=0 depth=${eight}`))).toHaveLength(64);
    expect(problem(`pp=${eight},9 tg=0 depth=${eight}`)).toMatch(/72 .*64/);
    expect(problem(`pp=${Array.from({ length: 17 }, (_, i) => i + 1)}`)).toMatch(/^pp/);
  });
});

test("a URL's query and the command line's words are the same plan", () => {
  const query = new URLSearchParams("model=llama-3.2-1b&pp=512&tg=128&depth=4096&batch=1,8");
  expect(parsePlan(query)).toEqual({
    ok: true,
    plan: planOf("batch=1,8 model=llama-3.2-1b depth=4096 tg=128 pp=512"),
  });
});

describe("the words of a plan", () => {
  const size = fc.integer({ min: 1, max: 4096 });
  const calls: fc.Arbitrary<Call> = fc.oneof(
    fc.record({ M: size, N: size, K: size }).map((shape): Call => ({ kernel: "matmul", shape })),
    fc
      .record({ M: fc.integer({ min: 1, max: 8 }), N: size, K: size })
      .map((shape): Call => ({ kernel: "matvec", shape })),
    fc
      .tuple(size, size, fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 8 }))
      .map(([queries, past, kvHeads, sharing]): Call => {
        const keys = queries + past;
        const heads = kvHeads * sharing;
        return {
          kernel: "attention",
          shape: { batch: 1, queries, keys, heads, kvHeads, headDim: 64, window: keys },
        };
      }),
  );
  const some = <T>(of: fc.Arbitrary<T>, minLength: number, maxLength = 2) =>
    fc.uniqueArray(of, { minLength, maxLength });
  const plans = fc
    .record({
      preset: fc.constantFrom(...presets),
      model: some(fc.constantFrom(...modelIds), 1),
      pp: some(fc.integer({ min: 1, max: 2047 }), 0, 3),
      tg: some(fc.integer({ min: 1, max: 2048 }), 0, 3),
      depth: some(fc.integer({ min: 0, max: 4096 }), 1),
      batch: some(fc.integer({ min: 1, max: 1024 }), 1),
      dtype: some(fc.constantFrom("f32" as const, "f16" as const), 1),
      kernel: some(fc.constantFrom(...(Object.keys(kernels) as KernelName[])), 0, 3),
      calls: fc.uniqueArray(calls, { maxLength: 3, selector: callName }),
      sustain: fc.integer({ min: 0, max: 600 }),
      memory: fc.integer({ min: 16, max: 999_999 }).map((mebibytes) => mebibytes * 2 ** 20),
      forward: fc.boolean(),
      kv: some(fc.constantFrom("auto" as const, ...cacheTypes), 1),
      fused: some(fc.boolean(), 1),
      train: fc.boolean(),
    })
    .filter(({ pp, tg }) => pp.length + tg.length > 0)
    // Single calls without a filter stand instead of a model.
    .map((plan): Plan => (plan.calls.length > 0 && plan.kernel.length === 0 ? { ...plan, model: [] } : plan))
    .filter((plan) => {
      const { model, dtype, depth, pp, tg, batch, kv, fused } = plan;
      const [prompts, answers] = [Math.max(1, pp.length), Math.max(1, tg.length)];
      const trained = model.length * dtype.length * prompts * batch.length;
      const cases = trained * depth.length * answers * kv.length * fused.length;
      return (!plan.forward || (cases > 0 && cases <= 64)) && (!plan.train || (trained > 0 && trained <= 64));
    });

  test("read back as the same plan, from the URL and from the command line", () => {
    fc.assert(
      fc.property(plans, (plan) => {
        expect(parsePlan(planPairs(plan))).toEqual({ ok: true, plan });
        expect(parsePlan(new URLSearchParams(planPairs(plan)))).toEqual({ ok: true, plan });
        expect(parsePlanWords(planWords(plan).split(" ").filter(Boolean))).toEqual({ ok: true, plan });
      }),
    );
  });

  test("are only those that differ from the preset's own: without any of them it is another plan", () => {
    fc.assert(
      fc.property(plans, (plan) => {
        const pairs = planPairs(plan);
        pairs.forEach((_, left) => {
          expect(parsePlan(pairs.filter((_, i) => i !== left))).not.toEqual({ ok: true, plan });
        });
      }),
    );
    expect(planPairs(planOf(""))).toEqual([]);
    expect(planWords(planOf("tg=128 batch=1,8 preset=quick memory=2048MiB"))).toBe(
      "preset=quick batch=1,8 memory=2GiB",
    );
  });

  test.each([
    ["model=llama-3.2-3b", "kernel=matmul:512x512x512"],
    ["preset=smoke", "kernel=matmul:512x512x512"],
    ["pp=64", "preset=smoke"],
  ])("mean the same in any order: %s %s", (a, b) => {
    expect(planOf(`${a} ${b}`)).toEqual(planOf(`${b} ${a}`));
    for (const plan of [planOf(`${a} ${b}`), planOf(`${b} ${a}`)])
      expect(parsePlan(planPairs(plan))).toEqual({ ok: true, plan });
  });

  test("are replaced by the same word later on", () => {
    expect(planOf("pp=64 pp=128").pp).toEqual([128]);
  });
});

describe("a name that does not exist is named, with the nearest that do", () => {
  test.each([
    ["model=llama-3.2-1c", "model", "llama-3.2-1c", "llama-3.2-1b"],
    ["model=LLAMA-3.2-1B", "model", "LLAMA-3.2-1B", "llama-3.2-1b"],
    ["model=gemma", "model", "gemma", "gemma-3-1b"],
    ["model=", "model", "", ""],
    ["modell=llama-3.2-1b", "word", "modell", "model"],
    ["bacth=8", "word", "bacth", "batch"],
    ["quick", "word", "quick", ""],
    ["kernel=matmull", "kernel", "matmull", "matmul"],
    ["kernel=matvek:1x1x1", "kernel", "matvek", "matvec"],
    ["dtype=fp16", "dtype", "fp16", "f16"],
    ["preset=quik", "preset", "quik", "quick"],
  ])("%s", (words, what, given, nearest) => {
    expect(problem(words).startsWith(`unknown ${what} "${given}": did you mean ${nearest}`)).toBe(true);
    expectOneLine(parsePlanWords([words]));
  });
});

describe("a number that is none, or out of range, is refused under its word", () => {
  test.each([
    ...["abc", "-1", "1.5", "1e3", "0x10", "", "1,,2", "NaN", "Infinity", "١", "9999999999", "1048577"].map(
      (value) => ["pp", value] as const,
    ),
    ["tg", "128 tokens"],
    ["batch", "0"],
    ["batch", "1025"],
    ["depth", "-1"],
    ["sustain", "601"],
    ["sustain", "10s"],
    ["sustain", ""],
    ["memory", "8"],
    ["memory", "8GB"],
    ["memory", "1MiB"],
    ["memory", "2000GiB"],
    ["memory", ""],
  ] as const)("%s=%s", (word, value) => {
    const outcome = parsePlan([[word, value]]);
    expect(problemOf(outcome)).toMatch(RegExp(`^${word}\\b`));
    expectOneLine(outcome);
  });
});

describe("a model's context", () => {
  test("is the limit of depth and tokens together", () => {
    expect(planOf("model=smollm2-135m depth=7680").depth).toEqual([7680]);
    expect(problem("model=smollm2-135m depth=7681")).toBe(
      "depth=7681 pp=512 tg=128: smollm2-135m reads 8192 tokens at most (max_position_embeddings), this plan asks for 8193",
    );
  });

  test("is named where one of several models is too small", () => {
    expect(problem("model=llama-3.2-1b,qwen2.5-0.5b depth=40000")).toMatch(
      /qwen2\.5-0\.5b reads 32768 tokens/,
    );
    expect(problem("depth=131072")).toMatch(/llama-3\.2-1b reads 131072 tokens/);
  });

  test("holds prompt and answer too where models are run whole, a token of each at least", () => {
    const words = "model=smollm2-135m forward=on";
    expect(planOf(`${words} pp=512 tg=128 depth=7551`).depth).toEqual([7551]);
    expect(problem(`${words} pp=512 tg=128 depth=7552`)).toMatch(/asks for 8193$/);
    expect(planOf(`${words} pp=0 tg=128 depth=8062`).depth).toEqual([8062]);
    expect(problem(`${words} pp=0 tg=128 depth=8063`)).toMatch(/^depth=8063 tg=128: .* asks for 8193$/);
  });
});

describe("train", () => {
  const names = (words: string) => trainingCases(planOf(words)).map(trainingName);

  test("is off unless it is asked for, and is said in words only then", () => {
    expect(planOf("").train).toBe(false);
    expect(planOf("train=off")).toEqual(planOf(""));
    expect(planPairs(planOf("train=on"))).toEqual([["train", "on"]]);
  });

  test("trains every model on each prompt length and batch, in each type", () => {
    expect(names("train=on")).toEqual(["llama-3.2-1b train512 f32", "llama-3.2-1b train512 f16"]);
    expect(names("train=on model=smollm2-135m dtype=f32 pp=64,128 batch=1,4")).toEqual([
      "smollm2-135m train64 f32",
      "smollm2-135m train64 b4 f32",
      "smollm2-135m train128 f32",
      "smollm2-135m train128 b4 f32",
    ]);
    expect(names("train=on dtype=f32 pp=0")).toEqual(["llama-3.2-1b train512 f32"]);
    expect(names("train=off")).toEqual([]);
  });

  test("is refused where it means nothing, and where it means too much", () => {
    expect(problem("train=yes")).toBe('unknown value of train "yes": did you mean on, off?');
    expect(problem("train=on kernel=matmul:64x64x64")).toMatch(/^train=on: there is no model/);
    const [pp, batch] = ["1,2,3,4,5,6,7,8", "1,2,3,4,5"];
    expect(problem(`train=on pp=${pp} tg=0 batch=${batch}`)).toMatch(/^train=on: .* 80 models .*64/);
  });
});

describe("forward", () => {
  const names = (words: string) => forwardCases(planOf(words)).map(forwardName);

  test("runs no model whole unless it is asked to", () => {
    for (const preset of presets) expect(names(`preset=${preset}`)).toEqual([]);
    expect(planOf("forward=off")).toEqual(planOf(""));
    expect(planPairs(planOf("forward=on"))).toEqual([["forward", "on"]]);
  });

  test("multiplies prompts, answers, depths, batches, models and types", () => {
    expect(names("forward=on")).toEqual(["llama-3.2-1b pp512+tg128 f32", "llama-3.2-1b pp512+tg128 f16"]);
    expect(
      names("forward=on model=smollm2-135m,qwen2.5-0.5b dtype=f32 pp=64,128 depth=0,512 batch=1,4"),
    ).toEqual(
      ["smollm2-135m", "qwen2.5-0.5b"].flatMap((model) =>
        ["", "d512"].flatMap((depth) =>
          [64, 128].flatMap((prompt) =>
            ["", "b4"].map((batch) => {
              const at = [depth, batch].filter(Boolean).join(" ");
              return `${model} pp${prompt}+tg128${at && ` @ ${at}`} f32`;
            }),
          ),
        ),
      ),
    );
  });

  test("takes one token where a prompt or an answer is not asked for", () => {
    expect(names("forward=on dtype=f32 pp=0")).toEqual(["llama-3.2-1b pp1+tg128 f32"]);
    expect(names("forward=on dtype=f32 tg=0")).toEqual(["llama-3.2-1b pp512+tg1 f32"]);
  });

  test("is refused where it cannot be", () => {
    expect(problem("forward=yes")).toBe('unknown value of forward "yes": did you mean on, off?');
    expect(problem("forward=on kernel=matmul:64x64x64")).toMatch(/^forward=on: there is no model/);
    expect(problem("forward=on model=smollm2-135m depth=7552")).toMatch(/asks for 8193/);
    expect(planOf("forward=on model=smollm2-135m depth=7551").forward).toBe(true);
    const eight = "1,2,3,4,5,6,7,8";
    expect(problem(`forward=on pp=${eight} tg=${eight}`)).toMatch(/^forward=on: .* 128 runs .*64/);
  });

  test("has a case for what came of it", () => {
    const [wanted] = forwardCases(planOf("forward=on depth=4096 batch=8 dtype=q4_0"));
    expect(caseOf({ ...wanted!, reason: "it failed" } as typeof wanted & object)).toEqual(wanted);
    expect(forwardName(wanted!)).toBe("llama-3.2-1b pp512+tg128 @ d4096 b8 q4_0");
  });
});

describe("kernel", () => {
  test("alone keeps only its steps of the model", () => {
    const [prompt, answer] = workloadsOf(planOf("kernel=matmul"));
    expect(prompt!.steps.map(({ label }) => label)).toEqual([
      "qkv_proj",
      "o_proj",
      "gate_up_proj",
      "down_proj",
    ]);
    expect(answer!.steps).toEqual([]);
  });

  test("with sizes is that one call instead of a model", () => {
    const plan = planOf("kernel=matmul:512x256x128");
    expect(plan).toMatchObject({ model: [], kernel: [] });
    expect(workloadsOf(plan)).toEqual([
      {
        id: "matmul 512x256x128",
        phase: "kernel",
        tokens: 0,
        batch: 1,
        layers: 0,
        steps: [
          {
            label: "matmul",
            count: 1,
            call: { kernel: "matmul", shape: { M: 512, N: 256, K: 128 } },
          },
        ],
      },
    ]);
  });

  test("may be both", () => {
    const workloads = workloadsOf(planOf("kernel=matvec,matvec:1x4096x4096 pp=0"));
    expect(workloads.map(({ id }) => id)).toEqual(["tg128 [matvec]", "matvec 1x4096x4096"]);
    expect(new Set(workloads.flatMap(({ steps }) => steps.map(({ call }) => call.kernel)))).toEqual(
      new Set(["matvec"]),
    );
  });

  test.each([
    ["matmul:512x512", "matmul:MxNxK"],
    ["matmul:1x2x3x4", "matmul:MxNxK"],
    ["matmul:", "kernel"],
    ["matmul:0x1x1", "kernel"],
    ["matmul:axbxc", "kernel"],
    ["matmul:512x512x512:8", "kernel"],
    ["matmul:999999999999x1x1", "kernel"],
  ])("%s is refused", (value, names) => {
    expect(problemOf(parsePlan([["kernel", value]]))).toContain(names);
  });

  test.each([
    ["attention with more queries than keys", "attention:1x8x4x8x8x64x4"],
    ["attention with query heads that no key/value head serves", "attention:1x1x64x9x2x64x64"],
    ["attention with heads that no register holds", "attention:1x1x64x8x8x1024x64"],
    ["matvec of more rows than it keeps", "matvec:9x64x64"],
    ["fma of more chains than it keeps", "fma:64x9x8"],
    ["fma of steps that its loop skips over", "fma:64x4x12"],
  ])("%s is refused", (_, value) => {
    const [kernel = ""] = value.split(":");
    expect(problemOf(parsePlan([["kernel", value]]))).toMatch(RegExp(`^kernel=${value}: ${kernel}`));
  });
});

describe("hostile words", () => {
  test.each([
    ["__proto__", "1"],
    ["constructor", "1"],
    ["toString", ""],
    ["model", "__proto__"],
    ["model", "constructor"],
    ["kernel", "__proto__:1x1x1"],
    ["kernel", "constructor"],
    ["dtype", "hasOwnProperty"],
    ["preset", "__proto__"],
    ["pp", "9".repeat(100_000)],
    ["model", "llama-3.2-1b,".repeat(10_000)],
    ["x".repeat(100_000), ""],
    ["kernel", `matmul:${"1x".repeat(50_000)}1`],
    ["pp", "1\n2"],
    ["memory", "1\r\n2"],
    ["kernel", "matmul:1\n2x1x1"],
    ["model", "\u2028\ud800💥"],
  ])("are one short line: %j", (key, value) => {
    const outcome = parsePlan([[key, value]]);
    expect(outcome.ok).toBe(false);
    expectOneLine(outcome);
  });

  test("never throw", () => {
    const any = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.string({ unit: fc.constantFrom(..."0123456789,x:GMiB. \n") }),
      fc.constantFrom("__proto__", "constructor", "valueOf", "", "smoke", "matmul", "fma:1x1x1", "f16"),
      fc.integer().map(String),
    );
    const pairs = fc.array(fc.tuple(fc.oneof(fc.constantFrom(...planWordNames), any), any), { maxLength: 6 });
    fc.assert(
      fc.property(pairs, (given) => {
        expectOneLine(parsePlan(given));
        expectOneLine(parsePlanWords(given.map(([key, value]) => `${key}=${value}`)));
      }),
      { numRuns: 500 },
    );
  });
});
