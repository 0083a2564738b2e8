// A page that is left open for a day: run after run, nothing is left of the ones before.

import { existsSync, readFileSync } from "node:fs";
import type { CDPSession, Page } from "playwright";
import { expect, test } from "vitest";
import { findBrowser } from "../../src/cli/browsers";
import { useBrowser, useServer } from "./page";

const RUNS = 200;

/** After these everything has been loaded, compiled and shown once. */
const FIRST_RUNS = 20;

/** Every so many runs one goes to its end; on a software adapter that takes long. */
const WHOLE_EVERY = 40;

/** How the others of every twenty are cancelled: one with weights in memory, some in a cell, most in the calibration. */
const CANCELLED_IN = Array.from({ length: 20 }, (_, i) =>
  i === 1 ? "read " : i % 5 === 2 ? "fma " : "calibrating",
);

/**
 * What the heap may grow by, whichever is more; of some 4 MB it is the second, and what grows is mostly code that
 * is loaded and compiled later. A Result that is left of each run is 3 MB after 200; a worker shows as 400 listeners.
 */
const SHARE = 0.05;
const BYTES = 2e6;
/** What allocators keep for later varies; the weights of the 13 later runs that have some would be 218 MB. */
const GPU_BYTES = 128e6;

const TIMEOUT = 1_800_000;

const url = useServer();

const runs = (page: Page, first: number, last: number) =>
  page.evaluate(
    async ([from, to, wholeEvery, cancelledIn]) => {
      const wait = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
      for (let i = from; i < to; i++) {
        const whole = i % wholeEvery === 0;
        const running = window.tokenroof.run("preset=smoke dtype=f32 kernel=matvec:1x64x256 memory=16MiB");
        if (!whole) {
          const stage = cancelledIn[i % cancelledIn.length] ?? "";
          const inStage = () => window.tokenroof.progress?.label.includes(stage) === true;
          while (!inStage()) await wait(5);
          // Another moment each time; weights take some to be allocated and filled. A fast device may be past it sooner.
          const late = performance.now() + (stage === "read " ? 300 : 20 * (i % 13));
          while (inStage() && performance.now() < late) await wait(5);
          window.tokenroof.cancel();
        }
        const { status } = (await running).completion;
        if (status !== (whole ? "complete" : "partial")) throw new Error(`run ${i}: ${status}`);
      }
    },
    [first, last, WHOLE_EVERY, CANCELLED_IN] as const,
  );

/** Resident bytes of the GPU process, where the system tells: on a software adapter that is all GPU memory. */
async function gpuBytes(page: Page): Promise<number | undefined> {
  const devtools = await page.context().browser()?.newBrowserCDPSession();
  const info = await devtools?.send("SystemInfo.getProcessInfo");
  const pid = info?.processInfo.find(({ type }) => type === "GPU")?.id;
  const status = `/proc/${pid}/status`;
  if (pid === undefined || !existsSync(status)) return undefined;
  return 1024 * Number(/VmRSS:\s+(\d+)/.exec(readFileSync(status, "utf8"))?.[1]);
}

/** Bytes of the page's heap that are no garbage, and its listeners. */
async function inUse(devtools: CDPSession): Promise<{ bytes: number; listeners: number }> {
  // What a finalizer lets go of is garbage only the next time.
  for (let i = 0; i < 3; i++) {
    await devtools.send("HeapProfiler.collectGarbage");
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  const { usedSize } = await devtools.send("Runtime.getHeapUsage");
  const { jsEventListeners } = await devtools.send("Memory.getDOMCounters");
  return { bytes: usedSize, listeners: jsEventListeners };
}

// Only Chromium's tools tell the size of a heap.
const found = findBrowser("chromium") !== undefined;
const open = found ? useBrowser("chromium") : undefined;

test.skipIf(open === undefined)(
  `${RUNS} runs leave no worker, no listener and no memory behind`,
  async () => {
    const { page, problems } = await open!(url());
    await page.waitForFunction(() => window.tokenroof !== undefined);
    await expect.poll(() => page.workers().length).toBe(0);
    const devtools = await page.context().newCDPSession(page);
    await runs(page, 0, FIRST_RUNS);
    const first = await inUse(devtools);
    const firstGpu = await gpuBytes(page);
    for (let i = FIRST_RUNS; i < RUNS; i += FIRST_RUNS) await runs(page, i, i + FIRST_RUNS);
    const last = await inUse(devtools);
    const lastGpu = await gpuBytes(page);
    console.info(
      `after ${FIRST_RUNS} and ${RUNS} runs: heap ${first.bytes} and ${last.bytes} bytes, GPU process ${firstGpu} and ${lastGpu} bytes`,
    );
    expect(page.workers()).toHaveLength(0);
    if (firstGpu !== undefined && lastGpu !== undefined)
      expect(Math.abs(lastGpu - firstGpu)).toBeLessThan(Math.max(SHARE * firstGpu, GPU_BYTES));
    expect(last.listeners).toBe(first.listeners);
    expect(Math.abs(last.bytes - first.bytes)).toBeLessThan(Math.max(SHARE * first.bytes, BYTES));
    expect(problems).toEqual([]);
  },
  TIMEOUT,
);
