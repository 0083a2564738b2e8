// Makes the bundle for GPU servers: a folder that runs on a bare Linux machine, and an archive of it.

import { mkdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { Exit, ExitCode } from "../src/cli/exit.ts";
import { bestCompression, compressionNamed, pack } from "./archive.ts";
import { makeFolder } from "./folder.ts";

const usage = `npm run bundle:node -- [--out FOLDER] [--compression xz|zstd|gzip] [--level N]

  --out FOLDER         where the folder and its archive go; dist/bundle
  --compression NAME   the best one installed here; gzip unpacks on machines that have no xz
  --level N            less is faster and larger
`;

const note = (text: string) => process.stderr.write(`bundle: ${text}\n`);

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;

/** Throws Exit on an option that does not exist. */
function optionsOf(given: readonly string[]) {
  try {
    return parseArgs({
      args: [...given],
      options: {
        out: { type: "string", default: "dist/bundle" },
        compression: { type: "string" },
        level: { type: "string" },
        help: { type: "boolean", short: "h", default: false },
      },
    }).values;
  } catch (error) {
    throw new Exit(ExitCode.usage, error instanceof Error ? error.message : String(error));
  }
}

/** The folder and its archive; prints where they are, how large, and what they need. */
async function build(given: readonly string[]): Promise<ExitCode> {
  const values = optionsOf(given);
  if (values.help) {
    process.stdout.write(usage);
    return ExitCode.done;
  }
  if (values.level !== undefined && !/^[1-9]$/.test(values.level))
    throw new Exit(ExitCode.usage, `--level ${values.level}: a level is 1 to 9`);
  if (process.platform !== "linux" || process.arch !== "x64")
    throw new Exit(
      ExitCode.environment,
      `the bundle is for Linux on x64 and is built on it, not on ${process.platform} ${process.arch}`,
    );
  const compression =
    values.compression === undefined ? bestCompression(note) : compressionNamed(values.compression);
  const { version } = JSON.parse(readFileSync("package.json", "utf8"));
  const out = resolve(values.out);
  const name = `tokenroof-${version}-linux-x64`;
  rmSync(join(out, name), { recursive: true, force: true });
  mkdirSync(out, { recursive: true });

  const made = await makeFolder(join(out, name), note);
  const archive = pack(out, name, compression, values.level);
  process.stdout.write(
    [
      ...made.parts.map(({ what, bytes }) => `${megabytes(bytes).padStart(9)}  ${what}`),
      `needs      ${made.needs}`,
      `folder     ${join(out, name)}, ${megabytes(made.parts.reduce((sum, { bytes }) => sum + bytes, 0))}`,
      `archive    ${archive}, ${megabytes(statSync(archive).size)}`,
      "",
    ].join("\n"),
  );
  return ExitCode.done;
}

/** Builds as the command line says, and returns its exit status: bad usage and a lacking machine are told in a line. */
export function bundle(given: readonly string[]): Promise<ExitCode> {
  return build(given).catch((error: unknown) => {
    note(error instanceof Error ? error.message.split("\n")[0]! : String(error));
    return error instanceof Exit ? error.code : ExitCode.environment;
  });
}
