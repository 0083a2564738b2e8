// The command line as scripts and CI use it: what it prints, where, and its exit status.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { engines, findBrowser } from "../../src/cli/browsers";
import { parseResult } from "../../src/result";
import { commandLine } from "./page";

const folder = mkdtempSync(join(tmpdir(), "tokenroof-"));
const fixture = fileURLToPath(new URL("../fixtures/result-1.json", import.meta.url));

afterAll(() => rmSync(folder, { recursive: true }));

function tokenroof(...words: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [commandLine, ...words], {
    encoding: "utf8",
  });
  return { status, stdout, stderr };
}

describe("bad input ends with status 2 and one line", () => {
  test.each([
    [["run", "model=llama-3.2-1c"], 'unknown model "llama-3.2-1c": did you mean llama-3.2-1b'],
    [["run", "modle=llama-3.2-1b"], 'unknown word "modle": did you mean model'],
    [["run", "kernel=matmull"], 'unknown kernel "matmull": did you mean matmul'],
    [["run", "depth=9999999"], "reads 131072 tokens at most"],
    [["run", "--browser", "chromiun"], 'unknown browser "chromiun": did you mean chromium'],
    [["run", "--format", "markdwon"], 'unknown format "markdwon": did you mean markdown'],
    [["chips", "h10-sxm"], 'unknown chip "h10-sxm": did you mean h100-sxm'],
    [["rnu"], 'unknown command "rnu": did you mean run'],
    [["run", "--nonsense"], "--nonsense"],
    [["report"], "usage: report FILE|LINK"],
    [["report", "no-such-file.json"], "no-such-file.json"],
    [["report", "http://x/#r=1.00000000.AAAA"], "cut or altered"],
    [["report", "http://x/#r=9.00000000.AAAA"], "newer"],
  ])("%j", (words, line) => {
    const { status, stdout, stderr } = tokenroof(...words);
    expect(stderr).toContain(line);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(stdout).toBe("");
    expect(status).toBe(2);
  });

  test("a result file with an absurd field is refused with its path", () => {
    const result = JSON.parse(readFileSync(fixture, "utf8"));
    result.instruments.clockStep = -1;
    const file = join(folder, "absurd.json");
    writeFileSync(file, JSON.stringify(result));
    const { status, stderr } = tokenroof("report", file);
    expect(stderr).toContain("instruments.clockStep");
    expect(status).toBe(2);
  });
});

describe("a missing environment ends with status 3", () => {
  test("a browser that is not there", () => {
    const { status, stderr } = tokenroof("run", "--browser", "/no/such/browser");
    expect(stderr).toContain("no browser at /no/such/browser");
    expect(status).toBe(3);
  });

  test.skipIf(findBrowser("msedge") !== undefined)(
    "a browser that is known but not installed, with what to install",
    () => {
      const { status, stderr } = tokenroof("run", "--browser", "msedge");
      expect(stderr).toContain("msedge is not installed here: install Chrome");
      expect(status).toBe(3);
    },
  );
});

describe("results", () => {
  test("report and link tell the same as the file, without a browser", () => {
    const report = tokenroof("report", fixture);
    expect(report.status).toBe(0);
    expect(report.stdout).toMatch(/\*\*.* pp512 f32: [\d.,]+ tokens\/s \(/);
    const link = tokenroof("link", fixture, "--page", "https://example.org/tokenroof/");
    expect(link.stdout).toMatch(/^https:\/\/example\.org\/tokenroof\/#r=1\.[0-9a-f]{8}\.[\w-]+\n$/);
    expect(link.stdout.trimEnd().length).toBeLessThanOrEqual(2000);
    const bold = (text: string) => text.match(/^\*\*.*\*\*$/gm);
    expect(bold(tokenroof("report", link.stdout.trim()).stdout)).toEqual(bold(report.stdout));
  });

  test("csv and json are what they are called", () => {
    const csv = tokenroof("report", fixture, "--format", "csv").stdout;
    expect(csv).toMatch(/^table,remark\nRemarks,.*CPU/);
    expect(csv).toMatch(/^table,model,workload,type,on/m);
    const json = JSON.parse(tokenroof("report", fixture, "--format", "json").stdout);
    expect(json.headlines.length).toBeGreaterThan(0);
  });

  test("a chip is listed with the source of each figure", () => {
    const { stdout, status } = tokenroof("chips", "h100-sxm");
    expect(status).toBe(0);
    expect(stdout).toMatch(/peak fp16 .*989 TFLOP\/s .*https:\/\//);
  });
});

describe.each(engines.filter((engine) => findBrowser(engine) !== undefined))("%s", (engine) => {
  test("doctor says what would run here", () => {
    const { status, stdout } = tokenroof("doctor", "--browser", engine);
    expect(stdout).toMatch(/adapter .*\n.*a (GPU|CPU)/);
    expect(status).toBe(0);
  });

  test("run writes a valid result, reports on stdout and shows progress on stderr", () => {
    const out = join(folder, `${engine}.json`);
    const words = [
      "preset=smoke",
      "dtype=f32",
      "kernel=matmul:64x64x64,matvec:1x256x64",
      "--browser",
      engine,
      "--out",
      out,
    ];
    const { status, stdout, stderr } = tokenroof("run", ...words);
    expect(stdout).toContain("matmul 64x64x64 f32");
    expect(stderr).toMatch(/\[\d+\/6\] \d+ s, about \d+ s left/);
    const parsed = parseResult(JSON.parse(readFileSync(out, "utf8")));
    expect(parsed.ok && parsed.result.completion.status).toBe("complete");
    expect(status).toBe(0);
  });

  test("--require-hardware refuses a software adapter with status 3", () => {
    const { stdout } = tokenroof("doctor", "--browser", engine);
    const { status, stderr } = tokenroof(
      "run",
      "preset=smoke",
      "kernel=copy:1024",
      "dtype=f32",
      "--browser",
      engine,
      "--require-hardware",
    );
    if (stdout.includes("a CPU")) {
      expect(stderr).toContain("--require-hardware: the adapter is a CPU");
      expect(status).toBe(3);
    } else {
      expect(status).toBe(0);
    }
  });
});
