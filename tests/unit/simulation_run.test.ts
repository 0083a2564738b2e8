// Whole runs on simulated GPUs on which something goes wrong: what is kept, what is said, and that it ends.

import { describe, expect, test } from "vitest";
import { openDevice } from "../../src/engine/device";
import { alwaysVisible, type Host, type Visibility } from "../../src/engine/host";
import { type Progress, run } from "../../src/engine/run";
import { type Outcome, parseResult, type Result } from "../../src/result";
import { costs } from "../simulation/bench";
import { simulate } from "../simulation/gpu";
import { type Fault, type Hardware, quiet } from "../simulation/hardware";
import { planOf } from "./result_fixture";

const plan = planOf(
  "preset=smoke dtype=f32 memory=16MiB kernel=matmul:33x64x128,matvec:1x64x256,attention:1x1x40x4x2x16x40",
);

/** Every kernel takes a while; the empty one takes next to nothing. */
const usual: Hardware = {
  ...quiet,
  noise: 0.005,
  cost: (kernel, shape) =>
    kernel === "empty" || kernel === "fma" ? costs(1e-6)(kernel, shape) : kernel === "fill" ? 1e-3 : 400e-6,
};

interface Ended {
  readonly result: Result;
  readonly seen: readonly Progress[];
  readonly opened: number;
}

async function ended(
  hardware: Partial<Hardware>,
  visibility?: (host: Host) => Visibility,
  earlier?: Result,
): Promise<Ended> {
  const { host, drive, devices } = simulate({ ...usual, ...hardware });
  const seen: Progress[] = [];
  const onProgress = (progress: Progress) => seen.push(structuredClone(progress));
  const full = visibility === undefined ? host : { ...host, visibility: visibility(host) };
  const result = await drive(run(plan, full, onProgress, { seed: 42, ...(earlier && { earlier }) }));
  expect(parseResult(JSON.parse(JSON.stringify(result)))).toEqual({ ok: true, result });
  return { result, seen, opened: devices.length };
}

const told = ({ outcomes }: Result) => outcomes.map(({ call, status }) => `${call.kernel} ${status}`);
const of = ({ outcomes }: Result, kernel: string): Outcome | undefined =>
  outcomes.findLast(({ call }) => call.kernel === kernel);

/** A fault the first `times` times that a kernel runs on its own shape. */
function once(kernel: string, fault: Fault, times = 1): Pick<Hardware, "fault"> {
  let left = times;
  return { fault: (name) => (name === kernel && left-- > 0 ? fault : undefined) };
}

const everything = ["fma", "read", "copy", "matmul", "matvec", "attention"];

