// The command line as scripts and CI use it: what it prints, where, and its exit status.

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { engines, findBrowser } from "../../src/cli/browsers";
import type { Result } from "../../src/result";
import { exactSeconds, resultOf } from "../unit/result_fixture";
import { tokenroofAside } from "./command";
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
  test.concurrent.each([
    [["run", "model=llama-3.2-1c"], 'unknown model "llama-3.2-1c": did you mean llama-3.2-1b'],
    [["run", "modle=llama-3.2-1b"], 'unknown word "modle": did you mean model'],
    [["run", "kernel=matmull"], 'unknown kernel "matmull": did you mean matmul'],
    [["run", "depth=9999999"], "reads 131072 tokens at most"],
    [
      ["run", "model=smollm2-135m", "forward=on", "depth=8000"],
      "depth=8000 pp=512 tg=128: smollm2-135m reads 8192",
    ],
    [["doctor", "dpeth=4096"], 'unknown word "dpeth": did you mean depth'],
    [["run", "--browser", "chromiun"], 'unknown browser "chromiun": did you mean chromium'],
    [["run", "--format", "markdwon"], 'unknown format "markdwon": did you mean markdown'],
    [["chips", "h10-sxm"], 'unknown chip "h10-sxm": did you mean h100-sxm'],
    [["race", "modle=x"], 'unknown word "modle": did you mean model'],
    [["race", "pick=h10-sxm"], 'unknown chip "h10-sxm": did you mean h100-sxm'],
    [["race", "pue=9"], "pue=9: power usage effectiveness with air cooling is a number from 1 to 3"],
    [["race", "--view", "cst"], 'unknown view "cst": did you mean cost'],
    [["race", "--chip-file", "no-such-file.json"], "no-such-file.json"],
    [["rnu"], 'unknown command "rnu": did you mean run'],
    [["run", "--nonsense"], "--nonsense"],
    [["report"], "usage: report FILE|LINK"],
    [["report", "no-such-file.json"], "no-such-file.json"],
    [["report", "http://x/#r=1.00000000.AAAA"], "cut or altered"],
    [["report", "http://x/#r=9.00000000.AAAA"], "newer"],
    [["compare"], "usage: compare A B [--format markdown|json|csv]"],
    [["compare", fixture], "usage: compare A B"],
    [["compare", fixture, fixture, fixture], "usage: compare A B"],
    [["compare", fixture, "no-such-file.json"], "B: no-such-file.json"],
    [["compare", "http://x/#r=1.00000000.AAAA", fixture], "A: this link was cut or altered"],
    [
      ["compare", fixture, fixture, "--format", "markdwon"],
      'unknown format "markdwon": did you mean markdown',
    ],
  ])("%j", async (words, line) => {
    const { status, stdout, stderr } = await tokenroofAside(...words);
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

test("a reader that closes early changes neither the status nor what is on stderr", async () => {
  const words = [commandLine, "doctor", "--browser", "/no/such/browser"];
  const { status, stderr } = spawnSync(process.execPath, words, { encoding: "utf8" });
  const child = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "pipe"] });
  child.stdout.destroy();
  const said: string[] = [];
  child.stderr.setEncoding("utf8").on("data", (text: string) => said.push(text));
  expect(await once(child, "close")).toEqual([status, null]);
  expect(said.join("")).toBe(stderr);
  expect(status).toBe(3);
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

describe("race", () => {
  const mine = join(folder, "mine.json");
  const { name: _, ...h100 } = JSON.parse(tokenroof("chips", "h100-sxm", "--json").stdout);
  writeFileSync(mine, JSON.stringify({ ...h100, id: "mine", name: "Mine" }));

  test.each(["compare", "roofline", "frontier", "cost", "split"])(
    "%s is printed in every format, with a chip of one's own and a measured device",
    (view) => {
      const words = [
        "race",
        "class=tpu",
        "batch=8",
        "--view",
        view,
        "--chip-file",
        mine,
        "--result",
        fixture,
      ];
      for (const format of ["markdown", "csv", "json"]) {
        const { stdout, status, stderr } = tokenroof(...words, "--format", format);
        expect(stderr).toBe("");
        expect(status).toBe(0);
        expect(stdout).toContain("Mine");
        expect(stdout).toContain("measured");
        if (format === "json") expect(JSON.parse(stdout).subtitle).toBe("batch=8 class=tpu");
      }
    },
  );

  test("refuses a chip with place and reason, and one that takes a reference chip's id", () => {
    writeFileSync(mine, JSON.stringify({ ...h100, id: "mine", name: "Mine", cores: 3 }));
    expect(tokenroof("race", "--chip-file", mine)).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/^tokenroof: --chip-file .*mine\.json: cores: /),
    });
    writeFileSync(mine, JSON.stringify({ ...h100, name: "Mine" }));
    expect(tokenroof("race", "--chip-file", mine).stderr).toContain("id: h100-sxm is a reference chip");
  });
});

