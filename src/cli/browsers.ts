// Which browsers are here, and how each is started so that it offers WebGPU.

import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { type BrowserType, chromium, firefox, type LaunchOptions } from "playwright";
// With its extension, as the tests' configuration loads this file.
import { hasGpuDevice } from "./gpu_devices.ts";

export const engines = ["chromium", "firefox"] as const;
export type Engine = (typeof engines)[number];

export interface FoundBrowser {
  readonly engine: Engine;
  readonly path: string;
}

/** Names under which a browser may be installed, most wanted first. */
const executables: Readonly<Record<string, { engine: Engine; names: readonly string[] }>> = {
  chromium: { engine: "chromium", names: ["chromium", "chromium-browser"] },
  chrome: { engine: "chromium", names: ["google-chrome", "google-chrome-stable", "chrome"] },
  msedge: { engine: "chromium", names: ["microsoft-edge", "microsoft-edge-stable", "msedge"] },
  firefox: { engine: "firefox", names: ["firefox-esr", "firefox"] },
};

const applications: Readonly<Record<string, readonly string[]>> = {
  chrome: [
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe",
  ],
  msedge: [
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    "C:\\Program Files (x86)\\Microsoft\\Edge\\Application\\msedge.exe",
  ],
};

export const browserNames = Object.keys(executables);

/** A browser by name, from the PATH, the usual folders or Playwright's own downloads. */
export function findBrowser(name: string): FoundBrowser | undefined {
  const known = executables[name];
  if (known === undefined) return undefined;
  const { engine, names } = known;
  const folders = (process.env.PATH ?? "").split(delimiter);
  const candidates = [
    ...names.flatMap((file) => folders.map((folder) => join(folder, file))),
    ...(applications[name] ?? []),
    ...(name === "chromium" ? [chromium.executablePath()] : []),
  ];
  const path = candidates.find((candidate) => candidate !== "" && existsSync(candidate));
  return path === undefined ? undefined : { engine, path };
}

/** The first browser there is, Chromium's kin before Firefox. */
export const anyBrowser = (): FoundBrowser | undefined =>
  browserNames.map(findBrowser).find((found) => found !== undefined);

const chromiumArguments = (): string[] => [
  ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
  // Without it Chromium has no adapter on a machine without a GPU, and coarse timestamps on one with.
  "--enable-unsafe-webgpu",
  // Fills adapter.info with the names of device and driver.
  "--enable-webgpu-developer-features",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  ...(process.platform === "linux" && hasGpuDevice()
    ? [
        "--enable-features=Vulkan",
        "--use-angle=vulkan",
        "--disable-vulkan-surface",
        "--ignore-gpu-blocklist",
        // Dawn hides f16 on NVIDIA under Vulkan: https://crbug.com/42251215
        "--enable-dawn-features=vulkan_enable_f16_on_nvidia",
      ]
    : []),
];

/** Playwright's type and options for a browser, with WebGPU on. */
export function launchOptions(
  { engine, path }: FoundBrowser,
  extraArguments: readonly string[] = [],
): { type: BrowserType; options: LaunchOptions } {
  if (engine === "chromium") {
    return {
      type: chromium,
      // Ctrl-C cancels the run, which keeps what was finished; Playwright would close the browser at once.
      options: {
        executablePath: path,
        handleSIGINT: false,
        args: [...chromiumArguments(), ...extraArguments],
      },
    };
  }
  return {
    type: firefox,
    options: {
      // An installed Firefox is driven over WebDriver BiDi; Playwright's own build is not needed.
      channel: "moz-firefox",
      executablePath: path,
      handleSIGINT: false,
      args: [...extraArguments],
      firefoxUserPrefs: {
        "dom.webgpu.enabled": true,
        "dom.webgpu.workers.enabled": true,
        "gfx.webgpu.ignore-blocklist": true,
      },
    },
  };
}
