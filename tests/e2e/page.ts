// The built page, served by the built command line, in the browsers of this machine.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import AxeBuilder from "@axe-core/playwright";
import type { Browser, BrowserContextOptions, Page } from "playwright";
import { afterAll, beforeAll, expect } from "vitest";
import { type Engine, findBrowser, launchOptions } from "../../src/cli/browsers";

export const commandLine = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

/** Serves the page for the tests of a file. */
export function useServer(): () => string {
  let url = "";
  let server: ChildProcess;
  beforeAll(async () => {
    server = spawn(process.execPath, [commandLine, "serve", "--port", "0"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    for await (const line of createInterface({ input: server.stdout! })) {
      url = /http:\S+/.exec(line)?.[0] ?? "";
      break;
    }
  });
  afterAll(async () => {
    server.kill("SIGINT");
    await once(server, "exit");
  });
  return () => url;
}

export interface OpenPage {
  readonly page: Page;
  /** What went wrong that no test looks for: exceptions, console errors, requests to elsewhere. */
  readonly problems: string[];
}

/** A browser for the tests of a file; each page has a context of its own. */
export function useBrowser(
  engine: Engine,
): (url: string, options?: BrowserContextOptions, script?: string) => Promise<OpenPage> {
  let browser: Browser;
  beforeAll(async () => {
    const { type, options } = launchOptions(findBrowser(engine)!);
    browser = await type.launch(options);
  });
  afterAll(() => browser?.close());
  return async (url, options = {}, script = "") => {
    const context = await browser.newContext(options);
    if (script !== "") await context.addInitScript(script);
    const page = await context.newPage();
    const problems: string[] = [];
    page.on("pageerror", (error) => problems.push(`exception: ${error}`));
    page.on("console", (message) => {
      if (message.type() === "error") problems.push(`console: ${message.text()}`);
    });
    page.on("request", (request) => {
      const { protocol, host } = new URL(request.url());
      if (protocol.startsWith("http") && host !== new URL(url).host)
        problems.push(`request to ${request.url()}`);
    });
    await page.goto(url);
    return { page, problems };
  };
}

/** Checks that a page breaks none of axe's rules and does not scroll sideways. */
export async function expectForEverybody(page: Page): Promise<void> {
  // Without frames nothing is to be put together in another page, and what breaks no rule need not be listed.
  const axe = new AxeBuilder({ page }).setLegacyMode().options({ resultTypes: ["violations"] });
  const { violations } = await axe.analyze();
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)).toEqual([]);
  const sideways = await page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  );
  expect(sideways).toBe(0);
}