describe("compare", () => {
  /** A file with a run on a device on which each call takes so many times as long, with noise of a share. */
  function fileOf(
    name: string,
    slower: number,
    noise = 0.004,
    change: (result: Result) => Result = (it) => it,
  ) {
    const samples = Array.from({ length: 16 }, (_, i) => slower * (1 + noise * Math.cos(7 * i)));
    const result = resultOf({
      words: "dtype=f32",
      samples: (call, dtype) => samples.map((sample) => sample * exactSeconds(call, dtype)),
    });
    const file = join(folder, `${name}.json`);
    writeFileSync(file, JSON.stringify(change(result)));
    return file;
  }
  const usual = fileOf("usual", 1);
  const broken = ({ outcomes, ...rest }: Result): Result => ({
    ...rest,
    outcomes: outcomes.map((outcome) =>
      outcome.call.kernel === "attention"
        ? { status: "failed", call: outcome.call, dtype: outcome.dtype, error: "element (3, 5) is wrong" }
        : outcome,
    ),
  });

  test.each([
    ["the same", fileOf("same", 1.001), 0, "same"],
    ["faster", fileOf("faster", 0.9), 0, "faster"],
    ["slower", fileOf("slower", 1.1), 1, "slower"],
    ["too noisy to tell", fileOf("noisy", 1.03, 0.3), 4, "cannot tell"],
    ["without a common cell", fileOf("other", 1, 0, (it) => ({ ...it, outcomes: [] })), 4, "cannot tell"],
    ["the same where it works, but broken", fileOf("broken", 1, 0, broken), 1, "same"],
  ])("of a run that is %s: status and verdict", (_, file, expected, verdict) => {
    const { status, stdout, stderr } = tokenroof("compare", usual, file);
    expect(stderr).toBe("");
    expect(stdout).toMatch(/^# B against A\n/);
    expect(stdout).toContain(`**B against A: ${verdict}`);
    expect(status).toBe(expected);
  });

  test("a link compares like its file, and what differs is told first", () => {
    const link = tokenroof("link", fileOf("linked", 1.1)).stdout.trim();
    const { status, stdout } = tokenroof("compare", usual, link);
    expect(status).toBe(1);
    expect(stdout).toContain("**B against A: slower: 1.10");
    const other = fileOf("elsewhere", 1, 0.004, (it) => ({
      ...it,
      device: { ...it.device, description: "Other GPU" },
    }));
    const differing = tokenroof("compare", usual, other).stdout;
    expect(differing).toContain("> A and B are not the same in: device.");
    expect(differing.indexOf("Other GPU")).toBeLessThan(differing.indexOf("## Cells"));
  });

  test("csv and json are what they are called", () => {
    const slower = fileOf("slow", 1.1);
    expect(tokenroof("compare", usual, slower, "--format", "csv").stdout).toMatch(/^Overall,B is,slower$/m);
    const { headlines } = JSON.parse(tokenroof("compare", usual, slower, "--format", "json").stdout);
    expect(headlines[0].mainValue).toBeCloseTo(1.1, 2);
  });

  test("a result of schema 1 compares too; this one is too noisy to be told from itself", () => {
    const { status, stdout } = tokenroof("compare", fixture, fixture);
    expect(stdout).toContain("Measured on a CPU");
    expect(stdout).toContain("**B against A: cannot tell: 1.00 (");
    expect(status).toBe(4);
  });
});

const here = engines.filter((engine) => findBrowser(engine) !== undefined);

describe.each(here)("%s", (engine) => {
  let examined = "";

  test("doctor says what would run here, and what its instruments can tell apart", () => {
    const { status, stdout } = tokenroof("doctor", "--browser", engine);
    expect(stdout).toMatch(/adapter .*\n.*a (GPU|CPU)/);
    expect(stdout).toMatch(
      /^models +smollm2-135m +f32 +[\d.]+ MiB of weights +[\d.]+ MiB of KV cache +fits$/m,
    );
    expect(stdout).toMatch(/self-test +step of the clock +[\d.]+ (ns|µs|ms)/);
    expect(stdout).toMatch(/one more empty kernel +[\d.]+ (ns|µs|ms)/);
    expect(stdout).toMatch(/copy of 16 MiB, read and written +[\d.]+ [MGT]B\/s .*\[every byte right\]/);
    // Whether the answers are right is this machine's affair; that they are marked is the command's.
    expect(stdout).toMatch(
      /the same kernel twice +((same|cannot tell): .*\[right\]|(faster|slower): .*\[wrong\])/,
    );
    expect(stdout).toMatch(
      /a kernel with 10 % more to do +(slower: .*\[right\]|(cannot tell|same|faster): .*\[wrong\])/,
    );
    expect(stdout).toMatch(/smallest difference one pair of cells can tell +[\d.]+ %/);
    expect(status).toBe(0);
    examined = stdout;
  });

  // What the adapter says of itself is read in every browser, by doctor.
  if (engine === here[0])
    test("--require-hardware refuses a software adapter with status 3", () => {
      const { status, stderr } = tokenroof(
        "run",
        "preset=smoke",
        "kernel=copy:1024",
        "dtype=f32",
        "--browser",
        engine,
        "--require-hardware",
      );
      if (examined.includes("a CPU")) {
        expect(stderr).toContain("--require-hardware: the adapter is a CPU");
        expect(status).toBe(3);
      } else {
        expect(status).toBe(0);
      }
    });
});
