// What programs need of the system they run on.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { Exit, ExitCode } from "../src/cli/exit.ts";

/** glibc's linker on x86-64; the kernel finds it there on every distribution. */
const LINKER = "/lib64/ld-linux-x86-64.so.2";

/** glibc itself and what the kernel maps: these are always the machine's own. */
const GLIBC = /^(linux-vdso|ld-linux-x86-64|libc|libm|libdl|libpthread|librt|libresolv|libutil)\.so\b/;

export interface Library {
  /** What programs ask for: "libvulkan.so.1". */
  readonly name: string;
  readonly path: string;
}

/** The Vulkan loader, which Dawn opens by this name while it runs. */
export const VULKAN_LOADER = "libvulkan.so.1";

/** The shared libraries beyond glibc that a program would load on this machine, and the Vulkan loader. */
export function librariesOf(program: string): Library[] {
  const { stdout, stderr, error } = spawnSync(LINKER, ["--list", program], {
    encoding: "utf8",
    env: { LD_PRELOAD: VULKAN_LOADER },
  });
  if (error !== undefined) throw new Exit(ExitCode.environment, `${LINKER}: ${error.message}`);
  if (stderr.includes("cannot be preloaded"))
    throw new Exit(ExitCode.environment, `${VULKAN_LOADER} is not installed: apt-get install libvulkan1`);
  if (stderr !== "") throw new Exit(ExitCode.environment, stderr.split("\n")[0]!);
  return [...stdout.matchAll(/^\s*(\S+) => (\/.*) \(0x/gm)]
    .map(([, name = "", path = ""]) => ({ name, path }))
    .filter(({ name }) => !GLIBC.test(name));
}

const numbers = (version: string) => version.split(".").map(Number);

function newer(a: string, b: string): boolean {
  const [x, y] = [numbers(a), numbers(b)];
  const at = x.findIndex((part, i) => part !== (y[i] ?? 0));
  return at >= 0 && x[at]! > (y[at] ?? 0);
}

/** The newest version of a symbol set that programs name ("GLIBC" or "GLIBCXX"); "0" where they name none. */
export function newestNeeded(set: string, programs: readonly string[]): string {
  const pattern = new RegExp(`\\b${set}_(\\d+(?:\\.\\d+)+)\\0`, "g");
  return programs
    .flatMap((program) =>
      [...readFileSync(program, "latin1").matchAll(pattern)].map(([, version = "0"]) => version),
    )
    .reduce((newest, version) => (newer(version, newest) ? version : newest), "0");
}
