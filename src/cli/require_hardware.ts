import { browserPart } from "./browser_part";
import { Exit, ExitCode } from "./exit";
import { inspectNode } from "./node_host";
import type { Options } from "./options";

/** Refuses to go on where the adapter is a CPU. */
export async function requireHardware(options: Options): Promise<void> {
  const outcome =
    options.host === "node"
      ? ({ ok: true, device: (await inspectNode()).device } as const)
      : (await (await browserPart()).inspectBrowser(options)).outcome;
  if (!outcome.ok) throw new Exit(ExitCode.environment, outcome.problem);
  const { software } = outcome.device;
  if (software !== null)
    throw new Exit(ExitCode.environment, `--require-hardware: the adapter is a CPU (${software})`);
}
