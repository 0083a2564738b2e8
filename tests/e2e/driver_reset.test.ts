// What a driver reset does to a run: the browser's GPU process ends, with every device on it.

import { describe, expect, test } from "vitest";
import { findBrowser } from "../../src/cli/browsers";
import { useBrowser, useServer } from "./page";

const PLAN = "preset=smoke dtype=f32 memory=16MiB kernel=matmul:33x64x128,matvec:1x64x256";

const url = useServer();

// Only Chromium's tools tell which process is the GPU's.
describe.skipIf(findBrowser("chromium") === undefined)("chromium", () => {
  const open = useBrowser("chromium");

  test("a run whose GPU process is killed goes on with the next cell", { timeout: 300_000 }, async () => {
    const { page } = await open(url());
    const running = page.evaluate((plan) => window.tokenroof.run(plan), PLAN);
    await expect
      .poll(() => page.evaluate(() => window.tokenroof.progress?.label ?? ""), {
        timeout: 200_000,
        interval: 20,
      })
      .toContain("measuring matmul");
    const devtools = await page.context().browser()!.newBrowserCDPSession();
    const { processInfo } = await devtools.send("SystemInfo.getProcessInfo");
    const gpu = processInfo.find(({ type }) => type === "GPU");
    if (gpu === undefined) throw new Error("the browser has no GPU process");
    process.kill(gpu.id, "SIGKILL");

    const { completion, outcomes, incidents } = await running;
    expect(completion).toEqual({ status: "complete" });
    expect(outcomes.map(({ call, status }) => `${call.kernel} ${status}`)).toEqual([
      "fma measured",
      "read measured",
      "copy measured",
      "matmul failed",
      "matvec measured",
    ]);
    expect(outcomes[3]).toMatchObject({ error: expect.stringContaining("device lost") });
    expect(incidents).toHaveLength(1);
  });
});
