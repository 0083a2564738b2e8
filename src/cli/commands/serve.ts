import { ExitCode } from "../exit";
import type { Options } from "../options";
import { servePage } from "../server";

/** Serves the page until interrupted. */
export async function serveCommand({ port }: Options): Promise<ExitCode> {
  const server = await servePage(port);
  process.stdout.write(`Tokenroof is at ${server.url}  (Ctrl-C ends it)\n`);
  await new Promise((resolve) => process.once("SIGINT", resolve));
  server.close();
  return ExitCode.done;
}
