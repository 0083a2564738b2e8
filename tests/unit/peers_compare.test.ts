// The comparison on contenders whose times and faults are known.

import { describe, expect, test } from "vitest";
import type { Clock } from "../../src/engine/clock";
import { referenceOf } from "../../src/peers/check";
import { type Bench, compareTask, type OwnContender } from "../../src/peers/compare_task";
import type { Contender, Runtime, Way } from "../../src/peers/contender";
import { dataOf, matrixOf } from "../../src/peers/data";
import { peersReport } from "../../src/peers/peers_report";
import { comparisonsOf, fastest, type PeersResult, type TaskResult } from "../../src/peers/peers_result";
import { ratioOf, sizeBatch, takeRounds } from "../../src/peers/rounds";
import type { Task } from "../../src/peers/tasks";
import { resultOf } from "./result_fixture";

/** Time passes where a contender works, and nowhere else. */
class WorkClock implements Clock {
  seconds = 0;
  now = () => this.seconds;
  after = () => () => {};
}

const task: Task = {
  id: "gemv-f32-64x32",
  title: "GEMV f32 1x64x32",
  call: { kernel: "matvec", shape: { M: 1, N: 64, K: 32 } },
  weights: "f32",
  rate: "bytes",
};
const data = dataOf(task, undefined);
const answer = Float32Array.from(referenceOf(task, data).elements, ({ expected }) => expected.value);
const wrongAnswer = answer.map((value, i) => (i === 5 ? value + 0.1 : value));

interface Fake {
  readonly seconds: number;
  readonly unit?: number;
  /** What it answers, the first time and later. */
  readonly answers?: readonly Float32Array[];
  readonly failsAfter?: number;
  /** Answers when asked, but does nothing when timed. */
  readonly lazy?: boolean;
}

interface Log {
  destroyed: number;
  dispatched: number;
  readonly batches: string[];
}

function fake(clock: WorkClock, log: Log, name: string, given: Fake): Contender {
  const { seconds, unit = 1, answers = [answer], failsAfter = Infinity, lazy = false } = given;
  let runs = 0;
  let reads = 0;
  return {
    unit,
    async run(times) {
      expect(times % unit).toBe(0);
      if (++runs > failsAfter) throw new Error("the device went away\nand more");
      log.batches.push(name);
      clock.seconds += times * seconds;
      log.dispatched += lazy ? 0 : times;
    },
    read: async () => answers[Math.min(reads++, answers.length - 1)]!,
    destroy: () => {
      log.destroyed++;
    },
  };
}

function benchOf(own: Fake | Error, peers: Readonly<Record<string, Readonly<Record<string, Fake | Error>>>>) {
  const clock = new WorkClock();
  const log: Log = { destroyed: 0, dispatched: 0, batches: [] };
  const runtimes = Object.entries(peers).map(
    ([name, ways]): Runtime => ({
      name,
      version: "1.0.0",
      ways: () =>
        Object.entries(ways).map(
          ([variant, way]): Way => ({
            variant,
            arithmetic: "f32",
            prepare: async () => {
              if (way instanceof Error) throw way;
              return fake(clock, log, `${name} ${variant}`, way);
            },
          }),
        ),
    }),
  );
  const ready = async (): Promise<OwnContender> => {
    if (own instanceof Error) throw own;
    const contender = fake(clock, log, "own", own);
    return { variant: "8 lanes", arithmetic: "f32", contender, inputs: data.inputs.map(matrixOf) };
  };
  const bench: Bench = {
    clock,
    rounds: 4,
    batchSeconds: 0.1,
    own: ready,
    runtimes,
    complaint: () => undefined,
    dispatched: () => log.dispatched,
    onProgress: () => {},
  };
  return { bench, log };
}

const outcomes = ({ own, peers }: TaskResult) =>
  Object.fromEntries(
    [own, ...peers].map(({ runtime, variant, outcome }) => [`${runtime} ${variant}`, outcome]),
  );

