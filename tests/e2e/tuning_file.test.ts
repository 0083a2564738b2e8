// --tuning FILE: what one run has found, the next one reuses; what is no file of tunings is refused and left alone.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { engines, findBrowser } from "../../src/cli/browsers";
import { parseResult, type Result } from "../../src/result";
import { parseTunings } from "../../src/tuning_records";
import { commandLine } from "./page";

const folder = mkdtempSync(join(tmpdir(), "tokenroof-tuning-"));
const oldResult = fileURLToPath(new URL("../fixtures/result-2.json", import.meta.url));

afterAll(() => rmSync(folder, { recursive: true }));

const PLAN = ["preset=smoke", "dtype=f32", "kernel=matvec:1x64x256,add:33x64", "memory=16MiB"];

function run(...words: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [commandLine, "run", ...PLAN, ...words], {
    encoding: "utf8",
  });
  return { status, stdout, stderr };
}

const text = (file: string) => readFileSync(file, "utf8");

function resultIn(file: string): Result {
  const parsed = parseResult(JSON.parse(text(file)));
  if (!parsed.ok) throw new Error(parsed.problem);
  return parsed.result;
}

const reused = (file: string) =>
  resultIn(file)
    .tunings.filter(({ kernel }) => kernel === "matvec" || kernel === "add")
    .map((each) => each.reused);

describe("a bad file ends with status 2 and one line, and nothing is measured", () => {
  const file = (name: string, content: string) => {
    const path = join(folder, name);
    writeFileSync(path, content);
    return path;
  };
  mkdirSync(join(folder, "folder"));
  const tunings = { kind: "tokenroof tunings", version: 1, records: [] };

  test.each([
    ["no JSON", file("text.json", "tunings"), "not JSON"],
    ["an empty file", file("empty.json", ""), "not JSON"],
    ["a folder", join(folder, "folder"), "EISDIR"],
    ["in no folder", join(folder, "none", "tunings.json"), "ENOENT"],
    ["something else", file("else.json", "[1]"), "neither tunings nor a result"],
    ["newer", file("newer.json", JSON.stringify({ ...tunings, version: 2 })), "version 2 is newer"],
    ["broken", file("broken.json", JSON.stringify({ ...tunings, records: [{}] })), "records.0.kernel"],
    [
      "a broken result",
      file("result.json", JSON.stringify({ ...JSON.parse(text(oldResult)), seed: -1 })),
      "seed",
    ],
  ])("%s", (_what, path, why) => {
    const before = existsSync(path) && !path.endsWith("folder") ? text(path) : undefined;
    const { status, stdout, stderr } = run("--tuning", path);
    expect(stderr).toContain(`tokenroof: --tuning ${path}: `);
    expect(stderr).toContain(why);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(stdout).toBe("");
    expect(status).toBe(2);
    if (before !== undefined) expect(text(path)).toBe(before);
  });

  test("that is also where the result goes", () => {
    const path = join(folder, "same.json");
    const { status, stderr } = run("--tuning", path, "--out", `${folder}/./same.json`);
    expect(stderr).toMatch(/^tokenroof: --tuning .*: --out names the same file/);
    expect(status).toBe(2);
    expect(existsSync(path)).toBe(false);
  });
});

const require = createRequire(import.meta.url);
const hasDawn = (() => {
  try {
    return require.resolve("webgpu/package.json") !== "";
  } catch {
    return false;
  }
})();

const hosts: [string, string[]][] = [
  ...engines
    .filter((engine) => findBrowser(engine) !== undefined)
    .map((engine): [string, string[]] => [engine, ["--browser", engine]]),
  ...(hasDawn ? [["node", ["--host", "node"]] as [string, string[]]] : []),
];

describe.each(hosts)("%s", (name, words) => {
  const tunings = join(folder, `${name}-tunings.json`);
  const out = join(folder, `${name}.json`);

  test("reports on stdout and shows progress on stderr, writes what it has found, and reuses it the next time", () => {
    const first = run(...words, "--tuning", tunings, "--out", out);
    expect(first.stderr).toMatch(/^0 tunings of .* reused, \d+ searches$/m);
    expect(first.stderr).toMatch(/\[\d+\/6\] \d+ s, about \d+ s left/);
    expect(first.stdout).toContain("add 33x64 f32");
    expect(resultIn(out).completion.status).toBe("complete");
    expect(first.status).toBe(0);
    expect(reused(out)).toEqual([false, false]);
    const written = text(tunings);
    const parsed = parseTunings(JSON.parse(written));
    expect(parsed.ok && parsed.records.map(({ kernel }) => kernel).toSorted()).toEqual(["add", "matvec"]);

    const second = run(...words, "--tuning", tunings, "--out", out);
    expect(second.stderr).toMatch(/^2 tunings of .* reused, \d+ searches$/m);
    expect(second.stdout).toMatch(/\| tuning of kernels +\| \d+ searches in .*, 2 reused +\|/);
    expect(reused(out)).toEqual([true, true]);
    expect(text(tunings)).toBe(written);
  });
});

// The file is read before there is a host, and here the host that is up the soonest stands for all.
describe.skipIf(hosts.length === 0)("the last of these hosts", () => {
  const [name, words] = hosts.at(-1) ?? ["", []];

  test("takes them from a result as well, and leaves that as it is", () => {
    const out = join(folder, `${name}.json`);
    const before = text(out);
    const next = join(folder, `${name}-next.json`);
    const { stderr, status } = run(...words, "--tuning", out, "--out", next);
    expect(stderr).toMatch(/^2 tunings of .* reused/m);
    expect(status).toBe(0);
    expect(reused(next)).toEqual([true, true]);
    expect(text(out)).toBe(before);
  });

  test("keeps the records of others beside its own, and says why it did not use them", () => {
    const own = JSON.parse(text(join(folder, `${name}-tunings.json`)));
    const others = own.records.map((record: object) => ({ ...record, adapter: "Other GPU" }));
    const file = join(folder, "others.json");
    writeFileSync(file, JSON.stringify({ ...own, records: others }));
    const { stderr, status } = run(...words, "--tuning", file);
    expect(stderr).toMatch(/^0 tunings of .* reused, \d+ searches; not used: 2 made on Other GPU$/m);
    expect(status).toBe(0);
    const { records } = JSON.parse(text(file));
    expect(records).toHaveLength(4);
    expect(records.filter(({ adapter }: { adapter: string }) => adapter === "Other GPU")).toEqual(others);
  });
});
