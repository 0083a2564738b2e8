import { assertBrowsers, browserPart } from "../browser_part";
import { ExitCode } from "../exit";
import type { Options } from "../options";

/** Serves the page until interrupted. */
export async function serveCommand({ port }: Options): Promise<ExitCode> {
  assertBrowsers("serve");
  const { servePage } = await browserPart();
  const server = await servePage(port);
  process.stdout.write(`Tokenroof is at ${server.url}  (Ctrl-C ends it)\n`);
  await new Promise((resolve) => process.once("SIGINT", resolve));
  server.close();
  return ExitCode.done;
}