describe("a task", () => {
  test("is timed where its answer is right, and only there", async () => {
    const { bench, log } = benchOf(
      { seconds: 0.02 },
      {
        steady: { one: { seconds: 0.05 }, other: { seconds: 0.06 }, hopeless: { seconds: 0.11 } },
        quick: { wrong: { seconds: 1e-4, answers: [wrongAnswer] } },
        shifty: { later: { seconds: 1e-4, answers: [answer, wrongAnswer] } },
        broken: { way: new Error("no such operator\nat line 7"), half: { seconds: 0.1, failsAfter: 2 } },
        lazy: { way: { seconds: 1e-4, lazy: true } },
        idle: {},
      },
    );
    const result = await compareTask(bench, task);
    const found = outcomes(result);
    expect(found["Tokenroof 8 lanes"]).toMatchObject({ status: "timed", times: 6 });
    expect(found["steady one"]).toMatchObject({ status: "timed" });
    expect(found["steady other"]).toMatchObject({ status: "timed" });
    expect(found["steady hopeless"]).toMatchObject({ status: "outdone", by: "one" });
    expect(found["quick wrong"]).toMatchObject({ status: "wrong" });
    expect(found["quick wrong"]).not.toHaveProperty("samples");
    expect(found["shifty later"]).toMatchObject({
      status: "wrong",
      check: { wrong: expect.stringMatching(/^after timing element \(0, 5\)/) },
    });
    expect(found["shifty later"]).not.toHaveProperty("samples");
    expect(found["broken way"]).toEqual({ status: "failed", reason: "no such operator" });
    expect(found["broken half"]).toEqual({ status: "failed", reason: "the device went away" });
    expect(found["lazy way"]).toEqual({
      status: "failed",
      reason: "it dispatched 0 times for 1 executions",
    });
    expect(found["idle "]).toMatchObject({ status: "unavailable" });
    // So many could be prepared; each one is let go once.
    expect(log.destroyed).toBe(8);
    expect(log.batches).not.toContain("quick wrong");

    const compared = comparisonsOf(result);
    expect(compared.map(({ variant }) => variant)).toEqual(["one", "other"]);
    expect(compared[0]!.ratio.value).toBeCloseTo(2.5, 6);
    expect(fastest(result.peers)?.variant).toBe("one");
  });

  test("takes turns: each round begins with another contender", async () => {
    const { bench, log } = benchOf(
      { seconds: 0.2 },
      { a: { x: { seconds: 0.2 } }, b: { y: { seconds: 0.2 } } },
    );
    await compareTask(bench, task);
    // One batch each to size them, then the rounds.
    expect(log.batches.slice(3)).toEqual([
      "own",
      "a x",
      "b y",
      "a x",
      "b y",
      "own",
      "b y",
      "own",
      "a x",
      "own",
      "a x",
      "b y",
    ]);
  });

  test("goes on without our own kernel, and without a ratio", async () => {
    const peers = { a: { x: { seconds: 0.2 } } };
    const failing = await compareTask(benchOf(new Error("shaders/x.wgsl:3: no"), peers).bench, task);
    expect(failing.own.outcome).toEqual({ status: "failed", reason: "shaders/x.wgsl:3: no" });
    expect(failing.peers[0]!.outcome.status).toBe("timed");
    expect(comparisonsOf(failing)).toEqual([]);
  });

  test("a complaint of the device fails whom it is about", async () => {
    const { bench } = benchOf({ seconds: 0.2 }, { a: { x: { seconds: 0.2 } } });
    const said = ["from before", undefined, "binding 3 is too small"];
    const result = await compareTask({ ...bench, complaint: () => said.shift() }, task);
    expect(result.own.outcome).toEqual({ status: "failed", reason: "binding 3 is too small" });
    expect(result.peers[0]!.outcome.status).toBe("timed");
  });
});

