// A text with weights from files: on the command line in a browser and in Node, and on the page.

import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { engines, findBrowser } from "../../src/cli/browsers";
import { ggufOfFixture } from "../tiny_llama/fixture";
import { sentences } from "../tiny_llama/sentences";
import { commandLine, useBrowser, useServer } from "./page";

const fixture = fileURLToPath(new URL("../fixtures/tiny-llama", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "tokenroof-"));
const read = (name: string) => Uint8Array.from(readFileSync(join(fixture, name)));
const files = {
  "model.safetensors": read("model.safetensors"),
  "config.json": read("config.json"),
  "tokenizer.json": read("tokenizer.json"),
};
const gguf = join(folder, "tiny.gguf");

beforeAll(() => writeFileSync(gguf, ggufOfFixture(files, "Q8_0")));
afterAll(() => rmSync(folder, { recursive: true }));

function run(...words: string[]) {
  const given = [commandLine, "run", ...words];
  const { status, stdout, stderr } = spawnSync(process.execPath, given, { encoding: "utf8" });
  return { status, stdout, stderr };
}

/** A copy of the fixture in which some files are others. */
function changed(name: string, changes: Readonly<Record<string, Uint8Array | string | undefined>>): string {
  const to = join(folder, name);
  cpSync(fixture, to, { recursive: true });
  for (const [file, content] of Object.entries(changes)) {
    if (content === undefined) rmSync(join(to, file));
    else writeFileSync(join(to, file), content);
  }
  return to;
}

const config = (changes: object) =>
  JSON.stringify({ ...JSON.parse(new TextDecoder().decode(files["config.json"])), ...changes });

describe("the command line", () => {
  test.each([
    ["a folder, in a browser", fixture, "A prompt", sentences[0], []],
    ["a GGUF file, in Node", gguf, "Where memory", sentences[1], ["--host", "node"]],
  ])("%s: the sentence, its speeds, and nothing on the way", (_what, path, prompt, sentence, more) => {
    const { status, stdout, stderr } = run("--weights", path, "--prompt", prompt, "dtype=f32", ...more);
    expect(stderr).toContain("writing in f32");
    expect(status).toBe(0);
    expect(stdout.split("\n")[0]).toBe(sentence);
    expect(stdout).toMatch(/\| f32 +\| \d+ +\| \d+ +\| [\d.]+ m?s +\|/);
  });

  test("as JSON, and as numbers of tokens where there is no tokenizer", () => {
    const bare = changed("bare", { "tokenizer.json": undefined });
    const { status, stdout } = run(
      "--weights",
      bare,
      "--prompt",
      "0 67",
      "dtype=f32",
      "tg=3",
      "--host",
      "node",
      "--format",
      "json",
    );
    expect(status).toBe(0);
    const result = JSON.parse(stdout);
    expect(result.remarks[0]).toContain("tokenizer.json is missing");
    expect(result.texts).toHaveLength(1);
    const [written] = result.texts;
    expect(written).toMatchObject({ dtype: "f32", text: null, promptTokens: [0, 67], ended: false });
    expect(written.tokens).toHaveLength(3);
    expect(written.secondsPerToken).toHaveLength(2);
  });

  const cut = Uint8Array.from(files["model.safetensors"].subarray(0, 100_000));
  test.each([
    ["no such path", () => ["--weights", "/no/such/folder"], "--weights /no/such/folder: ENOENT"],
    [
      "another kind of file",
      () => ["--weights", join(fixture, "config.json")],
      "a folder, a .safetensors or a .gguf file",
    ],
    [
      "a folder without weights",
      () => ["--weights", changed("empty", { "model.safetensors": undefined })],
      "there is no .safetensors and no .gguf file in it",
    ],
    [
      "a file that was cut",
      () => ["--weights", changed("cut", { "model.safetensors": cut })],
      /model\.safetensors: at byte \d+: .* are not among the \d+ of data/,
    ],
    [
      "an architecture that is not known",
      () => ["--weights", changed("mamba", { "config.json": config({ model_type: "mamba" }) })],
      'config.json: model_type "mamba" is not known: llama, mistral, qwen2, qwen3, gemma3_text are',
    ],
    [
      "heads that do not divide",
      () => ["--weights", changed("heads", { "config.json": config({ num_key_value_heads: 3 }) })],
      "num_attention_heads must be a multiple of num_key_value_heads",
    ],
    [
      "an odd head",
      () => ["--weights", changed("odd", { "config.json": config({ head_dim: 17 }) })],
      "config.json: head_dim",
    ],
    [
      "more tokens than the context has",
      () => ["--weights", fixture, "tg=500"],
      "and the model's context (max_position_embeddings) is 128",
    ],
    [
      "a depth beyond the context",
      () => ["--weights", fixture, "depth=100", "pp=16", "tg=16"],
      "depth=100 pp=16 tg=16 are 133 tokens with the one that follows, and the model's context (max_position_embeddings) is 128",
    ],
    [
      "another model",
      () => ["--weights", fixture, "model=llama-3.2-1b"],
      "model= does not go with --weights, whose model is the files'",
    ],
    ["nothing to write", () => ["--weights", fixture, "tg=0"], "tg= with --weights is one number from 1"],
    ["a prompt for no model", () => ["--prompt", "x"], "it goes with --weights"],
  ] as const)("%s: one line, and status 2", (_what, words, says) => {
    // What is wrong is wrong before a GPU is asked for.
    const { status, stdout, stderr } = run(...words(), "--host", "node");
    const lines = stderr.trimEnd().split("\n");
    expect(lines.at(-1)).toMatch(says);
    expect(lines.filter((line) => line.startsWith("tokenroof:"))).toHaveLength(1);
    expect(stdout).toBe("");
    expect(status).toBe(2);
  });
});

const here = engines.filter((engine) => findBrowser(engine) !== undefined);

describe.each(here)("the page in %s", (engine) => {
  const url = useServer();
  const open = useBrowser(engine);

  test("what is wrong with files is said, a text is cancelled, and another is written, as text", async () => {
    const { page, problems } = await open(url());
    await page.getByText("Write a text with your own weights").click();
    const cut = changed(`cut-${engine}`, {
      "model.safetensors": files["model.safetensors"].subarray(0, 1000),
    });
    const write = page.getByRole("button", { name: "Write", exact: true });
    expect(await write.isDisabled()).toBe(true);
    await page.setInputFiles(
      "input[name=weights]",
      Object.keys(files).map((name) => join(cut, name)),
    );
    await write.click();
    await page.getByRole("alert").filter({ hasText: "model.safetensors: at byte 0: a header of" }).waitFor();

    await page.setInputFiles(
      "input[name=weights]",
      Object.keys(files).map((name) => join(fixture, name)),
    );
    await page.getByText(/^model\.safetensors, config\.json, tokenizer\.json: /).waitFor();
    await page.fill("textarea[name=prompt]", "A prompt");
    await page.selectOption("select[name=text-dtype]", "f32");
    await write.click();
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByRole("alert").filter({ hasText: "cancelled" }).waitFor();
    await write.click();
    await page.locator("pre.written", { hasText: sentences[0] }).waitFor();
    await page.getByRole("cell", { name: "f32", exact: true }).waitFor();

    await page.fill("textarea[name=prompt]", "<b>No</b> number");
    await write.click();
    await page.locator("pre.written", { hasText: "<b>No</b> number" }).waitFor();
    expect(await page.locator("pre.written b").count()).toBe(0);
    await page.getByRole("cell", { name: "f32", exact: true }).waitFor();
    expect(problems).toEqual([]);
  });
});
