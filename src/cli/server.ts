// Serves a built page from this machine, with the headers that give it fine clocks and nothing else to talk to.

import { existsSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { fileURLToPath } from "node:url";
import sirv from "sirv";
import { contentSecurityPolicy, isolationHeaders } from "../app/page_headers";
import { Exit, ExitCode } from "./exit";

/** A built page: its folder, and what it may load and evaluate. */
export interface Site {
  readonly folder: string;
  readonly policy: string;
}

/** A folder of `dist`, beside the command line's own. */
export const builtFolder = (name: string): string => fileURLToPath(new URL(`../${name}`, import.meta.url));

/** The page that people use. */
export const productSite: Site = { folder: builtFolder("page"), policy: contentSecurityPolicy };

export interface PageServer {
  readonly url: string;
  close(): void;
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "localhost", () => {
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : port);
    });
  });
}

/** Starts serving on `port`, or on a free one where that is taken or 0. Throws Exit when the page was not built. */
export async function servePage(port = 0, { folder, policy } = productSite): Promise<PageServer> {
  if (!existsSync(folder)) throw new Exit(ExitCode.usage, "the page is not built: run npm run build");
  const files = sirv(folder, {
    // A page that is built anew meanwhile loses files: with a list made at the start, asking for one ends the process.
    dev: true,
    etag: true,
    setHeaders(response) {
      for (const [name, value] of Object.entries(isolationHeaders)) response.setHeader(name, value);
      response.setHeader("Content-Security-Policy", policy);
      response.setHeader("X-Content-Type-Options", "nosniff");
      response.setHeader("Referrer-Policy", "no-referrer");
      response.setHeader("Cache-Control", "no-cache");
    },
  });
  const server = createServer((request, response) => files(request, response));
  const taken = await listen(server, port).catch(() => listen(server, 0));
  return {
    url: `http://localhost:${taken}/`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
