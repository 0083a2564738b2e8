// What is looked at to find a GPU and its driver, so that tests can put a made-up machine in its place.

import { accessSync, constants, readdirSync, readFileSync } from "node:fs";

export interface Machine {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The names in a folder; none where there is no such folder. */
  list(folder: string): readonly string[];
  /** A file's text, or undefined where it cannot be read. */
  read(path: string): string | undefined;
  /** Whether this user may read and write a file, such as a device. */
  mayOpen(path: string): boolean;
  /** Why a shared library does not load, in the linker's words; undefined where it does. */
  whyNotLoaded(library: string): string | undefined;
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}

/** Node loads any library before it finds that it is not one of its own modules, and closes it again. */
const NOT_A_MODULE = /^Module did not self-register/;

export const thisMachine: Machine = {
  environment: process.env,
  list: (folder) => attempt(() => readdirSync(folder)) ?? [],
  read: (path) => attempt(() => readFileSync(path, "utf8")),
  mayOpen: (path) =>
    attempt(() => {
      accessSync(path, constants.R_OK | constants.W_OK);
      return true;
    }) ?? false,
  whyNotLoaded(library) {
    try {
      process.dlopen({ exports: {} }, library);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      return NOT_A_MODULE.test(message) ? undefined : message.split("\n")[0];
    }
    return undefined;
  },
};
