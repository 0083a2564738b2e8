// The page under faults: whatever goes, what was measured stays, the result says what failed, and the page answers.

import { readFileSync } from "node:fs";
import type { Page } from "playwright";
import { describe, expect, test } from "vitest";
import { engines, findBrowser } from "../../src/cli/browsers";
import { parseResult, type Result } from "../../src/result";
import { expectForEverybody, useBrowser, useServer } from "./page";
import { storageFaults } from "./storage_faults";

const url = useServer();

/** The smallest plan: three probes and two calls. */
const QUERY = "?preset=smoke&dtype=f32&kernel=matvec:1x64x256,add:33x64&memory=16MiB";

/** The same for a script. */
const PLAN = QUERY.slice(1).replaceAll("&", " ");

/** The same with a minute of load in each call: it is still under way some seconds later, however fast the machine. */
const LONGER_QUERY = `${QUERY}&sustain=60`;

const TIMEOUT = 300_000;

/** Runs in the worker before its own code: what the page cannot do to it from outside. */
const FAULTS = `
let device;
const { requestDevice } = GPUAdapter.prototype;
GPUAdapter.prototype.requestDevice = async function (...given) {
  return (device = await requestDevice.apply(this, given));
};
new BroadcastChannel("faults").onmessage = ({ data }) => {
  if (data === "hang") for (;;);
  if (data === "throw") throw new Error("injected");
  if (data === "lose") device.destroy();
};
`;

type Fault = "terminate" | "hang" | "throw" | "lose";

/** Has the page's workers suffer each fault once, when the run gets to the cell of that name. */
async function inject(page: Page, faults: Readonly<Record<string, Fault>>): Promise<void> {
  await page.context().route(/\/worker-[^/]*\.js$/, async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: `${FAULTS}${await response.text()}` });
  });
  await page.evaluate((given) => {
    const channel = new BroadcastChannel("faults");
    let newest: Worker | undefined;
    window.Worker = class extends Worker {
      constructor(...how: ConstructorParameters<typeof Worker>) {
        super(...how);
        newest = this;
      }
    };
    const left = new Map(Object.entries(given));
    setInterval(() => {
      const label = window.tokenroof.progress?.label ?? "";
      const due = [...left.keys()].find((cell) => label.includes(cell));
      if (due === undefined) return;
      const fault = left.get(due);
      left.delete(due);
      if (fault === "terminate") newest?.terminate();
      else channel.postMessage(fault);
    }, 5);
  }, faults);
}

const ready = (page: Page) =>
  expect.poll(() => page.getByRole("button", { name: "Run" }).isEnabled(), { timeout: 30_000 }).toBe(true);

const outcome = (page: Page, words: string, patienceSeconds = 5) =>
  page.evaluate(
    async ([plan, patience]) => {
      window.tokenroof.patienceSeconds = patience;
      return window.tokenroof.runOutcome(plan);
    },
    [words, patienceSeconds] as const,
  );

/** "measured", or why not. */
const told = ({ outcomes }: Result) =>
  outcomes.map((each) => (each.status === "failed" ? each.error : each.status));

const gotTo = (page: Page, cell: string) =>
  page.waitForFunction((name) => window.tokenroof.progress?.label.includes(name), cell, {
    timeout: 200_000,
    polling: 20,
  });

const remarks = (page: Page) => page.locator(".remark").allInnerTexts();
const notice = (page: Page) => page.getByRole("region", { name: "Interrupted run" });
const press = (page: Page, name: string) => page.getByRole("button", { name }).press("Enter");

