// A browser where there is none: the distribution's package when root, else Playwright's download.

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { anyBrowser, type Engine, type FoundBrowser, findBrowser } from "./browsers";
import { Exit, ExitCode } from "./exit";
import { hasGpuDevice } from "./gpu_devices";

/** Debian's names. Firefox has no software adapter of its own: Mesa brings one. */
const packages: Readonly<Record<Engine, readonly string[]>> = {
  chromium: ["chromium"],
  firefox: ["firefox-esr", "mesa-vulkan-drivers"],
};

export const whatToInstall =
  "install Chrome, Edge or Chromium (Debian, Ubuntu: apt-get install chromium), or run npx playwright install --with-deps chromium";

// What is installed is nothing to read on stdout, where results go.
const execute = (command: string, words: readonly string[]) =>
  spawnSync(command, words, {
    stdio: ["ignore", 2, 2],
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
  }).status === 0;

const isRoot = () => process.platform === "linux" && process.getuid?.() === 0;

const VULKAN_DRIVERS = "/usr/share/vulkan/icd.d";

/** Whether an engine is here with something to run on: without a GPU Firefox on Linux needs Mesa's software driver. */
export function usable(engine: Engine): boolean {
  if (findBrowser(engine) === undefined) return false;
  if (engine !== "firefox" || process.platform !== "linux" || hasGpuDevice()) return true;
  return existsSync(VULKAN_DRIVERS) && readdirSync(VULKAN_DRIVERS).some((name) => name.startsWith("lvp"));
}

/** Tries to install an engine; true when that worked. Firefox comes from the distribution only. */
export function install(engine: Engine): boolean {
  if (isRoot() && spawnSync("apt-get", ["--version"]).status === 0) {
    console.error(`installing ${packages[engine].join(" and ")} with apt-get`);
    if (
      execute("apt-get", ["-qq", "update"]) &&
      execute("apt-get", ["-qq", "-y", "install", ...packages[engine]])
    )
      return true;
  }
  if (engine !== "chromium") return false;
  console.error("installing Chromium with Playwright");
  // Its command line is not among the package's exports, but beside its package.json, which is.
  const playwright = join(
    dirname(createRequire(import.meta.url).resolve("playwright/package.json")),
    "cli.js",
  );
  return execute(process.execPath, [playwright, "install", ...(isRoot() ? ["--with-deps"] : []), "chromium"]);
}

/** A browser that is here, or one that has just been installed. Throws Exit where neither can be had. */
export function browserOrInstall(): FoundBrowser {
  const found = anyBrowser();
  if (found !== undefined) return found;
  console.error("no browser found on this machine");
  const installed = install("chromium") ? findBrowser("chromium") : undefined;
  if (installed === undefined) throw new Exit(ExitCode.environment, `no browser: ${whatToInstall}`);
  return installed;
}
