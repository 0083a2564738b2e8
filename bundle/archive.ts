// tar and the best compression that is installed.

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { Exit, ExitCode } from "../src/cli/exit.ts";
import { unknownName } from "../src/plan.ts";

interface Compression {
  readonly name: string;
  readonly extension: string;
  /** The Debian package that has it. */
  readonly package: string;
  command(level: string | undefined): string;
}

/** Smallest first. xz's filter for x86 code makes programs some 5 % smaller. */
const compressions: readonly Compression[] = [
  {
    name: "xz",
    extension: "tar.xz",
    package: "xz-utils",
    command: (level = "6") => `xz -T0 --x86 --lzma2=preset=${level}`,
  },
  { name: "zstd", extension: "tar.zst", package: "zstd", command: (level = "19") => `zstd -T0 -${level}` },
  { name: "gzip", extension: "tar.gz", package: "gzip", command: (level = "9") => `gzip -${level}` },
];

const isInstalled = (program: string) => spawnSync(program, ["--version"]).status === 0;

/** The compression that makes the smallest archive here; says so where it is not the smallest there is. */
export function bestCompression(note: (text: string) => void): Compression {
  const found = compressions.find(({ name }) => isInstalled(name));
  const [best] = compressions;
  if (found === undefined)
    throw new Exit(ExitCode.environment, `no xz, zstd or gzip: apt-get install ${best!.package}`);
  if (found !== best)
    note(
      `${best!.name} is not installed, ${found.name} makes the archive larger: apt-get install ${best!.package}`,
    );
  return found;
}

/** A compression by name. Throws Exit where there is none of that name, or it is not installed. */
export function compressionNamed(name: string): Compression {
  const found = compressions.find((each) => each.name === name);
  if (found === undefined)
    throw new Exit(
      ExitCode.usage,
      unknownName(
        "compression",
        name,
        compressions.map((each) => each.name),
      ),
    );
  if (!isInstalled(name))
    throw new Exit(ExitCode.environment, `${name} is not installed: apt-get install ${found.package}`);
  return found;
}

/** Packs the folder `name` of `parent` beside it, owned by root, and returns the archive's path. */
export function pack(
  parent: string,
  name: string,
  { extension, command }: Compression,
  level?: string,
): string {
  const archive = join(parent, `${name}.${extension}`);
  const words = ["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "-I", command(level)];
  const { status, stderr, error } = spawnSync("tar", [...words, "-cf", archive, "-C", parent, name], {
    encoding: "utf8",
  });
  if (status !== 0)
    throw new Exit(ExitCode.environment, `tar made no archive: ${error?.message ?? stderr.split("\n")[0]}`);
  return archive;
}
