// What the page's build, the command line's build and the tests have in common.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

function commit(): string {
  try {
    return execFileSync("git", ["rev-parse", "--short", "HEAD"], { stdio: ["ignore", "pipe", "ignore"] })
      .toString()
      .trim();
  } catch {
    return "unknown";
  }
}

const { version } = JSON.parse(readFileSync(new URL("package.json", import.meta.url), "utf8"));

export const define = {
  __VERSION__: JSON.stringify(version),
  __COMMIT__: JSON.stringify(commit()),
  __BROWSERS__: "true",
};
