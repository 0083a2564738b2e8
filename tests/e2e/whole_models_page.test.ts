// Whole models on the page: charts of a shared result with several depths and batches, and the choice of a model before a run.

import type { Page } from "playwright";
import { describe, expect, test } from "vitest";
import { engines, findBrowser } from "../../src/cli/browsers";
import { encodeLink } from "../../src/report/link";
import { everyRun, stepsOf } from "../unit/forward_fixture";
import { expectForEverybody, useBrowser, useServer } from "./page";

const url = useServer();

/** A model at two depths and two batches, and a smaller one without timestamps. */
const result = everyRun(
  "forward=on model=llama-3.2-1b,smollm2-135m dtype=f32 depth=0,4096 batch=1,16",
  (wanted) => ({
    ...stepsOf(wanted, 0.009 + wanted.depth * 2.5e-7 + wanted.batch * 1e-3),
    ...(wanted.model === "smollm2-135m" && { breakdown: null }),
  }),
);

/** The same with less to look at. */
const few = { ...result, forwards: result.forwards.filter(({ model }) => model === "llama-3.2-1b") };

const figure = (page: Page, title: string | RegExp) =>
  page.locator("figure").filter({ has: page.locator("figcaption", { hasText: title }) });

describe.each(engines.filter((engine) => findBrowser(engine) !== undefined))("%s", (engine) => {
  const open = useBrowser(engine);

  test("draws where a token's time goes, decode against depth and the batch frontier, each with its table", async () => {
    const { page, problems } = await open(`${url()}${await encodeLink(result)}`);
    for (const title of [
      /^Where a token's time goes: llama-3\.2-1b$/,
      "Where a token's time goes, kernel by kernel: llama-3.2-1b",
      "Time to first token (TTFT): llama-3.2-1b",
      "Time per token, free-running (TPOT): llama-3.2-1b",
      "Decode against depth: llama-3.2-1b pp512+tg128 @ b16 f32",
      "Batch frontier: llama-3.2-1b pp512+tg128 f32; the knee is batch 16",
    ])
      await figure(page, title).locator("canvas").first().waitFor();
    const untimed = figure(page, /^Where a token's time goes: smollm2-135m$/);
    await untimed.getByText("Table and sources").click();
    expect(await untimed.locator("table").innerText()).toContain("no GPU timestamps");
    expect(await figure(page, "kernel by kernel: smollm2-135m").count()).toBe(0);
    const frontier = figure(page, "Batch frontier: llama");
    await frontier.getByText("Table and sources").focus();
    await page.keyboard.press("Enter");
    expect(await frontier.getByRole("row").count()).toBe(5);
    expect(problems).toEqual([]);
  });

  test("shows what fits and is chosen from by keyboard alone; the time is not known before the first run", async () => {
    const { page, problems } = await open(`${url()}?preset=smoke&memory=2GiB`);
    const summary = page.getByText("What fits, and how long it takes");
    await summary.waitFor();
    expect(await page.locator("tokenroof-models .time").innerText()).toMatch(
      /^How long it takes is not known/,
    );
    await summary.focus();
    await page.keyboard.press("Enter");
    const table = page.getByRole("region", { name: "What fits, and how long it takes" });
    await table.waitFor();
    expect(await table.getByRole("row", { name: /llama-3\.1-8b f32/ }).innerText()).toMatch(
      /29\.9 GiB[\s\S]*of 32 layers in memory, taking turns|no: .* a binding of this device holds/,
    );
    await table.getByRole("button", { name: "Choose qwen2.5-0.5b q4_0" }).focus();
    await page.keyboard.press("Space");
    await expect.poll(() => page.url()).toMatch(/model=qwen2\.5-0\.5b&dtype=q4_0&memory=2GiB&forward=on$/);
    expect(
      await table.getByRole("button", { name: "Choose qwen2.5-0.5b q4_0" }).getAttribute("aria-pressed"),
    ).toBe("true");
    expect(await page.locator("tokenroof-models li").innerText()).toMatch(
      /^qwen2\.5-0\.5b q4_0: .* of weights, .* of KV cache for 1 × 18 tokens; fits memory=2GiB\.$/,
    );
    expect(problems).toEqual([]);
  });

  test("refuses a depth beyond the model's context in one line", async () => {
    const { page, problems } = await open(`${url()}?model=smollm2-135m&forward=on&depth=8000`);
    await expect
      .poll(() => page.getByRole("alert").innerText())
      .toBe(
        "depth=8000 pp=512 tg=128: smollm2-135m reads 8192 tokens at most (max_position_embeddings), this plan asks for 8641",
      );
    expect(await page.getByRole("button", { name: "Run", exact: true }).isDisabled()).toBe(true);
    expect(problems).toEqual([]);
  });
});

describe.skipIf(findBrowser("chromium") === undefined)("chromium", () => {
  const open = useBrowser("chromium");

  test("predicts the time of the next run from the roofs of the last one, also after the page was loaded again", async () => {
    const { page, problems } = await open(
      `${url()}?preset=smoke&dtype=f32&kernel=matvec:1x64x256&memory=16MiB&run`,
    );
    await page.locator(".headline").first().waitFor({ timeout: 100_000 });
    const time = page.locator("tokenroof-models .time");
    await expect
      .poll(() => time.innerText())
      .toMatch(/^About .* s \(.* to .*\), most of it for .*: from the roofs/);
    await page.goto(`${url()}?preset=smoke&dtype=f32&forward=on`);
    await expect.poll(() => time.innerText()).toMatch(/most of it for whole models: from the roofs/);
    expect(problems).toEqual([]);
  });

  test.each([
    ["charts of whole models, light", "light", 1200, async () => `${url()}${await encodeLink(few)}`],
    ["charts of whole models, dark on a phone", "dark", 360, async () => `${url()}${await encodeLink(few)}`],
    [
      "the choice of a model, light on a phone",
      "light",
      360,
      async () => `${url()}?forward=on&dtype=f32,q4_0`,
    ],
    ["the choice of a model, dark", "dark", 1200, async () => `${url()}?forward=on&dtype=f32,q4_0`],
  ] as const)("%s break no rule and do not scroll sideways", async (_name, colorScheme, width, address) => {
    const { page } = await open(await address(), { colorScheme, viewport: { width, height: 800 } });
    await page.locator("tokenroof-models summary, figure canvas").first().waitFor();
    // Other tables have a test of their own, and reading all of them takes minutes.
    const own = figure(page, /^(Where a token's|Time to|Time per|Decode against|Batch frontier)/);
    for (const opened of [own, page.locator("tokenroof-models")])
      for (const summary of await opened.locator("details > summary").all()) await summary.click();
    await expectForEverybody(page);
  });
});
