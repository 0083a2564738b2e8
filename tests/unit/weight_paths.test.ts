import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { fileSources } from "../../src/cli/weight_paths";
import { BadWeights } from "../../src/weight_files/byte_source";

const folder = mkdtempSync(join(tmpdir(), "tokenroof-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("what cannot be read is named", async () => {
  // A folder can be opened, and not be read.
  const read = fileSources([folder]).get(basename(folder))?.read(0, 16);
  await expect(read).rejects.toThrow(BadWeights);
  await expect(read).rejects.toThrow(`${folder}: cannot be read: EISDIR`);
});

test("files leave nothing to be done at the end, however many they are", () => {
  const before = process.listenerCount("exit");
  fileSources(Array.from({ length: 20 }, () => folder));
  expect(process.listenerCount("exit")).toBe(before);
});
