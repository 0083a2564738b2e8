// The page for everybody: axe's rules, light and dark, wide and narrow.

import { readFileSync } from "node:fs";
import { describe, test } from "vitest";
import { findBrowser } from "../../src/cli/browsers";
import { encodeLink } from "../../src/report/link";
import { parseResult } from "../../src/result";
import { expectForEverybody, useBrowser, useServer } from "./page";

const url = useServer();

async function sharedResult(): Promise<string> {
  const file = new URL("../fixtures/result-1.json", import.meta.url);
  const parsed = parseResult(JSON.parse(readFileSync(file, "utf8")));
  if (!parsed.ok) throw new Error(parsed.problem);
  return encodeLink(parsed.result);
}

describe.skipIf(findBrowser("chromium") === undefined)("chromium", () => {
  const open = useBrowser("chromium");

  describe.each(["light", "dark"] as const)("%s", (colorScheme) => {
    test.each([
      ["the start", 1200, async () => url()],
      ["a shared result", 1200, async () => `${url()}${await sharedResult()}`],
      ["the start on a phone", 360, async () => url()],
      ["a shared result on a phone", 360, async () => `${url()}${await sharedResult()}`],
    ])("%s breaks no rule and does not scroll sideways", async (_name, width, address) => {
      const { page } = await open(await address(), { colorScheme, viewport: { width, height: 800 } });
      await page.locator(".controls, .report").first().waitFor();
      for (const summary of await page.locator("details > summary").all()) await summary.click();
      await expectForEverybody(page);
    });
  });
});