/** What the page has kept of a run; puts something else in its place where that is given. */
const marker = (page: Page, put?: { what: unknown }) =>
  page.evaluate(async (given) => {
    const answer = <T>(request: IDBRequest<T>) =>
      new Promise<T>((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
      });
    const opening = indexedDB.open("tokenroof-interrupted", 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore("run");
    const database = await answer(opening);
    const store = database.transaction("run", "readwrite").objectStore("run");
    if (given !== undefined) await answer(store.put(given.what, "last"));
    const kept = await answer(store.get("last"));
    database.close();
    return kept as { result: Result; cells: number } | undefined;
  }, put);

/** A marker as this very page would have written it, with the cells of an old result. */
async function validMarker(page: Page): Promise<{ result: Result; cells: number }> {
  const file = new URL("../fixtures/result-1.json", import.meta.url);
  const parsed = parseResult(JSON.parse(readFileSync(file, "utf8")));
  if (!parsed.ok) throw new Error(parsed.problem);
  const agent = await page.evaluate(() => navigator.userAgent);
  const [, version = "", commit = ""] =
    /Tokenroof (\S+) \((\S+)\)/.exec(await page.locator("footer").innerText()) ?? [];
  const { result } = parsed;
  return {
    result: { ...result, tool: { version, commit }, host: { ...result.host, agent } },
    cells: result.outcomes.length + 3,
  };
}

const here = engines.filter((engine) => findBrowser(engine) !== undefined);

describe.each(here)("%s", (engine) => {
  const open = useBrowser(engine);

  test(
    "goes on with the next cell when the worker is killed, hangs or fails, or its device is lost",
    async () => {
      const { page } = await open(url());
      await ready(page);
      // Four dead workers, one more than are replaced in a row.
      await inject(page, {
        "read f32": "terminate",
        "copy f32": "hang",
        "1x64x128": "throw",
        "1x64x192": "throw",
        "1x64x256": "lose",
      });
      const calls = [64, 128, 192, 256, 320].map((k) => `matvec:1x64x${k}`);
      const running = outcome(page, `preset=smoke dtype=f32 memory=16MiB kernel=${calls}`);
      await expect
        .poll(() => remarks(page), { timeout: 60_000 })
        .toContainEqual(expect.stringContaining("The worker died: another one goes on"));
      const ended = await running;
      if (!ended.ok) throw new Error(ended.problem);
      const died = (why: string) => expect.stringMatching(`^the worker died while it was measured: .*${why}`);
      expect(told(ended.result)).toEqual([
        "measured",
        died("no sign of life in 5 s"),
        died("no sign of life in 5 s"),
        "measured",
        died("injected"),
        died("injected"),
        expect.stringContaining("device lost"),
        "measured",
      ]);
      expect(ended.result.completion).toEqual({ status: "complete" });
      expect(ended.result.incidents).toHaveLength(5);
      expect(parseResult(ended.result).ok).toBe(true);
      await page.locator(".report").waitFor();
    },
    TIMEOUT,
  );

  test(
    "ends with what there is when every worker dies",
    async () => {
      const { page } = await open(url());
      await ready(page);
      await inject(page, { "fma f32": "throw", "read f32": "throw", "copy f32": "throw", matvec: "throw" });
      const ended = await outcome(page, PLAN);
      if (!ended.ok) throw new Error(ended.problem);
      expect(told(ended.result)).toEqual(Array(4).fill(expect.stringContaining("injected")));
      expect(ended.result.completion).toEqual({
        status: "partial",
        reason: expect.stringMatching(
          /^the worker died 4 times .* the last time: the worker failed: .*injected/,
        ),
      });
      await page.locator(".report").waitFor();
      await ready(page);
      expect(await marker(page)).toBeUndefined();
    },
    TIMEOUT,
  );

  test("says so when no worker loads", async () => {
    const { page } = await open(url());
    await ready(page);
    await page.context().route(/\/worker-[^/]*\.js$/, (route) => route.fulfill({ status: 404 }));
    const ended = await outcome(page, "preset=smoke");
    expect(ended).toEqual({ ok: false, problem: expect.stringMatching(/died 4 times .* did not load/) });
    expect(await page.getByRole("alert").innerText()).toContain("did not load");
    await ready(page);
  });

  test(
    "waits while it is hidden, says so, and keeps the screen on while it is not",
    async () => {
      const { page, problems } = await open(url());
      await ready(page);
      await page.evaluate(() => {
        const said: string[] = [];
        const request = async () => {
          said.push("on");
          return { release: async () => void said.push("off") };
        };
        Object.defineProperty(navigator, "wakeLock", { value: { request } });
        Object.assign(window, { said });
        // A hidden page's timers may stop for a minute, and so may signs of life.
        window.Worker = class extends Worker {
          constructor(...how: ConstructorParameters<typeof Worker>) {
            super(...how);
            this.addEventListener("message", (event) => {
              if (document.visibilityState === "hidden") event.stopImmediatePropagation();
            });
          }
        };
      });
      const see = (state: "hidden" | "visible") =>
        page.evaluate((value) => {
          Object.defineProperty(document, "visibilityState", { value, configurable: true });
          document.dispatchEvent(new Event("visibilitychange"));
        }, state);
      const lock = () => page.evaluate(() => (window as unknown as { said: string[] }).said);
      await see("hidden");
      const running = outcome(page, PLAN, 3);
      await gotTo(page, "fma f32");
      expect(await remarks(page)).toEqual([expect.stringContaining("The page is hidden")]);
      expect(await lock()).toEqual([]);
      // Far longer than the cell takes.
      await page.waitForTimeout(6_000);
      expect(await page.evaluate(() => window.tokenroof.progress?.label)).toContain("fma f32");
      await see("visible");
      await gotTo(page, "read f32");
      expect(await remarks(page)).toEqual([]);
      expect(await lock()).toEqual(["on"]);
      await see("hidden");
      await see("visible");
      expect(await remarks(page)).toEqual([expect.stringContaining("The page was hidden")]);
      await press(page, "Cancel");
      const ended = await running;
      expect(ended.ok && told(ended.result)).toEqual(["measured"]);
      expect((await lock()).at(-1)).toBe("off");
      expect(problems).toEqual([]);
    },
    TIMEOUT,
  );

  test(
    "offers a run that a reload has cut short, shows what it measured, and resumes it",
    async () => {
      const { page, problems } = await open(url());
      await ready(page);
      // However fast the machine, it does not get beyond that cell before the page is loaded again.
      await inject(page, { "read f32": "hang" });
      await page.evaluate((words) => void window.tokenroof.runOutcome(words), PLAN);
      await gotTo(page, "read f32");
      await expect.poll(async () => (await marker(page))?.result.outcomes.length).toBe(2);
      const before = (await marker(page))?.result.outcomes[0];
      await page.goto(`${url()}${QUERY}`);
      await notice(page).waitFor();
      expect(await notice(page).innerText()).toMatch(
        /The last run stopped at read \S+ f32 with 1 of 5 cells measured\./,
      );
      expect(await page.locator(".report").count()).toBe(0);

      await press(page, "Show what was measured");
      expect(await page.locator(".report").innerText()).toContain(
        "Partial result: the page was closed, reloaded or crashed",
      );
      await ready(page);
      await press(page, "Resume");
      await page.getByRole("progressbar").waitFor();
      expect(await notice(page).count()).toBe(0);
      await page.waitForFunction(() => window.tokenroof.result?.completion.status === "complete", null, {
        timeout: 120_000,
      });
      const result = await page.evaluate(() => window.tokenroof.result);
      if (result === undefined) throw new Error("no result");
      expect(result.outcomes[0]).toEqual(before);
      expect(told(result)).toEqual([
        "measured",
        "the page was closed, reloaded or crashed while this ran",
        "measured",
        "measured",
        "measured",
      ]);
      await expect.poll(() => marker(page)).toBeUndefined();
      expect(problems).toEqual([]);
    },
    TIMEOUT,
  );

  test(
    "offers nothing that another tab has under way, until that is closed",
    async () => {
      const { page: first } = await open(`${url()}${LONGER_QUERY}&run`);
      await gotTo(first, "fma f32");
      await expect.poll(async () => (await marker(first))?.cells).toBe(5);
      const second = await first.context().newPage();
      await second.goto(url());
      await ready(second);
      await second.waitForTimeout(2500);
      expect(await notice(second).count()).toBe(0);
      // A run beside that one goes on, but only one can be kept.
      await second.evaluate(
        (words) => void window.tokenroof.runOutcome(words),
        "preset=smoke kernel=copy:64",
      );
      await expect
        .poll(() => remarks(second), { timeout: 10_000 })
        .toEqual([expect.stringContaining("cannot be resumed")]);
      await second.evaluate(() => window.tokenroof.cancel());
      expect((await marker(second))?.cells).toBe(5);
      await first.close();
      await second.goto(url());
      await notice(second).waitFor();
      await press(second, "Discard");
      expect(await notice(second).count()).toBe(0);
      await expect.poll(() => marker(second)).toBeUndefined();
    },
    TIMEOUT,
  );

  test("drops what nobody can have measured, and offers what somebody has", async () => {
    const { page, problems } = await open(url());
    const valid = await validMarker(page);
    const { result } = valid;
    const img = "<img src=x onerror=alert(1)>";
    const otherThings = [img, [], new Map([["result", result]])];
    const hostile = [
      { ...valid, cells: -1 },
      { ...valid, also: img },
      { ...valid, result: {} },
      { ...valid, result: { ...result, schema: 99 } },
      { ...valid, result: { ...result, plan: { ...result.plan, model: [img] } } },
      { ...valid, result: { ...result, outcomes: [{ status: "failed", error: img }] } },
    ];
    // How other things come out of its storage is each browser's affair; what a marker may hold is the page's.
    for (const what of [...otherThings, ...(engine === here[0] ? hostile : [])]) {
      await marker(page, { what });
      await page.reload();
      await expect.poll(() => marker(page)).toBeUndefined();
      expect(await notice(page).count()).toBe(0);
    }
    await marker(page, { what: valid });
    await page.reload();
    await notice(page).waitFor();
    expect(await notice(page).getByRole("button").allInnerTexts()).toEqual([
      "Resume",
      "Show what was measured",
      "Discard",
    ]);
    for (const other of [
      { tool: { version: "0.0.1", commit: img } },
      { host: { ...result.host, agent: "another browser" } },
      { workloads: result.workloads.map((each) => ({ ...each, id: img })) },
    ]) {
      await marker(page, { what: { ...valid, result: { ...result, ...other } } });
      await page.reload();
      await notice(page).waitFor();
      expect(await notice(page).innerText()).toContain("cannot be resumed");
      expect(await notice(page).getByRole("button").allInnerTexts()).toEqual([
        "Show what was measured",
        "Discard",
      ]);
    }
    expect(await page.locator("img").count()).toBe(0);
    expect(problems).toEqual([]);
  });

  test("a script's run takes the place of one that was cut short, and asks nothing", async () => {
    const { page } = await open(url());
    await marker(page, { what: await validMarker(page) });
    await page.goto(`${url()}${QUERY}&run`);
    await gotTo(page, "fma f32");
    expect(await notice(page).count()).toBe(0);
    await expect.poll(async () => (await marker(page))?.cells).toBe(5);
    await page.evaluate(() => window.tokenroof.cancel());
    await expect.poll(() => marker(page)).toBeUndefined();
  });
});

// What stands in for a browser's storage and locks is the same in every browser.
describe.skipIf(!here.includes("chromium"))("without storage or locks", () => {
  const open = useBrowser("chromium");

  test.each([
    ...storageFaults,
    ["there are no locks", "Object.defineProperty(navigator, 'locks', { value: undefined })"],
    [
      "locks are never given",
      "Object.defineProperty(navigator, 'locks', { value: { request: () => new Promise(() => {}) } })",
    ],
  ])(
    "runs all the same when %s",
    async (_what, script) => {
      const { page, problems } = await open(
        `${url()}${LONGER_QUERY}`,
        {},
        `${script};
        Object.defineProperty(navigator, "wakeLock", { value: { request: () => Promise.reject(new Error("no")) } });`,
      );
      await ready(page);
      await press(page, "Run");
      await gotTo(page, "read f32");
      await expect
        .poll(() => remarks(page), { timeout: 10_000 })
        .toEqual([expect.stringContaining("cannot be resumed")]);
      await press(page, "Cancel");
      await page.locator(".report").waitFor();
      const result = await page.evaluate(() => window.tokenroof.result);
      expect(new Set(result && told(result))).toEqual(new Set(["measured"]));
      await ready(page);
      expect(problems).toEqual([]);
    },
    TIMEOUT,
  );
});

describe.skipIf(!here.includes("chromium"))("the notice of a run that was cut short", () => {
  const open = useBrowser("chromium");

  test.each([
    ["light", 1200],
    ["light", 360],
    ["dark", 1200],
    ["dark", 360],
  ] as const)("breaks no rule in %s at %i px, and does not scroll sideways", async (colorScheme, width) => {
    const { page } = await open(url(), { colorScheme, viewport: { width, height: 800 } });
    await marker(page, { what: await validMarker(page) });
    await page.reload();
    await notice(page).waitFor();
    await ready(page);
    await expectForEverybody(page);
  });
});
