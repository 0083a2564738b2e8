// The page of the chips as people use it, in every browser that is here.

import type { Locator, Page } from "playwright";
import { describe, expect, test } from "vitest";
import { chip, chips } from "../../src/chips";
import { engines, findBrowser } from "../../src/cli/browsers";
import { encodeLink } from "../../src/report/link";
import { resultOf } from "../unit/result_fixture";
import { expectForEverybody, useBrowser, useServer } from "./page";

const url = useServer();
const chipsUrl = (query = "") => `${url()}chips.html${query}`;

const rows = (page: Page) => page.locator("#compare .tall tbody tr");
const firstChip = (page: Page) => rows(page).first().locator("td").first().innerText();
const sortButton = (page: Page, key: string) => page.locator(`#compare button[data-key="${key}"]`);
const alertText = (page: Page) => page.getByRole("alert").innerText();
const cost = (page: Page) =>
  page.locator("#cost tbody tr", { hasText: "NVIDIA H100 SXM" }).first().innerText();

/** A chip of nobody's, with a name that would like to be markup. */
const mine = { ...chip("rtx-4090")!, id: "my-chip", name: '<img src=x onerror="alert(1)"> chip' };

async function addChip(page: Page, text: string): Promise<void> {
  const details = page.locator("details.add");
  if ((await details.getAttribute("open")) === null) await details.locator("summary").click();
  await page.getByLabel("The chip as JSON").fill(text);
  await page.getByRole("button", { name: "Add", exact: true }).click();
}

/** As people do: not every driver tells a page that a field it has filled in has changed. */
async function type(input: Locator, text: string): Promise<void> {
  await input.click();
  await input.press("ControlOrMeta+a");
  await input.press("Delete");
  await input.pressSequentially(text);
  await input.press("Tab");
}

/** Keeps what the page hands out: not every driver of a browser tells of downloads. */
const KEEP_FILES = `
  window.files = [];
  const { createObjectURL } = URL;
  URL.createObjectURL = (blob) => {
    void blob.text().then((text) => window.files.push(text));
    return createObjectURL.call(URL, blob);
  };
`;
const filesOf = (page: Page) => page.evaluate(() => (window as unknown as { files: string[] }).files);

