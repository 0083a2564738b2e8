// The page as people use it, in every browser that is here.

import { readdirSync, readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import type { Page } from "playwright";
import { describe, expect, test } from "vitest";
import { chips } from "../../src/chips";
import { type Engine, engines, findBrowser } from "../../src/cli/browsers";
import { decodeLink, encodeLink } from "../../src/report/link";
import { report } from "../../src/report/report";
import type { Result } from "../../src/result";
import { useBrowser, useServer } from "./page";

const url = useServer();

/** Seconds on a software adapter: every kind of cell, a tiny model. */
const SMOKE = "?preset=smoke&dtype=f32";

const NO_WEBGPU = "Object.defineProperty(Navigator.prototype, 'gpu', { value: undefined });";

const headlines = (page: Page) => page.locator(".headline .main").allInnerTexts();
const alertText = (page: Page) => page.getByRole("alert").innerText();

/** Results that one browser measured, for the other to open. */
const measured: Partial<Record<Engine, { result: Result; headlines: string[] }>> = {};

const here = engines.filter((engine) => findBrowser(engine) !== undefined);

describe.each(here)("%s", (engine) => {
  const open = useBrowser(engine);

  test("measures the smoke plan at the press of a key and shows figures with intervals", async () => {
    const { page, problems } = await open(`${url()}${SMOKE}`);
    const run = page.getByRole("button", { name: "Run" });
    await expect.poll(() => run.isEnabled()).toBe(true);
    await run.focus();
    await page.keyboard.press("Enter");
    await page.getByRole("progressbar").waitFor();
    await expect
      .poll(() => page.locator(".progress").innerText(), { timeout: 30_000 })
      .toMatch(/about \d+ s left/);

    await page.locator(".headline").first().waitFor({ timeout: 100_000 });
    const texts = await headlines(page);
    expect(texts).toHaveLength(2);
    for (const text of texts) expect(text).toMatch(/^[\d.,]+ tokens\/s \([\d.,]+ … [\d.,]+\)$/);
    expect(await page.locator(".headline.prefill").innerText()).toMatch(/FLOP\/s[\s\S]*% [\s\S]*fma roof/);
    expect(await page.locator(".headline.decode").innerText()).toMatch(/B\/s[\s\S]*% [\s\S]*read roof/);
    expect(await page.locator(".report").innerText()).toContain("of 30 layers resident, cycled");
    expect(await page.locator("tokenroof-chart canvas").count()).toBe(3);

    const result = await page.evaluate(() => window.tokenroof.result);
    if (result === undefined) throw new Error("window.tokenroof.result is not set");
    if (result.device.software !== null) {
      expect(await page.locator(".headline .software").allInnerTexts()).toEqual([
        "a CPU's number",
        "a CPU's number",
      ]);
      expect(await page.locator(".report h2").innerText()).toContain("CPU");
    }
    await page.getByRole("button", { name: "Copy link" }).click();
    const link = await page.locator(".link input").inputValue();
    expect(link.startsWith(`${url()}#r=1.`)).toBe(true);
    const opened = await decodeLink(link);
    if (!opened.ok) throw new Error(opened.problem);
    expect(report(opened.result, chips).headlines).toEqual(report(result, chips).headlines);
    measured[engine] = { result, headlines: texts };
    expect(problems).toEqual([]);
  });

  // The tests of `doctor` have the same done in every browser.
  if (engine === here[0])
    test("tests its instruments at the press of a button", async () => {
      const { page, problems } = await open(url());
      await page.getByText("Test the instruments").click();
      const button = page.getByRole("button", { name: "Run the self-test" });
      await expect.poll(() => button.isEnabled()).toBe(true);
      await button.click();
      await page.getByRole("region", { name: "Self-test of the instruments" }).waitFor({ timeout: 100_000 });
      const text = await page.locator(".self-test").innerText();
      expect(text).toMatch(/The instruments work here|Do not trust small differences/);
      expect(text).toMatch(/a kernel with 10 % more to do/);
      expect(problems).toEqual([]);
    });

  test("opens the link that a run made, without touching a GPU, and shows the same figures", async () => {
    const made =
      measured[engine === "chromium" && here.includes("firefox") ? "firefox" : engine] ??
      Object.values(measured)[0];
    if (made === undefined) throw new Error("no run to make a link of");
    const { page, problems } = await open(`${url()}${await encodeLink(made.result)}`, {}, NO_WEBGPU);
    await page.locator(".headline").first().waitFor();
    expect(await headlines(page)).toEqual(made.headlines);
    expect(await page.locator("main").innerText()).toContain("A shared result");
    expect(problems).toEqual([]);
  });

  test("keeps finished cells when a run is cancelled", async () => {
    const { page, problems } = await open(`${url()}?preset=smoke&dtype=f32&run`);
    await expect
      .poll(() => page.evaluate(() => window.tokenroof.progress?.done ?? 0), { timeout: 60_000 })
      .toBeGreaterThanOrEqual(2);
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.locator(".report").waitFor();
    expect(await page.locator(".warnings").innerText()).toContain("Partial result: cancelled");
    const result = await page.evaluate(() => window.tokenroof.result);
    expect(result?.outcomes.length).toBeGreaterThan(0);
    expect(await page.getByRole("button", { name: "Run" }).isEnabled()).toBe(true);
    expect(problems).toEqual([]);
  });

  test("asks for the whole model by a box to tick, which the address keeps", async () => {
    const { page, problems } = await open(`${url()}${SMOKE}`);
    await page.getByText("More settings").click();
    const box = page.getByRole("checkbox", { name: /^Run the whole model too/ });
    expect(await box.isChecked()).toBe(false);
    await box.check();
    await expect.poll(() => page.url()).toMatch(/[?&]forward=on$/);
    await page.reload();
    await page.getByText("More settings").click();
    expect(await box.isChecked()).toBe(true);
    await box.uncheck();
    await expect.poll(() => page.url()).not.toContain("forward");
    expect(problems).toEqual([]);
  });

  test("draws where a token's time goes, from the link of a model that was run whole", async () => {
    const link = readFileSync(new URL("../fixtures/link-4.txt", import.meta.url), "utf8").trim();
    const { page, problems } = await open(`${url()}${link}`);
    const charts = page.locator("figure", { hasText: "Where a token's time goes" }).locator("canvas");
    // By what it is spent on, and kernel by kernel.
    await charts.nth(1).waitFor();
    expect(await charts.count()).toBe(2);
    expect(await page.locator(".headlines").innerText()).toContain("run whole; its kernels add up to");
    expect(problems).toEqual([]);
  });

  test("says so where there is no WebGPU, and what to do about it", async () => {
    const { page, problems } = await open(url(), {}, NO_WEBGPU);
    await expect.poll(() => alertText(page)).toContain("offers no WebGPU");
    expect(await page.getByRole("alert").getByRole("listitem").count()).toBeGreaterThan(0);
    expect(await page.getByRole("button", { name: "Run" }).isDisabled()).toBe(true);
    expect(problems).toEqual([]);
  });

  test("refuses an address that cannot be in one line and runs nothing", async () => {
    const { page, problems } = await open(url());
    for (const [query, line] of [
      ["?model=llama-3.2-1c", 'unknown model "llama-3.2-1c": did you mean llama-3.2-1b'],
      ["?modle=llama-3.2-1b", 'unknown word "modle": did you mean model'],
      ["?pp=many", "pp=many: not a whole number"],
      ["?model=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E&run", "unknown model"],
    ] as const) {
      await page.goto(`${url()}${query}`);
      await expect.poll(() => alertText(page), { message: query }).toContain(line);
      expect(await page.locator("img").count(), query).toBe(0);
      expect(await page.getByRole("button", { name: "Run" }).isDisabled(), query).toBe(true);
    }
    expect(problems).toEqual([]);
  });

  test("shows nothing of a damaged link but a message", async () => {
    const made = Object.values(measured)[0];
    if (made === undefined) throw new Error("no run to make a link of");
    const link = await encodeLink(made.result);
    const altered = `${link.slice(0, 40)}${link[40] === "A" ? "B" : "A"}${link.slice(41)}`;
    // The page is loaded with the first, and taken to the others; no two in a row have the same message.
    const { page, problems } = await open(`${url()}${link.slice(0, -9)}`);
    for (const [what, damaged, line] of [
      ["cut", link.slice(0, -9), "cut or altered"],
      ["of a newer version", link.replace("#r=1.", "#r=2."), "newer"],
      ["altered", altered, "cut or altered"],
      ["too long", link + "A".repeat(65_536), "longer than 64 KiB"],
      ["empty", "#r=", "incomplete"],
    ] as const) {
      await page.goto(`${url()}${damaged}`);
      await expect.poll(() => alertText(page), { message: what }).toContain(line);
      expect(await page.locator(".report").count(), what).toBe(0);
    }
    expect(problems).toEqual([]);
  });

  test("can be driven by a script", async () => {
    const { page } = await open(url());
    await page.waitForFunction(() => window.tokenroof !== undefined);
    expect(await page.evaluate(() => window.tokenroof.run("modle=x").catch(String))).toContain(
      "did you mean model",
    );
    const events = await page.evaluate(async () => {
      const done = new Promise<boolean>((resolve) =>
        document.addEventListener("tokenroof:done", () => resolve(true)),
      );
      const result = await window.tokenroof.run("preset=smoke dtype=f32 memory=16MiB kernel=matvec:1x64x256");
      return { done: await done, same: window.tokenroof.result === result, status: result.completion.status };
    });
    expect(events).toEqual({ done: true, same: true, status: "complete" });
  });
});

describe("the built page", () => {
  const folder = new URL("../../dist/page/", import.meta.url);
  const names = readdirSync(new URL("assets/", folder)).filter((name) => name.endsWith(".js"));
  const textOf = (name: string) => readFileSync(new URL(`assets/${name}`, folder), "utf8");

  /** Scripts that a page loads at once: those it names and what they import. */
  function firstScripts(page: string): string[] {
    const html = readFileSync(new URL(page, folder), "utf8");
    const first = names.filter((name) => html.includes(`assets/${name}"`));
    const imported = first.flatMap((name) =>
      [...textOf(name).matchAll(/from\s*"\.\/([^"]+)"/g)].map(([, file = ""]) => file),
    );
    return [...new Set([...first, ...imported])];
  }

  test.each([
    ["index.html", ["worker"]],
    ["chips.html", []],
  ])("%s loads at most 150 kB of JavaScript, and charts only when there is one to draw", (page, beside) => {
    const scripts = [
      ...firstScripts(page),
      ...names.filter((name) => beside.some((each) => name.startsWith(each))),
    ];
    expect(scripts.length).toBeGreaterThanOrEqual(2);
    expect(scripts.some((name) => name.startsWith("chart_element"))).toBe(false);
    expect(names.filter((name) => name.startsWith("chart_element"))).toHaveLength(1);
    const bytes = scripts.reduce((sum, name) => sum + gzipSync(textOf(name)).length, 0);
    expect(bytes).toBeLessThanOrEqual(150_000);
  });

  test("is served isolated, with a policy that allows nothing inline and nothing from elsewhere", async () => {
    const { headers } = await fetch(url());
    const policy = headers.get("content-security-policy") ?? "";
    expect(policy).toContain("script-src 'self'");
    expect(policy).toContain("connect-src 'self'");
    expect(policy).not.toMatch(/unsafe|\*/);
    expect(headers.get("cross-origin-opener-policy")).toBe("same-origin");
    expect(headers.get("cross-origin-embedder-policy")).toBe("require-corp");
    for (const page of ["index.html", "chips.html"]) {
      const html = readFileSync(new URL(page, folder), "utf8");
      expect(html.replaceAll("&#39;", "'")).toContain(policy);
      expect(html).not.toMatch(/<script(?![^>]*\ssrc=)/);
    }
  });
});
