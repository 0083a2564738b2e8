// What the bundle says that a machine has to have, from the versions that programs name.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { newestNeeded } from "../../bundle/libraries";

const folder = mkdtempSync(join(tmpdir(), "tokenroof-libraries-"));
afterAll(() => rmSync(folder, { recursive: true }));

const program = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};
const old = program("old", "\x7fELF\0GLIBC_2.9\0GLIBC_2.2.5\0GLIBCXX_3.4\0");
const recent = program(
  "recent",
  "GLIBC_2.28\0GLIBC_2.4\0GLIBCXX_3.4.30\0GLIBCXX_3.4.9\0GLIBC_2.99 in a text",
);

test("is the newest of all programs, counted as versions", () => {
  expect(newestNeeded("GLIBC", [old])).toBe("2.9");
  expect(newestNeeded("GLIBC", [old, recent])).toBe("2.28");
  expect(newestNeeded("GLIBC", [recent, old])).toBe("2.28");
  expect(newestNeeded("GLIBCXX", [old, recent])).toBe("3.4.30");
});

test("is nothing where nothing is named", () => {
  expect(newestNeeded("GLIBC", [program("static", "ELF")])).toBe("0");
});
