// `predict` as scripts use it: what it prints, where, and its exit status.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { chip } from "../../src/chips";
import { tokenroofAside } from "./command";
import { commandLine } from "./page";

const folder = mkdtempSync(join(tmpdir(), "tokenroof-"));
const published = fileURLToPath(new URL("../../calibration/published.json", import.meta.url));
afterAll(() => rmSync(folder, { recursive: true }));

function predict(...words: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [commandLine, "predict", ...words], {
    encoding: "utf8",
  });
  return { status, stdout, stderr };
}
function file(name: string, content: unknown): string {
  const path = join(folder, name);
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}
const rows: { id: string }[] = JSON.parse(readFileSync(published, "utf8"));

test("a request: speeds with intervals, terms, figures with their sources, assumptions", () => {
  const { status, stdout, stderr } = predict(
    "--chip",
    "rtx-4090",
    "--model",
    "llama-3.1-8b",
    "--weights",
    "q4_0",
  );
  expect(stdout).toMatch(/^prefill {4}[\d,]+ tokens\/s \([\d,]+ … [\d,]+\)/m);
  expect(stdout).toMatch(/^ {2}weights read +[\d.]+ ms +[\d.]+ %/m);
  expect(stdout).toMatch(/^ {2}memory bandwidth +1.01 TB\/s +press {2}https:/m);
  expect(stdout).toContain("Assumptions\n  runtime llama.cpp");
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
});

test("the same as JSON", () => {
  const { stdout } = predict("--chip", "h200-sxm", "--model", "gpt-oss-120b", "--weights", "mxfp4", "--json");
  const { status, tpot, decode } = JSON.parse(stdout);
  expect(status).toBe("predicted");
  expect(tpot.low).toBeLessThan(tpot.value);
  expect(Object.keys(decode.terms)).toContain("weightsRead");
});

test("the device of a result in place of a chip; what it did not measure is named", () => {
  const result = fileURLToPath(new URL("../fixtures/result-1.json", import.meta.url));
  const asked = (...more: string[]) => predict("--result", result, "--model", "llama-3.1-8b", ...more);
  const { status, stdout } = asked("--weights", "f32");
  expect(status).toBe(0);
  expect(stdout).toMatch(/^decode {5}[\d.]+ tokens\/s \([\d.]+ … [\d.]+\)/m);
  expect(stdout).toMatch(/^ {2}bandwidth +[\d.]+ GB\/s +measured/m);
  expect(asked("--weights", "q4_0")).toMatchObject({
    status: 2,
    stderr: "tokenroof: no matvec in q4_0 was measured: run dtype=q4_0 with pp and tg\n",
  });
  expect(asked("--chip", "h100-sxm")).toMatchObject({
    status: 2,
    stderr: "tokenroof: --chip and --result: the result's own device is the chip\n",
  });
});

test("a device that ran models whole has what was measured beside the prediction, and the interactive time", () => {
  const result = fileURLToPath(new URL("../fixtures/result-4.json", import.meta.url));
  const asked = ["--result", result, "--weights", "f32", "--prompt", "4", "--output", "3"];
  const { status, stdout } = predict(...asked, "--model", "smollm2-135m");
  expect(stdout).toMatch(
    /^Measured, run whole .*\n {2}pp4\+tg3\n {4}TTFT +[\d.]+ m?s.*\n {4}TPOT +[\d.]+ m?s .*\n {4}interactive +.*s/m,
  );
  expect(stdout).toMatch(/^interactive +[\d.]+ m?s \(/m);
  expect(stdout).toContain("as in 1 run of whole models in f32");
  expect(status).toBe(0);
  const other = JSON.parse(predict(...asked, "--model", "llama-3.2-1b", "--json").stdout);
  expect(other.interactive.value).toBeGreaterThanOrEqual(other.tpot.value);
  expect(other.measured).toEqual([]);
});

test("rows: each in its own metric, or with the reason", () => {
  const { status, stdout } = predict("--rows", published, "--json");
  const answers: { id: string; value?: number; low?: number; high?: number; error?: string }[] =
    JSON.parse(stdout);
  expect(status).toBe(0);
  expect(answers.map(({ id }) => id)).toEqual(rows.map(({ id }) => id));
  for (const { value, low, high, error } of answers)
    expect(error === undefined ? low! < value! && value! < high! : error.length > 0).toBe(true);
});

test("a chip of one's own", () => {
  const own = file("chip.json", { ...chip("h100-sxm")!, id: "mine", name: "Mine" });
  const { status, stdout } = predict("--chip-file", own, "--model", "llama-3.1-8b", "--phase", "decode");
  expect(stdout).toContain("on 1 × Mine");
  expect(stdout).not.toContain("prefill");
  expect(status).toBe(0);
});

describe("bad input ends with status 2 and one line", () => {
  const good = ["--chip", "rtx-4090", "--model", "llama-3.1-8b"];
  test.concurrent.each([
    [[], "predict needs --chip ID"],
    [["--chip", "rtx-4090"], "predict needs --model ID"],
    [["--chip", "rtx-409", "--model", "llama-3.1-8b"], 'unknown chip "rtx-409": did you mean rtx-4090'],
    [
      ["--chip", "rtx-4090", "--model", "lama-3.1-8b"],
      'unknown model "lama-3.1-8b": did you mean llama-3.1-8b',
    ],
    [[...good, "--weights", "q4"], 'unknown format of weights "q4": did you mean q4_0'],
    [[...good, "--phase", "train"], "--phase is prefill or decode, not train"],
    [[...good, "--batch", "0"], "--batch 0: a whole number from 1"],
    [[...good, "--prompt=-5"], "--prompt -5: a whole number from 1"],
    [[...good, "--prompt", "1e3"], "--prompt 1e3: a whole number from 1"],
    [[...good, "--prompt", "131072"], "takes at most 131072 tokens"],
    [["--chip", "rtx-4090", "--model", "llama-3.1-70b"], "needs 7 chips"],
    [
      ["--chip", "apple-m3-ultra", "--model", "llama-3.1-8b"],
      "no verified memory bandwidth for Apple M3 Ultra",
    ],
    [["extra"], 'predict takes options only, not "extra"'],
    [["--rows", "no-such-file.json"], "--rows no-such-file.json"],
    [["--rows", file("rows.json", [{ id: 1 }])], "[0].id: "],
    [["--rows", file("object.json", {})], "not an array of rows"],
    [["--rows", file("text.json", "{")], "not JSON"],
    [["--chip-file", file("bad.json", { id: "x" }), "--model", "llama-3.1-8b"], "bad.json: name: "],
  ])("%j", async (words, line) => {
    const { status, stdout, stderr } = await tokenroofAside("predict", ...words);
    expect(stderr).toContain(line);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(stdout).toBe("");
    expect(status).toBe(2);
  });
});
