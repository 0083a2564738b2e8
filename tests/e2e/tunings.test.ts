// Tunings on the page: kept from load to load, searched for afresh on demand, exported, imported; and a page that
// cannot store them measures all the same.

import type { Page } from "playwright";
import { describe, expect, test } from "vitest";
import { engines, findBrowser } from "../../src/cli/browsers";
import type { Tunings } from "../../src/tuning_records";
import { expectForEverybody, type OpenPage, useBrowser, useServer } from "./page";
import { storageFaults } from "./storage_faults";

const url = useServer();

/** Two kernels to tune, each in a moment: most of a run is the time that a software adapter takes to compile. */
const QUERY = "?preset=smoke&dtype=f32&kernel=matvec:1x64x256,add:33x64&memory=16MiB";

const TIMEOUT = 200_000;

const ready = (page: Page) =>
  expect.poll(() => page.getByRole("button", { name: "Run" }).isEnabled(), { timeout: 30_000 }).toBe(true);

const section = (page: Page) => page.getByRole("region", { name: "Tunings" });
const button = (page: Page, name: string) => section(page).getByRole("button", { name });
const unfold = (page: Page) => page.getByText("More settings").click();

/** Waits for a result that was not there before, and says of its kernels whether they were reused. */
async function reused(page: Page, press: () => Promise<void>): Promise<Record<string, boolean>> {
  await page.evaluate(() => {
    window.tokenroof.result = undefined;
  });
  await press();
  await page.waitForFunction(() => window.tokenroof.result !== undefined, null, { timeout: 100_000 });
  const result = await page.evaluate(() => window.tokenroof.result);
  expect(result?.completion).toEqual({ status: "complete" });
  const ours = result?.tunings.filter(({ kernel }) => kernel === "matvec" || kernel === "add") ?? [];
  return Object.fromEntries(ours.map((each) => [each.kernel, each.reused]));
}

const run = (page: Page) => page.getByRole("button", { name: "Run" }).press("Enter");

/** What IndexedDB holds. */
const stored = (page: Page) =>
  page.evaluate(async () => {
    const answer = <T>(request: IDBRequest<T>) =>
      new Promise<T>((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
      });
    const database = await answer(indexedDB.open("tokenroof-tunings"));
    const records = await answer(database.transaction("tunings").objectStore("tunings").getAll());
    database.close();
    return records as Tunings["records"];
  });

/** The name and the text of the file that the page hands out: not every driver of a browser tells of downloads. */
async function exported(page: Page, press: () => Promise<void>): Promise<{ name: string; text: string }> {
  const handed = await page.evaluateHandle(() => {
    const file = { name: "", text: "" };
    const { createObjectURL } = URL;
    URL.createObjectURL = (blob: Blob) => {
      void blob.text().then((text) => Object.assign(file, { text }));
      return createObjectURL(blob);
    };
    const { click } = HTMLAnchorElement.prototype;
    HTMLAnchorElement.prototype.click = function () {
      file.name = this.download;
      click.call(this);
    };
    return file;
  });
  await press();
  await expect.poll(async () => (await handed.jsonValue()).text).not.toBe("");
  return handed.jsonValue();
}

/** An adapter of nobody's, whose name would like to be markup. */
const ELSEWHERE = "<img src=x>";

const here = engines.filter((engine) => findBrowser(engine) !== undefined);

const searched = { matvec: false, add: false };
const known = { matvec: true, add: true };

/** A file as an input takes it. */
const file = (name: string, content: unknown) => ({
  name,
  mimeType: "application/json",
  buffer: Buffer.from(typeof content === "string" ? content : JSON.stringify(content)),
});

