// The bundle as a folder: Node, Dawn, the command line, the libraries that a bare machine may lack, the launcher.

import { spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { build, type Rolldown } from "vite";
import { Exit, ExitCode } from "../src/cli/exit.ts";
import { librariesOf, newestNeeded, VULKAN_LOADER } from "./libraries.ts";
import { libraryPart, nodePart, packagePart, writeLicences } from "./licences.ts";

export interface MadeFolder {
  readonly parts: readonly { readonly what: string; readonly bytes: number }[];
  /** What a machine has to have, in a line. */
  readonly needs: string;
}

type Note = (text: string) => void;

function webgpuFolder(): string {
  try {
    return dirname(createRequire(import.meta.url).resolve("webgpu"));
  } catch {
    throw new Exit(ExitCode.environment, "npm's webgpu package is not installed: npm install webgpu");
  }
}

/** Copies a program without its symbols, which are a tenth of it, where there is a strip to do that. */
function copyStripped(from: string, to: string, note: Note): void {
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, to);
  chmodSync(to, 0o755);
  const { status } = spawnSync("strip", [to]);
  if (status !== 0) note(`strip does not work here, ${to} keeps its symbols: apt-get install binutils`);
}

/** Builds the command line into `folder`, and returns the folders of the packages inside it. */
async function buildCommandLine(folder: string): Promise<string[]> {
  const output = await build({
    configFile: "vite.bundle.config.ts",
    logLevel: "warn",
    build: { outDir: folder, emptyOutDir: true },
  });
  const { output: files } = output as Rolldown.RolldownOutput;
  const modules = files.flatMap((file) => (file.type === "chunk" ? file.moduleIds : []));
  const packages = modules.map((id) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id)?.[0]);
  return [...new Set(packages.filter((path) => path !== undefined))];
}

/** Bytes of all files in a folder. */
const sizeOf = (folder: string): number =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0);

/** Makes the folder. Throws Exit where this machine lacks something. */
export async function makeFolder(folder: string, note: Note): Promise<MadeFolder> {
  const inside = (...names: string[]) => join(folder, ...names);
  const webgpu = webgpuFolder();
  const copies = {
    node: inside("bin/node"),
    dawn: inside("app/node_modules/webgpu/dist/linux-x64/dawn.node"),
  };
  const packages = await buildCommandLine(inside("app"));

  copyStripped(realpathSync(process.execPath), copies.node, note);
  copyStripped(join(webgpu, "dist/linux-x64/dawn.node"), copies.dawn, note);
  for (const file of ["package.json", "index.js"])
    copyFileSync(join(webgpu, file), inside("app/node_modules/webgpu", file));

  const wanted = [copies.node, copies.dawn].flatMap(librariesOf);
  const libraries = [...new Map(wanted.map((library) => [library.name, library])).values()];
  for (const { name, path } of libraries) {
    mkdirSync(inside("lib", name), { recursive: true });
    copyFileSync(path, inside("lib", name, name));
  }

  const programs = [copies.node, copies.dawn, inside("lib", VULKAN_LOADER, VULKAN_LOADER)];
  const own = libraries.map(({ name }) => inside("lib", name, name));
  const words: Readonly<Record<string, string>> = {
    GLIBC: newestNeeded("GLIBC", programs),
    GLIBCXX: newestNeeded("GLIBCXX", programs),
    OWN_GLIBC: newestNeeded("GLIBC", [...programs, ...own]),
  };
  const fill = (from: string, to: string) => {
    const text = readFileSync(join("bundle", from), "utf8");
    writeFileSync(
      inside(to),
      text.replace(/@([A-Z_]+)@/g, (_, word: string) => words[word] ?? ""),
    );
  };
  fill("tokenroof.sh", "tokenroof");
  chmodSync(inside("tokenroof"), 0o755);
  fill("README.txt", "README.txt");
  copyFileSync("LICENSE", inside("LICENSE"));
  writeLicences(
    inside("licences"),
    [nodePart(), packagePart(webgpu), ...libraries.map(libraryPart), ...packages.map(packagePart)],
    note,
  );

  return {
    parts: [
      { what: `Node ${process.versions.node}`, bytes: statSync(copies.node).size },
      { what: "Dawn", bytes: statSync(copies.dawn).size },
      { what: "the command line", bytes: statSync(inside("app/main.mjs")).size },
      { what: libraries.map(({ name }) => name).join(", "), bytes: sizeOf(inside("lib")) },
      { what: "licences", bytes: sizeOf(inside("licences")) },
    ],
    needs: `glibc ${words.GLIBC} with a libstdc++ that has GLIBCXX_${words.GLIBCXX}, or glibc ${words.OWN_GLIBC}`,
  };
}
