// npm test: brings the browsers it needs, runs the rungs and adds them up. The rungs with browsers run one after the
// other. In the first of them two browsers work at a time, and the rung without a browser runs beside it: a compiler of
// shaders keeps one core busy, and tests of kernels wait for it most of the time. A rung that ran nothing, or found no browser at all, is a failure; a
// single browser or adapter that cannot be had is skipped with its reason.

import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runnerImport } from "vite";

const { module: browsers } = await runnerImport("./src/cli/browsers.ts");
const { module: installer } = await runnerImport("./src/cli/install.ts");

/** Why an engine is not tested on this machine, or undefined. */
function missing(engine) {
  if (installer.usable(engine)) return undefined;
  if (installer.install(engine) && installer.usable(engine)) return undefined;
  return `${engine} is not installed with all it needs, and could not be installed here`;
}

/** Why the gpu rung has no Chromium on lavapipe, or undefined. */
function missingLavapipe() {
  const { status, stderr, error } = spawnSync("bash", ["tests/adapters/build.sh"], {
    stdio: ["ignore", "inherit", "pipe"],
    encoding: "utf8",
  });
  if (status === 0) return undefined;
  const reason =
    stderr?.trim().split("\n").at(-1) || error?.message || `build.sh ended with status ${status}`;
  return `chromium-lavapipe cannot be built here: ${reason}`;
}

const skippedEngines = browsers.engines.map(missing).filter((reason) => reason !== undefined);
const skipped = [...skippedEngines, missingLavapipe()].filter((reason) => reason !== undefined);
const listSkipped = () => {
  for (const reason of skipped) console.log(`skipped: ${reason}`);
};
listSkipped();

const folder = mkdtempSync(join(tmpdir(), "tokenroof-tests-"));

/** The exit status of a command; its output comes at once, or, where it runs beside another, when it has ended. */
function ended(command, words, beside) {
  const child = spawn(command, words, {
    stdio: ["ignore", beside ? "pipe" : "inherit", beside ? "pipe" : "inherit"],
    shell: process.platform === "win32",
  });
  const said = [];
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (part) => said.push(part));
  return new Promise((resolve) => {
    child.on("error", () => resolve(1));
    child.on("close", (status) => {
      process.stdout.write(Buffer.concat(said));
      resolve(status);
    });
  });
}

/** Runs one rung with further words; its counts, or one failure where it ended without a report. */
async function runRung(name, more = [], beside = false) {
  const file = join(folder, `${name}.json`);
  const words = [
    "vitest",
    "run",
    "--project",
    `${name}*`,
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${file}`,
    ...more,
  ];
  const status = await ended("npx", words, beside);
  try {
    const { numPassedTests, numFailedTests, numPendingTests } = JSON.parse(readFileSync(file, "utf8"));
    // A rung that broke outside of a test counts as a failure of its own.
    const failed = status === 0 ? numFailedTests : Math.max(1, numFailedTests);
    return { name, passed: numPassedTests, failed, skipped: numPendingTests };
  } catch {
    return { name, passed: 0, failed: 1, skipped: 0 };
  }
}

const noBrowser = skippedEngines.length === browsers.engines.length;
const unit = runRung("unit", [], !noBrowser);
const gpu = noBrowser ? undefined : await runRung("gpu", ["--fileParallelism", "--maxWorkers=2"]);
const rungs = [await unit, ...(gpu === undefined ? [] : [gpu, await runRung("e2e")])];
rmSync(folder, { recursive: true });

console.log();
listSkipped();
for (const { name, passed, failed, skipped } of rungs) {
  console.log(`${name.padEnd(5)} ${passed} passed, ${failed} failed, ${skipped} skipped`);
}
if (noBrowser) console.log("gpu and e2e did not run: no browser could be had, which is a failure");
const idle = rungs.filter(({ passed }) => passed === 0);
for (const { name } of idle) console.log(`${name} passed nothing, which is a failure`);

const sum = (key) => rungs.reduce((total, rung) => total + rung[key], 0);
const failed = sum("failed") + idle.filter((rung) => rung.failed === 0).length + (noBrowser ? 1 : 0);
console.log(`${sum("passed")} passed, ${failed} failed, ${sum("skipped")} skipped`);
process.exit(failed === 0 ? 0 : 1);
