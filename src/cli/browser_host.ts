// Drives the built page, the very code that people run, in a headless browser.

import { existsSync } from "node:fs";
import { basename } from "node:path";
import type { Browser, Page } from "playwright";
import type { InspectOutcome, RunOutcome, SelfTestOutcome } from "../app/worker";
import type { Progress } from "../engine/run";
import type { Plan } from "../plan";
import { unknownName } from "../plan";
import type { TextOrder, TextOutcome, TextProgress } from "../text_result";
import { type KnownTuning, tuningsFile } from "../tuning_records";
import { browserNames, type FoundBrowser, findBrowser, launchOptions } from "./browsers";
import { Exit, ExitCode } from "./exit";
import { browserOrInstall, whatToInstall } from "./install";
import { productSite, servePage } from "./server";

export { servePage, whatToInstall };

export interface BrowserChoice {
  /** A name of `browserNames` or a path; undefined takes what is here. */
  readonly browser?: string | undefined;
  readonly browserArguments: readonly string[];
}

function choose({ browser }: BrowserChoice): FoundBrowser {
  if (browser === undefined) return browserOrInstall();
  if (browser.includes("/") || browser.includes("\\")) {
    if (!existsSync(browser)) throw new Exit(ExitCode.environment, `no browser at ${browser}`);
    return { engine: /firefox/i.test(basename(browser)) ? "firefox" : "chromium", path: browser };
  }
  if (!browserNames.includes(browser))
    throw new Exit(ExitCode.usage, unknownName("browser", browser, browserNames));
  const found = findBrowser(browser);
  if (found === undefined)
    throw new Exit(ExitCode.environment, `${browser} is not installed here: ${whatToInstall}`);
  return found;
}

/**
 * Opens a page in a browser, does `work` with it as soon as its scripts have put `handle` on the window, and closes
 * both, whatever happens.
 */
export async function withPage<T>(
  choice: BrowserChoice,
  work: (page: Page, found: FoundBrowser, browser: Browser) => Promise<T>,
  { site = productSite, handle = "tokenroof" } = {},
): Promise<T> {
  const found = choose(choice);
  const { type, options } = launchOptions(found, choice.browserArguments);
  const server = await servePage(0, site);
  try {
    const browser = await type.launch(options).catch((error: unknown) => {
      const lines = String(error).split("\n");
      // A missing library is what is wrong most often, and stands deep in the log.
      const telling = lines.find((line) => /error while loading|cannot open/i.test(line)) ?? lines[0];
      throw new Exit(
        ExitCode.environment,
        `${found.path} does not start: ${telling?.trim()}; ${whatToInstall}`,
      );
    });
    try {
      const page = await browser.newPage();
      await page.goto(server.url);
      await page.waitForFunction((name) => name in window, handle);
      return await work(page, found, browser);
    } finally {
      await browser.close();
    }
  } finally {
    server.close();
  }
}

/** Runs a plan on the page. When `signal` aborts, the run is cancelled and what was finished comes back. */
export function runInBrowser(
  choice: BrowserChoice,
  plan: Plan,
  tunings: readonly KnownTuning[],
  onProgress: (progress: Omit<Progress, "result">) => void,
  signal: AbortSignal,
): Promise<RunOutcome> {
  return withPage(choice, async (page) => {
    const cancel = () => page.evaluate(() => window.tokenroof.cancel("cancelled")).catch(() => {});
    signal.addEventListener("abort", cancel, { once: true });
    const running = page.evaluate(
      ([given, known]) => window.tokenroof.runOutcome(given, { tunings: known }),
      [plan, tuningsFile(tunings)] as const,
    );
    let label = "";
    const poll = setInterval(async () => {
      const progress = await page.evaluate(() => window.tokenroof.progress).catch(() => undefined);
      if (progress && progress.label !== label) {
        label = progress.label;
        onProgress(progress);
      }
    }, 250);
    try {
      return await running;
    } finally {
      clearInterval(poll);
    }
  });
}

/** Writes a text with files of this machine: the browser opens them itself, and nothing is uploaded. */
export function writeTextInBrowser(
  choice: BrowserChoice,
  paths: readonly string[],
  order: TextOrder,
  onProgress: (progress: TextProgress) => void,
): Promise<TextOutcome> {
  return withPage(choice, async (page) => {
    // Without an adapter the page shows no picker of files.
    const about = await page.evaluate(() => window.tokenroof.inspect());
    if (!about.ok) return { ok: false, fault: "none", problem: about.problem };
    const picker = page.locator("input[name=weights]");
    await picker.waitFor({ state: "attached" });
    await picker.setInputFiles([...paths]);
    const writing = page.evaluate((given) => window.tokenroof.writeText(given), order);
    const poll = setInterval(async () => {
      const progress = await page.evaluate(() => window.tokenroof.textProgress).catch(() => undefined);
      if (progress) onProgress(progress);
    }, 250);
    try {
      return await writing;
    } finally {
      clearInterval(poll);
    }
  });
}

export interface Inspected {
  readonly name: string;
  readonly path: string;
  readonly outcome: InspectOutcome;
}

const inspected = async (page: Page, found: FoundBrowser, browser: Browser): Promise<Inspected> => ({
  name: `${found.engine} ${browser.version()}`,
  path: found.path,
  outcome: await page.evaluate(() => window.tokenroof.inspect()),
});

/** The browsers that are here, each with where it is. */
export const browsersHere = (): string[] =>
  browserNames.flatMap((name) => {
    const browser = findBrowser(name);
    return browser === undefined ? [] : [`${name} at ${browser.path}`];
  });

/** What the adapter says of itself in this browser. */
export const inspectBrowser = (choice: BrowserChoice): Promise<Inspected> => withPage(choice, inspected);

/** The same, told to `onInspected` first, and then the self-test of the instruments, where there is an adapter. */
export function examineBrowser(
  choice: BrowserChoice,
  onInspected: (found: Inspected) => void,
): Promise<SelfTestOutcome | undefined> {
  return withPage(choice, async (page, found, browser) => {
    const about = await inspected(page, found, browser);
    onInspected(about);
    return about.outcome.ok ? page.evaluate(() => window.tokenroof.selfTest()) : undefined;
  });
}
