// What the command line says before a run is started.

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { commandLine } from "./page";

const tokenroof = (...words: string[]) =>
  spawnSync(process.execPath, [commandLine, ...words], { encoding: "utf8" });

test("before a run it is said whether whole models fit, what would, and how long it takes where an earlier result tells", () => {
  const words = ["run", "model=llama-3.1-8b", "dtype=f32", "forward=on", "--browser", "/no/such/browser"];
  const unknown = tokenroof(...words);
  expect(unknown.status).toBe(3);
  expect(unknown.stderr).toMatch(
    /^llama-3\.1-8b f32: 29\.9 GiB of weights, .*; memory=1GiB holds 1 of 32 layers, which take turns\. Would fit: it with memory=30GiB; /m,
  );
  expect(unknown.stderr).toMatch(/^How long it takes is not known: .* --tuning RESULT gives one\.$/m);
  const result = fileURLToPath(new URL("../fixtures/result-4.json", import.meta.url));
  expect(tokenroof(...words, "--tuning", result).stderr).toMatch(
    /^About .* \(.* to .*\), most of it for .*: from the roofs of an earlier run on this device\.$/m,
  );
});
