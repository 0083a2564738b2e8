// Tunings on the page: kept from load to load, searched for afresh on demand, exported, imported; and a page that
// cannot store them measures all the same.

import AxeBuilder from "@axe-core/playwright";
import type { Page } from "playwright";
import { describe, expect, test } from "vitest";
import { engines, findBrowser } from "../../src/cli/browsers";
import type { Tunings } from "../../src/tuning_records";
import { useBrowser, useServer } from "./page";

const url = useServer();

/** Two kernels to tune, each in a moment. */
const QUERY = "?preset=smoke&dtype=f32&kernel=matvec:1x64x256,matmul:33x64x128&memory=16MiB";

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
  const ours = result?.tunings.filter(({ kernel }) => kernel === "matvec" || kernel === "matmul") ?? [];
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

const searched = { matvec: false, matmul: false };
const known = { matvec: true, matmul: true };

describe.each(engines.filter((engine) => findBrowser(engine) !== undefined))("%s", (engine) => {
  const open = useBrowser(engine);

  test(
    "are reused after a reload, searched for afresh on demand, and travel by file",
    async () => {
      const { page, problems } = await open(`${url()}${QUERY}`);
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

      expect(await reused(page, () => button(page, "Tune afresh").press("Enter"))).toEqual(searched);
      await expect
        .poll(async () =>
          (await stored(page)).every(({ madeAt, reused }) => !reused && madeAt > before!.madeAt),
        )
        .toBe(true);
      expect(await reused(page, () => run(page))).toEqual(known);

      const { name, text } = await exported(page, () => button(page, "Export tunings").press("Enter"));
      expect(name).toMatch(/^tokenroof-tunings-\d{4}-\d\d-\d\d\.json$/);
      const exportedFile: Tunings = JSON.parse(text);
      const byKernel = (records: Tunings["records"]) =>
        Object.fromEntries(records.map((each) => [each.kernel, each]));
      expect(byKernel(exportedFile.records)).toEqual(byKernel(await stored(page)));
      expect(problems).toEqual([]);

      // Another profile, and some records that are not for it.
      const { page: other, problems: otherProblems } = await open(`${url()}${QUERY}`);
      await ready(other);
      await unfold(other);
      const strange = exportedFile.records.map((record) => ({ ...record, browser: "Chromium 1" }));
      const file = (name: string, content: unknown) => ({
        name,
        mimeType: "application/json",
        buffer: Buffer.from(typeof content === "string" ? content : JSON.stringify(content)),
      });
      const input = section(other).getByLabel("Import tunings…");
      await input.setInputFiles(
        file("tunings.json", { ...exportedFile, records: [...exportedFile.records, strange[0]] }),
      );
      const said = () => section(other).getByRole("status").innerText();
      await expect
        .poll(said)
        .toMatch(
          /^Imported 3 kernels from tunings\.json, 2 of them .* Not used here: 1 made with Chromium 1,/,
        );
      expect(await section(other).innerText()).toContain("Tuned here before: 2 kernels");
      expect(await reused(other, () => run(other))).toEqual(known);

      for (const [content, why] of [
        ["no JSON", "not JSON"],
        [{ ...exportedFile, version: 9 }, "version 9 is newer"],
        [
          { ...exportedFile, records: [{ ...strange[0], choice: "<img src=x onerror=alert(1)>" }] },
          "records.0.choice",
        ],
      ] as const) {
        await input.setInputFiles(file("<img src=x>.json", content));
        await expect.poll(said).toContain(`Nothing imported. <img src=x>.json: ${why}`);
      }
      expect(await other.locator("img").count()).toBe(0);
      expect(otherProblems).toEqual([]);

      // A result brings its tunings too.
      const result = await page.evaluate(() => window.tokenroof.result);
      await input.setInputFiles(file("result.json", result));
      await expect.poll(said).toMatch(/^Imported 2 kernels from result\.json, 2 of them/);
    },
    TIMEOUT,
  );

  test(
    "of a script's run are those that it is given, and nothing else",
    async () => {
      const { page } = await open(url());
      await page.waitForFunction(() => window.tokenroof !== undefined);
      const plan = QUERY.slice(1).replaceAll("&", " ");
      expect(
        await reused(page, () =>
          page.evaluate(async (words) => void (await window.tokenroof.run(words)), plan),
        ),
      ).toEqual(searched);
      const records = await stored(page);
      const runWith = (tunings: Tunings) =>
        page.evaluate(
          async ([words, given]) => void (await window.tokenroof.run(words, { tunings: given })),
          [plan, tunings] as const,
        );
      const file: Tunings = { kind: "tokenroof tunings", version: 1, records };
      expect(await reused(page, () => runWith({ ...file, records: [] }))).toEqual(searched);
      expect(await reused(page, () => runWith(file))).toEqual(known);
      const broken = { ...file, records: [{}] } as unknown as Tunings;
      expect(await runWith(broken).catch(String)).toMatch(/tunings: records\.0\.kernel: /);
    },
    TIMEOUT,
  );

  test(
    "that nobody can have found are passed over, and go with the next run",
    async () => {
      const { page, problems } = await open(`${url()}${QUERY}`);
      await ready(page);
      expect(await reused(page, () => run(page))).toEqual(searched);
      await expect.poll(async () => (await stored(page)).length).toBe(2);
      await page.evaluate(async () => {
        const opening = indexedDB.open("tokenroof-tunings");
        await new Promise((resolve) => opening.addEventListener("success", resolve));
        const transaction = opening.result.transaction("tunings", "readwrite");
        const store = transaction.objectStore("tunings");
        const all = store.getAll();
        await new Promise((resolve) => all.addEventListener("success", resolve));
        const matvec = all.result.find(({ kernel }) => kernel === "matvec");
        store.put("<img src=x onerror=alert(1)>", "a");
        store.put({ ...matvec, choice: null }, "b");
        store.put({ ...matvec, adapter: "<img src=x>" }, "c");
        await new Promise((resolve) => transaction.addEventListener("complete", resolve));
        opening.result.close();
      });
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
});

// What stands in for a browser's storage is the same in every browser.
describe.skipIf(findBrowser("chromium") === undefined)("without storage", () => {
  const open = useBrowser("chromium");

  test.each([
    ["there is no IndexedDB", "Object.defineProperty(globalThis, 'indexedDB', { value: undefined })"],
    [
      "IndexedDB is refused",
      "IDBFactory.prototype.open = () => { throw new DOMException('no', 'SecurityError') }",
    ],
    [
      "IndexedDB never answers",
      `const { open } = IDBFactory.prototype;
      IDBFactory.prototype.open = function (...given) {
        return Object.assign(open.apply(this, given), { addEventListener() {} });
      }`,
    ],
    [
      "the storage is full",
      "IDBObjectStore.prototype.put = () => { throw new DOMException('full', 'QuotaExceededError') }",
    ],
  ])(
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
    const { violations } = await new AxeBuilder({ page }).analyze();
    expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)).toEqual([]);
    const sideways = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
    expect(sideways).toBe(0);
    await button(page, "Tune afresh").focus();
    await page.keyboard.press("Tab");
    const label = section(page).locator(".file");
    const outline = () => label.evaluate((element) => getComputedStyle(element).outlineStyle);
    expect(await outline()).toBe("solid");
    await page.keyboard.press("Enter");
    expect((await choosing).isMultiple()).toBe(false);
  });
});
