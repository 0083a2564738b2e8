// Where build.sh puts its launchers.

import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The program that runs Chromium or Node on lavapipe, or undefined where it has not been built. */
export function onLavapipe(program: "chromium" | "node"): string | undefined {
  const folder = new URL("../../node_modules/.cache/tokenroof-adapters/", import.meta.url);
  const launcher = fileURLToPath(new URL(`${program}-lavapipe`, folder));
  return existsSync(launcher) ? launcher : undefined;
}