// Each test goes on where the one before it has ended: a run takes seconds.
describe.each(here)("%s", (engine) => {
  const open = useBrowser(engine);
  let first: OpenPage | undefined;
  let handedOut: Tunings | undefined;
  let other: OpenPage | undefined;

  const opened = (page: OpenPage | undefined): OpenPage => {
    if (page === undefined) throw new Error("a test before this one did not open its page");
    return page;
  };
  const exportedFile = (): Tunings => {
    if (handedOut === undefined) throw new Error("a test before this one has exported nothing");
    return handedOut;
  };

  test(
    "are reused after a reload",
    async () => {
      first = await open(`${url()}${QUERY}`);
      const { page, problems } = first;
      await ready(page);
      await unfold(page);
      expect(await section(page).innerText()).toContain("Tuned here before: 0 kernels");
      expect(await button(page, "Export tunings").isDisabled()).toBe(true);
      expect(await reused(page, () => run(page))).toEqual(searched);
      await expect.poll(async () => (await stored(page)).length).toBe(2);
      const [before] = await stored(page);

      await page.reload();
      await ready(page);
      await unfold(page);
      await expect.poll(() => section(page).innerText()).toContain("Tuned here before: 2 kernels");
      expect(await reused(page, () => run(page))).toEqual(known);
      expect((await stored(page)).map(({ madeAt }) => madeAt)).toContain(before?.madeAt);
      expect(await page.locator(".report").textContent()).toMatch(
        /tuning of kernels\s*\d+ search(es)? in .*, 2 reused/,
      );
      expect(problems).toEqual([]);
    },
    TIMEOUT,
  );

  test(
    "that nobody can have found are passed over, and go with the next run",
    async () => {
      const { page, problems } = opened(first);
      await page.evaluate(async (elsewhere) => {
        const opening = indexedDB.open("tokenroof-tunings");
        await new Promise((resolve) => opening.addEventListener("success", resolve));
        const transaction = opening.result.transaction("tunings", "readwrite");
        const store = transaction.objectStore("tunings");
        const all = store.getAll();
        await new Promise((resolve) => all.addEventListener("success", resolve));
        const matvec = all.result.find(({ kernel }) => kernel === "matvec");
        store.put("<img src=x onerror=alert(1)>", "a");
        store.put({ ...matvec, choice: null }, "b");
        store.put({ ...matvec, adapter: elsewhere }, "c");
        await new Promise((resolve) => transaction.addEventListener("complete", resolve));
        opening.result.close();
      }, ELSEWHERE);
      await page.reload();
      await ready(page);
      await unfold(page);
      expect(await section(page).innerText()).toMatch(
        /Tuned here before: 2 kernels[\s\S]*not used: 1 made on <img src=x>/,
      );
      expect(await reused(page, () => run(page))).toEqual(known);
      await expect.poll(async () => (await stored(page)).length).toBe(3);
      expect(await page.locator("img").count()).toBe(0);
      expect(problems).toEqual([]);
    },
    TIMEOUT,
  );

  test(
    "are searched for afresh on demand, and handed out as a file",
    async () => {
      const { page, problems } = opened(first);
      const own = async () => (await stored(page)).filter(({ adapter }) => adapter !== ELSEWHERE);
      const [before] = await own();
      expect(await reused(page, () => button(page, "Tune afresh").press("Enter"))).toEqual(searched);
      await expect
        .poll(async () => (await own()).every(({ madeAt, reused }) => !reused && madeAt > before!.madeAt))
        .toBe(true);

      // Last of all on this page: Firefox gives the keyboard to its list of downloads.
      const { name, text } = await exported(page, () => button(page, "Export tunings").press("Enter"));
      expect(name).toMatch(/^tokenroof-tunings-\d{4}-\d\d-\d\d\.json$/);
      const parsed: Tunings = JSON.parse(text);
      expect(parsed.records).toHaveLength(3);
      expect(parsed.records).toEqual(expect.arrayContaining(await stored(page)));
      handedOut = { ...parsed, records: parsed.records.filter(({ adapter }) => adapter !== ELSEWHERE) };
      expect(problems).toEqual([]);
    },
    TIMEOUT,
  );

  test(
    "travel by file to another profile, without those that are not for it",
    async () => {
      const given = exportedFile();
      other = await open(`${url()}${QUERY}`);
      const { page, problems } = other;
      await ready(page);
      await unfold(page);
      const strange = given.records.map((record) => ({ ...record, browser: "Chromium 1" }));
      const input = section(page).getByLabel("Import tunings…");
      await input.setInputFiles(file("tunings.json", { ...given, records: [...given.records, strange[0]] }));
      const said = () => section(page).getByRole("status").innerText();
      await expect
        .poll(said)
        .toMatch(
          /^Imported 3 kernels from tunings\.json, 2 of them .* Not used here: 1 made with Chromium 1,/,
        );
      expect(await section(page).innerText()).toContain("Tuned here before: 2 kernels");
      expect(await reused(page, () => run(page))).toEqual(known);

      for (const [content, why] of [
        ["no JSON", "not JSON"],
        [{ ...given, version: 9 }, "version 9 is newer"],
        [
          { ...given, records: [{ ...strange[0], choice: "<img src=x onerror=alert(1)>" }] },
          "records.0.choice",
        ],
      ] as const) {
        await input.setInputFiles(file("<img src=x>.json", content));
        await expect.poll(said).toContain(`Nothing imported. <img src=x>.json: ${why}`);
      }
      expect(await page.locator("img").count()).toBe(0);

      // A result brings its tunings too.
      const result = await opened(first).page.evaluate(() => window.tokenroof.result);
      await input.setInputFiles(file("result.json", result));
      await expect.poll(said).toMatch(/^Imported 2 kernels from result\.json, 2 of them/);
      expect(problems).toEqual([]);
    },
    TIMEOUT,
  );

  test(
    "of a script's run are those that it is given, and nothing else",
    async () => {
      const { page } = opened(other);
      const plan = QUERY.slice(1).replaceAll("&", " ");
      const runWith = (tunings: Tunings) =>
        page.evaluate(
          async ([words, given]) => void (await window.tokenroof.run(words, { tunings: given })),
          [plan, tunings] as const,
        );
      const { records } = exportedFile();
      const given: Tunings = { kind: "tokenroof tunings", version: 1, records };
      expect(await reused(page, () => runWith({ ...given, records: [] }))).toEqual(searched);
      // What a script's run has found is kept all the same.
      const madeBefore = records.map(({ madeAt }) => madeAt);
      const madeSince = async () =>
        (await stored(page)).filter(
          ({ madeAt, browser }) => browser === records[0]?.browser && !madeBefore.includes(madeAt),
        );
      await expect.poll(madeSince).toHaveLength(2);
      expect(await reused(page, () => runWith(given))).toEqual(known);
      const broken = { ...given, records: [{}] } as unknown as Tunings;
      expect(await runWith(broken).catch(String)).toMatch(/tunings: records\.0\.kernel: /);
    },
    TIMEOUT,
  );
});