describe("a run", () => {
  test("is complete where nothing goes wrong, with a reading before and after each cell", async () => {
    const { result, opened } = await ended({});
    expect(result.completion).toEqual({ status: "complete" });
    expect(told(result)).toEqual(everything.map((kernel) => `${kernel} measured`));
    expect(opened).toBe(1);
    expect(result.incidents).toEqual([]);
    const cells = result.outcomes.flatMap((outcome) => (outcome.status === "measured" ? [outcome] : []));
    expect(cells.map(({ readings }) => readings)).toEqual(cells.map((_, i) => [2 * i, 2 * i + 1]));
    for (const { check } of cells)
      expect(check).toMatchObject({ coverage: 1, hash: expect.stringMatching(/^[0-9a-f]{8}$/) });
  });

  test.each(["hang", "loss"] as const)(
    "goes on with the next cell on a fresh device after a %s",
    async (fault) => {
      const { result, opened } = await ended(once("matvec", fault));
      expect(result.completion).toEqual({ status: "complete" });
      expect(told(result)).toEqual(
        everything.map((kernel) => `${kernel} ${kernel === "matvec" ? "failed" : "measured"}`),
      );
      expect(of(result, "matvec")).toMatchObject({
        error: expect.stringContaining(fault === "hang" ? "no answer in 30 s" : "device lost"),
      });
      expect(opened).toBe(2);
      expect(result.incidents).toHaveLength(1);
      expect(result.residency).toHaveLength(0);
    },
  );

  test("goes on after a loss while it was still calibrating, and after one on a probe, with a guess for its roof", async () => {
    const early = await ended(once("empty", "loss"));
    expect(early.result.completion).toEqual({ status: "complete" });
    expect(told(early.result)).toEqual(everything.map((kernel) => `${kernel} measured`));
    const { result } = await ended(once("read", "loss"));
    expect(result.completion).toEqual({ status: "complete" });
    expect(told(result)).toEqual(
      everything.map((kernel) => `${kernel} ${kernel === "read" ? "failed" : "measured"}`),
    );
  });

  test("ends after three devices lost in a row, with what was measured", async () => {
    const { result, opened } = await ended({
      fault: (kernel) =>
        kernel === "matmul" || kernel === "matvec" || kernel === "attention" ? "loss" : undefined,
    });
    expect(result.completion).toMatchObject({
      status: "partial",
      reason: expect.stringContaining("3 devices lost in a row"),
    });
    expect(told(result).slice(0, 3)).toEqual(["fma measured", "read measured", "copy measured"]);
    expect(opened).toBe(3);
  });

  test("ends with what was measured where no fresh device is to be had", async () => {
    const { result } = await ended({ ...once("matmul", "loss"), adapters: 1 });
    expect(result.completion).toMatchObject({
      status: "partial",
      reason: expect.stringContaining("no adapter"),
    });
    expect(told(result)).toEqual([
      "fma measured",
      "read measured",
      "copy measured",
      "matmul failed",
      "matvec failed",
    ]);
  });

  test("takes less memory where it is refused, and says so", async () => {
    const { host, drive } = simulate({ ...usual, memory: 40 * 2 ** 20 });
    const result = await drive(run({ ...plan, memory: 2 ** 26 }, host, () => {}, { seed: 42 }));
    expect(result.completion).toEqual({ status: "complete" });
    expect(told(result)).toEqual(everything.map((kernel) => `${kernel} measured`));
    expect(result.incidents).toMatchObject([
      { says: "64 MiB of weights were refused: tried again with half" },
    ]);
  });

  test("says of every cell that there was no memory for it, where there is next to none", async () => {
    const { result } = await ended({ memory: 14 * 2 ** 20 });
    expect(result.completion).toEqual({ status: "complete" });
    // The probe of arithmetic takes nothing from memory.
    const [arithmetic, ...others] = result.outcomes;
    expect(arithmetic).toMatchObject({ status: "measured", call: { kernel: "fma" } });
    expect(others).toHaveLength(everything.length - 1);
    for (const outcome of others)
      expect(outcome).toMatchObject({ status: "failed", error: expect.stringContaining("out of memory") });
  });

  test("reports a shader that does not compile, and a kernel that computes something else, without a time", async () => {
    const { result } = await ended({
      compileError: (kernel) => (kernel === "matmul" ? "unresolved value" : undefined),
      computes: (kernel, value, row, column) =>
        kernel === "matvec" && row + column === 63 ? value + 1e-3 : value,
    });
    expect(of(result, "matmul")).toMatchObject({
      status: "failed",
      error: expect.stringContaining("unresolved value"),
    });
    expect(of(result, "matvec")).toMatchObject({
      status: "failed",
      error: expect.stringContaining("rounding explains"),
    });
    expect(of(result, "attention")?.status).toBe("measured");
    for (const { kernel, tried } of result.tunings)
      if (kernel === "matvec" || kernel === "matmul")
        expect(Object.values(tried).every((time) => time === null)).toBe(true);
  });

  test("reports a kernel whose output changes after it was checked", async () => {
    // Two tunings and the cell are checked, each on 4 rows of 16; the fourth output is what timing left behind, and
    // the fifth is the fresh run's.
    const output = 4 * 16;
    for (const [nth, error] of [
      [3, "rounding explains"],
      [4, "what was timed is not what was checked"],
    ] as const) {
      let elements = 0;
      const { result } = await ended({
        computes: (kernel, value) =>
          kernel === "attention" && Math.floor(elements++ / output) === nth ? value + 1e-3 : value,
      });
      expect(of(result, "attention")).toMatchObject({
        status: "failed",
        error: expect.stringContaining(error),
      });
    }
  });

  test("keeps what an earlier run measured and goes on with the rest", async () => {
    const { seen, result: whole } = await ended({});
    const halfway = seen.find(({ result: { outcomes } }) => outcomes.length === 4)!.result;
    const { result, seen: again } = await ended({ seed: 2 }, undefined, structuredClone(halfway));
    expect(result.completion).toEqual({ status: "complete" });
    expect(told(result)).toEqual(told(whole));
    expect(result.outcomes.slice(0, 4)).toEqual(halfway.outcomes);
    const begun = again.flatMap(({ cell }) => (cell === null ? [] : [cell.call.kernel]));
    expect(begun).toHaveLength(everything.length - 4);
  });

  test("throws where there is no device to begin with", async () => {
    const { host, drive } = simulate({ ...usual, adapters: 0 });
    await expect(drive(run(plan, host, () => {}))).rejects.toThrow("no adapter");
  });
});

describe("a page that is hidden", () => {
  /** Hidden for a while from a time on. */
  const hiding =
    (from: number, to: number) =>
    ({ clock }: Host): Visibility => ({
      get hidden() {
        return clock.now() > from && clock.now() < to;
      },
      get timesHidden() {
        return clock.now() > from ? 1 : 0;
      },
      whenVisible: () =>
        new Promise((resolve) => {
          const wait = to - clock.now();
          if (clock.now() > from && wait > 0) clock.after(wait, resolve);
          else resolve();
        }),
    });

  test("has its cell measured again once it is visible", async () => {
    const calm = await ended({});
    const [begun = 0, done = 0] = calm.seen.slice(-2).map(({ elapsedSeconds }) => elapsedSeconds);
    // In the midst of its rounds, which come last but for a check.
    const from = begun + 0.8 * (done - begun);
    const to = from + 5;
    const { result } = await ended({}, hiding(from, to));
    const cell = of(result, "attention");
    expect(cell).toMatchObject({ status: "measured", hidden: false, repeats: 1 });
  });

  test("is not waited for without end: the cell says that it was hidden", async () => {
    const { result } = await ended({}, () => ({
      hidden: true,
      timesHidden: 1,
      whenVisible: () => new Promise(() => {}),
    }));
    expect(result.completion).toEqual({ status: "complete" });
    for (const outcome of result.outcomes)
      expect(outcome).toMatchObject({ status: "measured", hidden: true });
  });
});

test("is a run like any other where the page is always visible", () =>
  expect(alwaysVisible.hidden).toBe(false));

test("what is begun on a device that is gone, and fails later, is not left unhandled", async () => {
  const unhandled: unknown[] = [];
  const note = (error: unknown) => unhandled.push(error);
  process.on("unhandledRejection", note);
  const { host, drive } = simulate(quiet);
  const gpu = await drive(openDevice(host));
  gpu.close();
  await expect(drive(gpu.await(new Promise(() => {}), "the loss"))).rejects.toThrow("device lost");
  const late = Promise.reject(new Error("Buffer unmapped"));
  await expect(drive(gpu.await(late, "reading back"))).rejects.toThrow("device lost");
  // Node tells of it once all microtasks are through.
  await new Promise((resolve) => setImmediate(resolve));
  process.off("unhandledRejection", note);
  expect(unhandled).toEqual([]);
});
