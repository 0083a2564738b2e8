// What drives browsers is loaded when it is needed. The build for GPU servers goes without it.

import { Exit, ExitCode } from "./exit";

/** The command line's default host. */
export const usualHost = __BROWSERS__ ? "browser" : "node";

const without = (what: string) =>
  new Exit(
    ExitCode.environment,
    `${what}: this bundle drives no browser, it measures on Dawn (--host node); browsers need the repository`,
  );

/** Throws Exit where this build cannot do `what` because it drives no browser. */
export function assertBrowsers(what: string): void {
  if (!__BROWSERS__) throw without(what);
}

/** The part that drives browsers. Throws Exit where this build has none. */
export async function browserPart(): Promise<typeof import("./browser_host")> {
  if (__BROWSERS__) return import("./browser_host");
  throw without("--host browser");
}

/** The comparison with other runtimes. Throws Exit where this build drives no browser. */
export async function peersPart(): Promise<typeof import("./commands/peers")> {
  if (__BROWSERS__) return import("./commands/peers");
  throw without("peers");
}
