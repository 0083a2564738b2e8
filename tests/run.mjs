// npm test: brings the browsers it needs, runs the rungs one after the other and adds them up. Several browsers
// or files work at a time. A rung that ran nothing, or found no browser at all, is a failure; a single browser or adapter
// that cannot be had is skipped with its reason.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
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

/** How many files, or browsers in the gpu rung, work at a time: compilers of shaders keep one core busy, and wait for none. */
const workers = { unit: 2, gpu: 3, e2e: 2 };

/** Runs one rung; its counts, or one failure where it ended without a report. */
function runRung(name) {
  const file = join(folder, `${name}.json`);
  const words = [
    "vitest",
    "run",
    "--project",
    `${name}*`,
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${file}`,
    "--fileParallelism",
    `--maxWorkers=${workers[name]}`,
  ];
  const { status } = spawnSync("npx", words, { stdio: "inherit", shell: process.platform === "win32" });
  try {
    const { numPassedTests, numFailedTests, numPendingTests, testResults } = JSON.parse(
      readFileSync(file, "utf8"),
    );
    const failures = testResults.flatMap(({ name: path, assertionResults }) =>
      assertionResults
        .filter((each) => each.status === "failed")
        .map((each) => `${relative(".", path)} > ${each.fullName}`),
    );
    // A rung that broke outside of a test counts as a failure of its own.
    const failed = status === 0 ? numFailedTests : Math.max(1, numFailedTests);
    return { name, passed: numPassedTests, failed, skipped: numPendingTests, failures };
  } catch {
    return { name, passed: 0, failed: 1, skipped: 0, failures: [] };
  }
}

const noBrowser = skippedEngines.length === browsers.engines.length;
const rungs = (noBrowser ? ["unit"] : ["unit", "gpu", "e2e"]).map((name) => runRung(name));
rmSync(folder, { recursive: true });

console.log();
listSkipped();
for (const failure of rungs.flatMap(({ failures }) => failures)) console.log(`failed: ${failure}`);
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
