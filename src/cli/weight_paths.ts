// Weights on this machine: which files a path means, and their bytes for what reads them in this process.

import { openSync, read, readdirSync, type Stats, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { BadWeights, type ByteSource } from "../weight_files/byte_source";
import { Exit, ExitCode } from "./exit";

/** What goes with safetensors, in the same folder. */
const BESIDE = ["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"];

const isWeights = (name: string) => /\.(safetensors|gguf)$/.test(name);
const isUseful = (name: string) =>
  isWeights(name) || name.endsWith(".safetensors.index.json") || BESIDE.includes(name);

function statOf(path: string): Stats {
  try {
    return statSync(path);
  } catch (error) {
    throw new Exit(ExitCode.usage, `--weights ${path}: ${error instanceof Error ? error.message : error}`);
  }
}

/** The files that a folder or a file of weights means. Throws Exit where there are none. */
export function weightPaths(path: string): string[] {
  if (statOf(path).isDirectory()) {
    const names = readdirSync(path).filter((name) => isUseful(name) && statOf(join(path, name)).isFile());
    if (!names.some(isWeights))
      throw new Exit(ExitCode.usage, `--weights ${path}: there is no .safetensors and no .gguf file in it`);
    return names.sort().map((name) => join(path, name));
  }
  const name = basename(path);
  if (!isWeights(name) && !name.endsWith(".safetensors.index.json"))
    throw new Exit(ExitCode.usage, `--weights ${path}: a folder, a .safetensors or a .gguf file`);
  const folder = dirname(path);
  const shards = name.endsWith(".index.json")
    ? readdirSync(folder).filter((each) => each.endsWith(".safetensors"))
    : [];
  const beside = readdirSync(folder).filter((each) => BESIDE.includes(each));
  return [path, ...[...shards, ...beside].map((each) => join(folder, each))];
}

/** The folder that the weights are in: it has the model's name more often than anything in it. */
export function modelName(path: string): string {
  const full = resolve(path);
  return basename(statOf(path).isDirectory() ? full : dirname(full));
}

const readAt = promisify(read);

/** A file of this machine, open until this process ends. */
function fileSource(path: string): ByteSource {
  const { size } = statOf(path);
  let handle: number | undefined;
  const readSome = async (bytes: Uint8Array, done: number, offset: number): Promise<number> => {
    try {
      handle ??= openSync(path, "r");
      return (await readAt(handle, bytes, done, bytes.length - done, offset + done)).bytesRead;
    } catch (error) {
      throw new BadWeights(`${path}: cannot be read: ${error instanceof Error ? error.message : error}`);
    }
  };
  return {
    name: basename(path),
    size,
    async read(offset, length) {
      const bytes = new Uint8Array(length);
      for (let done = 0; done < length; ) {
        const bytesRead = await readSome(bytes, done, offset);
        if (bytesRead === 0) throw new BadWeights(`${path}: it has become shorter meanwhile`);
        done += bytesRead;
      }
      return bytes;
    },
  };
}

/** Files by their names. */
export const fileSources = (paths: readonly string[]): Map<string, ByteSource> =>
  new Map(paths.map((path) => [basename(path), fileSource(path)]));
