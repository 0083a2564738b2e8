// A browser that has WebGPU but nothing to run it on, as Linux browsers without flags often do.

import { chromium } from "playwright";
import { expect, test } from "vitest";
import { findBrowser } from "../../src/cli/browsers";
import { useServer } from "./page";

const url = useServer();
const found = findBrowser("chromium");

test.skipIf(found === undefined)(
  "says that there is no adapter, and what to do about it",
  async ({ skip }) => {
    const root = process.getuid?.() === 0;
    const browser = await chromium.launch({
      executablePath: found!.path,
      args: root ? ["--no-sandbox"] : [],
    });
    try {
      const page = await browser.newPage();
      await page.goto(url());
      const adapter = await page.evaluate(async () => (await navigator.gpu?.requestAdapter()) !== null);
      if (adapter) return skip("this machine has an adapter without any flags");
      await expect.poll(() => page.getByRole("alert").innerText()).toContain("finds no adapter");
      expect(await page.getByRole("alert").getByRole("listitem").count()).toBeGreaterThan(1);
      expect(await page.getByRole("button", { name: "Run" }).isDisabled()).toBe(true);
      expect(await page.evaluate(() => window.tokenroof.run("preset=smoke").catch(String))).toContain(
        "no adapter",
      );
    } finally {
      await browser.close();
    }
  },
);