// What stands in for a browser's storage is the same in every browser, and software adapters compile faster in Firefox.
describe.skipIf(here.length === 0)("without storage", () => {
  const open = useBrowser(here.includes("firefox") ? "firefox" : "chromium");

  test.each(storageFaults)(
    "are reused until the page is closed where %s, which the page says",
    async (_what, script) => {
      const { page, problems } = await open(`${url()}${QUERY}`, {}, script);
      await ready(page);
      await unfold(page);
      expect(await reused(page, () => run(page))).toEqual(searched);
      await expect
        .poll(() => section(page).innerText(), { timeout: 10_000 })
        .toContain("This browser does not store tunings");
      await expect.poll(() => section(page).innerText()).toContain("Tuned here before: 2 kernels");
      expect(await reused(page, () => run(page))).toEqual(known);
      expect(problems).toEqual([]);
    },
    TIMEOUT,
  );
});

describe.skipIf(findBrowser("chromium") === undefined)("the controls", () => {
  const open = useBrowser("chromium");

  test.each([
    ["light", 1200],
    ["light", 360],
    ["dark", 1200],
    ["dark", 360],
  ] as const)("break no rule in %s at %i px, and can be reached by key", async (colorScheme, width) => {
    const { page } = await open(`${url()}${QUERY}`, { colorScheme, viewport: { width, height: 800 } });
    const choosing = page.waitForEvent("filechooser", { timeout: 60_000 });
    await ready(page);
    await unfold(page);
    await expectForEverybody(page);
    await button(page, "Tune afresh").focus();
    await page.keyboard.press("Tab");
    const label = section(page).locator(".file");
    const outline = () => label.evaluate((element) => getComputedStyle(element).outlineStyle);
    expect(await outline()).toBe("solid");
    await page.keyboard.press("Enter");
    expect((await choosing).isMultiple()).toBe(false);
  });
});
