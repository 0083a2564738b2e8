// Where each part of the bundle is from, and under which licence.

import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { Exit, ExitCode } from "../src/cli/exit.ts";
import type { Library } from "./libraries.ts";

/** A part that is not Tokenroof's own. */
export interface Part {
  readonly name: string;
  readonly version: string;
  /** Where it is from, its source included. */
  readonly from: string;
  /** Files with its licence. */
  readonly licences: readonly string[];
}

/** The texts that Debian keeps once for all packages, as a copyright file names them. */
const COMMON = /\/usr\/share\/common-licenses\/[\w.-]*\w/g;

/** The Debian package that a library is from. Throws Exit where it is from none: its licence would be missing. */
export function libraryPart(library: Library): Part {
  const real = basename(realpathSync(library.path));
  const query = (...words: string[]) => spawnSync("dpkg-query", words, { encoding: "utf8" }).stdout ?? "";
  const owner = query("-S", `*/${real}`).split(":")[0]!;
  const copyright = `/usr/share/doc/${owner}/copyright`;
  if (owner === "" || !existsSync(copyright))
    throw new Exit(
      ExitCode.environment,
      `${library.path} is from no Debian package with a licence: build on Debian or Ubuntu`,
    );
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg's own format
  const [version = "", source = ""] = query("-W", "-f", "${Version} ${source:Package}\n", owner).split(/\s/);
  const common = readFileSync(copyright, "utf8").match(COMMON) ?? [];
  return {
    name: owner,
    version,
    from: `${library.name} as Debian built it; its source: https://sources.debian.org/src/${source}/`,
    licences: [copyright, ...new Set(common)].filter((path) => existsSync(path)),
  };
}

/** A package of npm by its folder. */
export function packagePart(folder: string): Part {
  const { name, version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  return {
    name,
    version,
    from: `npm's ${name}: https://www.npmjs.com/package/${name}/v/${version}`,
    licences: readdirSync(folder)
      .filter((file) => /^licen[cs]e/i.test(file))
      .map((file) => join(folder, file)),
  };
}

/** The Node that is running. */
export function nodePart(): Part {
  const prefix = join(dirname(realpathSync(process.execPath)), "..");
  const places = [
    "LICENSE",
    "share/doc/node/LICENSE",
    "share/doc/nodejs/LICENSE",
    "share/doc/nodejs/copyright",
  ];
  return {
    name: "node",
    version: process.versions.node,
    from: `Node.js: https://github.com/nodejs/node/tree/v${process.versions.node}`,
    licences: places
      .map((place) => join(prefix, place))
      .filter((path) => existsSync(path))
      .slice(0, 1),
  };
}

/** Writes the licences of all parts, and which parts there are. Notes those that have none at hand. */
export function writeLicences(folder: string, parts: readonly Part[], note: (text: string) => void): void {
  mkdirSync(folder, { recursive: true });
  for (const { name, licences, from } of parts) {
    if (licences.length === 0) note(`no licence of ${name} is on this machine; the bundle names ${from}`);
    for (const licence of licences) {
      const shared = licence.startsWith("/usr/share/common-licenses/");
      const file = shared ? basename(licence) : `${name.replaceAll("/", "_")}-${basename(licence)}`;
      copyFileSync(licence, join(folder, file));
    }
  }
  const lines = parts.map(({ name, version, from }) => `${name} ${version}\n  ${from}\n`);
  writeFileSync(join(folder, "PARTS.txt"), lines.join(""));
}
