// The page of `tokenroof peers`. It brings other runtimes along, so it is not published: it is built where it is used.

import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { contentSecurityPolicy } from "../app/page_headers";
import { Exit, ExitCode } from "./exit";
import { builtFolder, type Site } from "./server";

/** The product's policy, and leave to compile WebAssembly, which ONNX Runtime is. */
export const peersSite: Site = {
  folder: builtFolder("peers"),
  policy: contentSecurityPolicy.replace("script-src 'self'", "script-src 'self' 'wasm-unsafe-eval'"),
};

const configFile = fileURLToPath(new URL("../../vite.peers.config.ts", import.meta.url));

const needs = "peers is built from a clone of the repository with its development dependencies (npm ci)";

/** Builds the page; takes some seconds. Throws Exit where sources or development dependencies are missing. */
export async function buildPeersPage(): Promise<void> {
  if (!existsSync(configFile)) throw new Exit(ExitCode.environment, `no ${configFile}: ${needs}`);
  try {
    const { build } = await import("vite");
    await build({ configFile, logLevel: "silent" });
  } catch (error) {
    const reason = error instanceof Error ? error.message.split("\n")[0] : String(error);
    throw new Exit(ExitCode.environment, `${needs}: ${reason}`);
  }
}