describe("rounds", () => {
  test.each([
    [0.5, 1, 1],
    [0.03, 1, 4],
    [1e-6, 1, 8192],
    [0.03, 16, 16],
    [1e-3, 16, 128],
  ])("executions of %d s in units of %d come in batches of %d", async (seconds, unit, times) => {
    const clock = new WorkClock();
    const sized = await sizeBatch(
      clock,
      fake(clock, { destroyed: 0, dispatched: 0, batches: [] }, "", { seconds, unit }),
      0.1,
    );
    expect(sized.times).toBe(times);
    expect(sized.seconds).toBeCloseTo(seconds, 9);
  });

  test("what slows one round down does not move the ratio", async () => {
    const clock = new WorkClock();
    const log = { destroyed: 0, dispatched: 0, batches: [] };
    let round = 0;
    const slowing = (seconds: number): Contender => ({
      ...fake(clock, log, "", { seconds }),
      run: async (times) => {
        clock.seconds += times * seconds * (round === 2 ? 3 : 1);
      },
    });
    const turns = [slowing(0.1), slowing(0.3)].map((contender) => ({ contender, times: 1 }));
    const [a, b] = await takeRounds(clock, turns, 5, (which) => {
      round = which;
    });
    const ratio = ratioOf(b as number[], a as number[]);
    expect(ratio.value).toBeCloseTo(3, 9);
    expect(ratio.high - ratio.low).toBeLessThan(1e-9);
  });

  test("the interval is as wide as the rounds' ratios differ", () => {
    const { value, low, high } = ratioOf([2, 2.2, 1.8, 2.1, 1.9], [1, 1, 1, 1, 1]);
    expect(value).toBe(2);
    expect(low).toBeCloseTo(1.804, 3);
    expect(high).toBeCloseTo(2.196, 3);
  });
});

describe("the report", () => {
  const { device } = resultOf({ words: "dtype=f32", samples: () => [1] });
  const resultWith = (compared: readonly TaskResult[]): PeersResult => ({
    tool: { version: "1.2.3", commit: "abc" },
    createdAt: "2026-01-01T00:00:00.000Z",
    agent: "a browser",
    device,
    rounds: 4,
    runtimes: ["steady", "quick", "broken", "idle"].map((name) => ({ name, version: "1.0.0" })),
    tasks: compared,
    shares: [{ title: task.title, probe: "read", kernelRates: [80, 81, 82], probeRates: [100, 100, 100] }],
    shareProblems: [],
  });

  test("says who is wrong instead of how fast, and who is fastest of the others", async () => {
    const { bench } = benchOf(
      { seconds: 0.02 },
      {
        steady: { one: { seconds: 0.05 } },
        quick: { way: { seconds: 1e-4, answers: [wrongAnswer] } },
        broken: { way: new Error("no such operator") },
        idle: {},
      },
    );
    const [summary, ways, probes] = peersReport(resultWith([await compareTask(bench, task)])).tables;
    const texts = summary!.rows[0]!.map(({ text }) => text);
    expect(summary!.columns.slice(2)).toEqual([
      "steady 1.0.0",
      "quick 1.0.0",
      "broken 1.0.0",
      "idle 1.0.0",
      "fastest peer",
    ]);
    expect(texts.slice(0, 3)).toEqual([
      "GEMV f32 1x64x32",
      expect.stringMatching(/^20\.0 ms, \d+ kB\/s$/),
      "50.0 ms, 2.50x (2.50 … 2.50)",
    ]);
    expect(texts[3]).toMatch(/^wrong: off by 0\.0\d+ of its magnitude$/);
    expect(texts.slice(4)).toEqual(["failed: no such operator", "—", "steady 2.50x"]);
    expect(ways!.rows.map((row) => row[1]!.text)).toEqual(["Tokenroof", "steady", "quick", "broken"]);
    expect(ways!.rows[2]!.map(({ text }) => text)).toEqual([
      task.title,
      "quick",
      "way",
      "f32",
      "—",
      expect.stringMatching(/ of /),
      expect.stringMatching(/^wrong: element \(0, 5\)/),
    ]);
    expect(probes!.rows[0]!.at(-1)!.text).toMatch(/^81\.0 % \(7\d\.\d % … 8\d\.\d %\)$/);
  });

  test("prints a peer's rate where there is nothing to compare it with", async () => {
    const { bench } = benchOf(new Error("shaders/x.wgsl:3: no"), { steady: { one: { seconds: 0.05 } } });
    const [summary] = peersReport(resultWith([await compareTask(bench, task)])).tables;
    const texts = summary!.rows[0]!.map(({ text }) => text);
    expect(texts[1]).toBe("failed: shaders/x.wgsl:3: no");
    expect(texts[2]).toMatch(/^50\.0 ms, \d+ kB\/s$/);
    expect(texts.at(-1)).toBe("—");
  });
});
