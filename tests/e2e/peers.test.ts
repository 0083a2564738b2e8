// The comparison as it is used: built by the command line, in a real browser, with the real runtimes.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findBrowser } from "../../src/cli/browsers";
import { peersSite } from "../../src/cli/peers_page";
import { type PageServer, servePage } from "../../src/cli/server";
import type { Comparison, Entry, PeersResult } from "../../src/peers/peers_result";
import { commandLine, useBrowser } from "./page";

const built = (name: string) => fileURLToPath(new URL(`../../dist/${name}`, import.meta.url));
const tokenroof = (...words: string[]) =>
  spawnSync(process.execPath, [commandLine, ...words], { encoding: "utf8" });

const TASK = "attention-decode";
const RUNTIMES = ["ONNX Runtime", "TensorFlow.js", "jax-js"];

/** Each runtime's best outcome on the only task. */
const statuses = (entries: readonly Entry[]) =>
  Object.fromEntries(entries.map(({ runtime, outcome }) => [runtime, outcome.status]));

test.each(["page", "cli"])("nothing of another runtime is in dist/%s", (folder) => {
  const names = readdirSync(built(folder), { recursive: true, encoding: "utf8" });
  expect(names.length).toBeGreaterThan(0);
  expect(names.filter((name) => /\bort-|\.wasm$|tensorflow|tfjs|jax/i.test(name))).toEqual([]);
  // The names that each of the packages calls itself by; the command line says them to people only.
  const inside = /onnxruntime|InferenceSession|tfjs|registerBackend|gpuBufferSync/;
  const files = names.filter((name) => /\.(js|css|html)$/.test(name));
  expect(files.filter((name) => inside.test(readFileSync(join(built(folder), name), "utf8")))).toEqual([]);
});

test("words that name no task, and too few rounds, end with status 2 and one line", () => {
  const typo = tokenroof("peers", "attension");
  expect(typo.stderr).toBe('tokenroof: unknown task "attension": did you mean attention, prefill, gemm?\n');
  expect(typo.status).toBe(2);
  const few = tokenroof("peers", "rounds=1");
  expect(few.stderr).toBe("tokenroof: rounds=1: a whole number from 3 to 999\n");
  expect(few.status).toBe(2);
});

describe.skipIf(findBrowser("chromium") === undefined)("in Chromium", () => {
  const folder = mkdtempSync(join(tmpdir(), "tokenroof-peers-"));
  let printed: ReturnType<typeof tokenroof>;
  let written: PeersResult & { readonly comparisons: readonly Comparison[] };
  beforeAll(() => {
    const out = join(folder, "peers.json");
    printed = tokenroof("peers", TASK, "rounds=3", "--browser", "chromium", "--out", out);
    if (printed.status !== 0) throw new Error(printed.stderr);
    written = JSON.parse(readFileSync(out, "utf8"));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test("everybody is checked, timed and compared", () => {
    expect(printed.stdout).toMatch(
      /^\| work +\| Tokenroof +\| ONNX Runtime [\d.]+ +\| TensorFlow.js [\d.]+ +\| jax-js [\d.]+ +\| fastest peer +\|$/m,
    );
    expect(printed.stdout).toMatch(
      /^\| attention, 1 query .*[mµ]s, [\d.,]+ [kMGT]B\/s.* [\d.]+x \([\d.]+ … [\d.]+\)/m,
    );
    expect(printed.stderr).toContain("2 heads: round 3 of 3\n");
    const [task] = written.tasks;
    expect(written.tasks).toHaveLength(1);
    expect(task!.own.outcome.status).toBe("timed");
    expect(statuses(task!.peers)).toEqual(Object.fromEntries(RUNTIMES.map((name) => [name, "timed"])));
    for (const { outcome } of [task!.own, ...task!.peers])
      expect(outcome).toMatchObject({
        check: { elements: 512 },
        samples: expect.objectContaining({ length: 3 }),
      });
    expect(written.comparisons.map(({ runtime }) => runtime).sort()).toEqual([...RUNTIMES].sort());
    for (const { ratio } of written.comparisons) {
      expect(ratio.low).toBeLessThanOrEqual(ratio.value);
      expect(ratio.value).toBeLessThanOrEqual(ratio.high);
    }
  });

  describe("with a fault in a peer's shader", () => {
    const open = useBrowser("chromium");
    let server: PageServer;
    beforeAll(async () => {
      server = await servePage(0, { ...peersSite, folder: built("peers") });
    });
    afterAll(() => server.close());

    /** TensorFlow.js writes every result with this line; it is now off by a thousandth. */
    const fault = `
      const create = GPUDevice.prototype.createShaderModule;
      GPUDevice.prototype.createShaderModule = function (descriptor) {
        const code = descriptor.code.replaceAll("result[flatIndex] = ", "result[flatIndex] = 1.001 * ");
        return create.call(this, { ...descriptor, code });
      };`;

    test("it is reported as wrong and has no time; the others go on", async () => {
      const { page, problems } = await open(server.url, {}, fault);
      await page.waitForFunction(() => window.peers !== undefined);
      const outcome = await page.evaluate((task) => window.peers.run([task], 3), TASK);
      if (!outcome.ok) throw new Error(outcome.problem);
      const [task] = outcome.result.tasks;
      expect(statuses([task!.own, ...task!.peers])).toEqual({
        Tokenroof: "timed",
        "ONNX Runtime": "timed",
        "TensorFlow.js": "wrong",
        "jax-js": "timed",
      });
      const wrong = task!.peers.find(({ runtime }) => runtime === "TensorFlow.js")!.outcome;
      expect(wrong).toMatchObject({
        check: { wrong: expect.stringMatching(/^element \(\d, \d+\) is .*off by/) },
      });
      expect(wrong).not.toHaveProperty("samples");
      expect(problems).toEqual([]);
      await page.close();
    });
  });
});