describe.each(engines.filter((engine) => findBrowser(engine) !== undefined))("%s", (engine) => {
  const open = useBrowser(engine);

  test("compares every chip, sorts at the press of a key and keeps the order in the address", async () => {
    const { page, problems } = await open(chipsUrl());
    await expect.poll(() => rows(page).count()).toBe(chips.length);
    const decode = page.locator('#compare th[aria-sort="descending"]');
    expect(await decode.innerText()).toContain("decode");
    const best = await firstChip(page);
    await sortButton(page, "output-cost").focus();
    await page.keyboard.press("Enter");
    await expect
      .poll(() => page.locator('#compare th[aria-sort="ascending"]').innerText())
      .toContain("$/M tokens out");
    expect(await firstChip(page)).not.toBe(best);
    expect(page.url()).toContain("sort=output-cost");
    await page.keyboard.press("Enter");
    await expect.poll(() => page.url()).toContain("sort=-output-cost");
    expect(await page.locator(":focus").getAttribute("data-key")).toBe("output-cost");
    expect(problems).toEqual([]);
  });

  test("filters, draws what is ticked and answers another question", async () => {
    const { page, problems } = await open(chipsUrl("?class=tpu&pick=h100-sxm"));
    await expect.poll(() => rows(page).count()).toBe(chips.filter((each) => each.class === "tpu").length);
    await page.getByLabel("wafer-scale").check();
    await page.getByLabel("inference", { exact: true }).check();
    await expect.poll(() => page.url()).toContain("class=wafer-scale,tpu&role=inference");
    await page.getByLabel("Google TPU v7 (Ironwood, TPU7x) in charts").check();
    await expect.poll(() => page.locator("#cost").innerText()).toContain("Google TPU v7");
    await page.locator("#frontier").scrollIntoViewIfNeeded();
    await expect.poll(() => page.locator("tokenroof-chart canvas").count()).toBe(2);
    await type(page.getByLabel("Batch", { exact: true }), "64");
    await expect.poll(() => page.locator("#compare").innerText()).toContain("batch 64");
    await page.locator('select[name="scenario"]').selectOption("agent");
    await expect.poll(() => page.url()).toContain("scenario=agent");
    expect(problems).toEqual([]);
  });

  test("puts a chip of one's own in every view, keeps it, and takes it out again", async () => {
    const { page, problems } = await open(chipsUrl());
    await addChip(page, JSON.stringify(mine));
    await expect.poll(() => rows(page).count()).toBe(chips.length + 1);
    for (const view of ["compare", "roofline", "frontier", "cost", "split"])
      expect(await page.locator(`#${view}`).textContent(), view).toContain(mine.name);
    expect(await page.locator("img").count()).toBe(0);
    await page.reload();
    await expect.poll(() => rows(page).count()).toBe(chips.length + 1);
    await page.getByRole("button", { name: `Remove ${mine.name}` }).click();
    await expect.poll(() => rows(page).count()).toBe(chips.length);
    expect(await page.locator("main").textContent()).not.toContain(`${mine.name} <code>`);
    expect(problems).toEqual([]);
  });

  test("refuses a chip that cannot be, with place and reason", async () => {
    const sparse = {
      value: 1e15,
      source: "https://a.example",
      quote: "1 PFLOPS with sparsity",
      kind: "press",
    };
    const { page, problems } = await open(chipsUrl());
    for (const [given, line] of [
      [{ ...mine, name: undefined }, "name: "],
      [{ ...mine, cores: 3 }, "cores: "],
      [{ ...mine, peakFlops: { fp16: sparse } }, "peakFlops.fp16: its quote speaks of sparsity"],
      [{ ...mine, id: "h100-sxm" }, "id: h100-sxm is a reference chip"],
      ["{", "not JSON"],
    ] as const) {
      await addChip(page, typeof given === "string" ? given : JSON.stringify(given));
      await expect.poll(() => page.locator("#chip-problem").innerText()).toContain(line);
    }
    expect(await rows(page).count()).toBe(chips.length);
    expect(problems).toEqual([]);
  });

  test("computes with an edited assumption, and keeps the last good one", async () => {
    const { page, problems } = await open(chipsUrl("?pick=h100-sxm"));
    const before = await cost(page);
    await page.getByText("Change the assumptions").click();
    const input = page.locator('.assumptions input[name="pue"]');
    await type(input, "1.5");
    await expect.poll(() => cost(page)).not.toBe(before);
    expect(page.url()).toContain("pue=1.5");
    await type(input, "9");
    await expect.poll(() => alertText(page)).toContain("a number from 1 to 3");
    expect(await input.inputValue()).toBe("1.5");
    await type(input, "");
    await expect.poll(() => cost(page)).toBe(before);
    expect(problems).toEqual([]);
  });

  test("refuses an address that cannot be in one line", async () => {
    const { page, problems } = await open(chipsUrl());
    for (const [query, line] of [
      ["?modle=x", 'unknown word "modle": did you mean model'],
      ["?pick=h10-sxm", 'unknown chip "h10-sxm": did you mean h100-sxm'],
      ["?model=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E", "unknown model"],
      ["#r=1.00000000.AAAA", "cut or altered"],
    ] as const) {
      await page.goto(chipsUrl(query));
      await expect.poll(() => alertText(page)).toContain(line);
      expect(await rows(page).count()).toBe(chips.length);
    }
    expect(await page.locator("img").count()).toBe(0);
    expect(problems).toEqual([]);
  });

  test("hands out each view as CSV and as JSON", async () => {
    const { page, problems } = await open(chipsUrl("?class=tpu"), {}, KEEP_FILES);
    await rows(page).first().waitFor();
    let handed = 0;
    for (const name of ["Compare", "Roofline", "Frontier", "Cost and energy", "Training, prefill, decode"])
      for (const format of ["CSV", "JSON"]) {
        await page.getByRole("button", { name: `${name} as ${format}` }).click();
        handed += 1;
        await expect.poll(async () => (await filesOf(page)).length).toBe(handed);
        const content = (await filesOf(page)).at(-1) ?? "";
        if (format === "JSON") expect(JSON.parse(content).title).toBe(`Among the chips: ${name}`);
        else expect(content.split("\n")[0]).toBe("table,remark");
      }
    expect(problems).toEqual([]);
  });

  test("puts the device of a result among the chips at the press of a button", async () => {
    const result = resultOf({ words: "model=llama-3.2-1b dtype=f16" });
    const { page, problems } = await open(`${url()}${await encodeLink(result)}`);
    await page.getByRole("button", { name: "Among the chips" }).click();
    await page.waitForURL(/chips\.html\?model=llama-3\.2-1b&weights=f16#r=1\./);
    await expect.poll(() => rows(page).count()).toBe(chips.length + 1);
    expect(await page.locator(".device").innerText()).toMatch(/^measured/i);
    expect(await page.locator("#cost").innerText()).toContain("measured");
    await page.reload();
    await expect.poll(() => rows(page).count()).toBe(chips.length + 1);
    expect(problems).toEqual([]);
  });
});

describe.skipIf(findBrowser("chromium") === undefined)("for everybody", () => {
  const open = useBrowser("chromium");

  test.each([
    ["light", 1200],
    ["dark", 1200],
    ["light", 360],
  ] as const)("%s at %i px breaks no rule and does not scroll sideways", async (colorScheme, width) => {
    const { page } = await open(chipsUrl("?role=training&pick=h100-sxm"), {
      colorScheme,
      viewport: { width, height: 800 },
    });
    await rows(page).first().waitFor();
    for (const summary of await page.locator("details > summary").all()) await summary.click();
    await expectForEverybody(page);
  });
});
