import { adviceFor } from "../../app/advice";
import type { DeviceInfo } from "../../result";
import { memory } from "../../units";
import { inspectBrowser } from "../browser_host";
import { browserNames, findBrowser } from "../browsers";
import { Exit, ExitCode } from "../exit";
import { whatToInstall } from "../install";
import { inspectNode } from "../node_host";
import type { Options } from "../options";

const say = (text: string) => process.stdout.write(`${text}\n`);

function describe({ vendor, architecture, description, software, features, limits }: DeviceInfo): void {
  say(`adapter    ${description || [vendor, architecture].filter(Boolean).join(" ") || "unnamed"}`);
  say(`           ${software === null ? "a GPU" : `a CPU: ${software}`}`);
  say(`features   ${features.join(", ") || "none"}`);
  say(
    `limits     binding ${memory(limits.maxStorageBufferBindingSize ?? 0)}, ${limits.maxComputeInvocationsPerWorkgroup} threads and ${memory(limits.maxComputeWorkgroupStorageSize ?? 0)} per workgroup`,
  );
  for (const [feature, without] of [
    ["shader-f16", "f16 cells will be skipped"],
    ["timestamp-query", "the wall clock alone will be used: wider intervals"],
  ] as const) {
    if (!features.includes(feature)) say(`           no ${feature}: ${without}`);
  }
}

/** Says what would run here, and what to do about what would not. */
export async function doctorCommand(options: Options): Promise<ExitCode> {
  say(`node       ${process.versions.node} on ${process.platform} ${process.arch}`);
  const found = browserNames.flatMap((name) => {
    const browser = findBrowser(name);
    return browser === undefined ? [] : [`${name} at ${browser.path}`];
  });
  say(`browsers   ${found.join(", ") || `none: ${whatToInstall}`}`);
  if (options.host === "node") {
    describe(await inspectNode());
    return ExitCode.done;
  }
  if (found.length === 0 && options.browser === undefined)
    throw new Exit(ExitCode.environment, `no browser: ${whatToInstall}`);
  const { name, path, outcome } = await inspectBrowser(options);
  say(`asked      ${name} at ${path}`);
  if (!outcome.ok) {
    say(`adapter    none: ${outcome.problem}`);
    for (const step of adviceFor({ problem: "no adapter", agent: name }).steps) say(`           - ${step}`);
    return ExitCode.environment;
  }
  describe(outcome.device);
  if (outcome.device.software !== null) {
    for (const step of adviceFor({ problem: "software adapter", agent: name }).steps)
      say(`           - ${step}`);
  }
  say("ready      npm run bench -- preset=quick");
  return options.requireHardware && outcome.device.software !== null ? ExitCode.environment : ExitCode.done;
}
