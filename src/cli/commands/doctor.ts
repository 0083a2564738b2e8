import type { SelfTestCells } from "../../analysis/self_test";
import { adviceFor } from "../../app/advice";
import { selfTestTable } from "../../report/self_test_report";
import type { DeviceInfo } from "../../result";
import { memory } from "../../units";
import { examineBrowser } from "../browser_host";
import { browserNames, findBrowser } from "../browsers";
import { Exit, ExitCode } from "../exit";
import { whatToInstall } from "../install";
import { inspectNode, selfTestInNode } from "../node_host";
import type { Options } from "../options";

const say = (text: string) => process.stdout.write(`${text}\n`);

function describe({
  vendor,
  architecture,
  description,
  software,
  features,
  limits,
  others,
}: DeviceInfo): void {
  say(`adapter    ${description || [vendor, architecture].filter(Boolean).join(" ") || "unnamed"}`);
  say(`           ${software === null ? "a GPU" : `a CPU: ${software}`}`);
  for (const other of others) say(`           this machine has another: ${other}`);
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

/** The self-test as lines: what, here, and whether the answer was right. */
function showSelfTest(test: SelfTestCells): void {
  const { rows, note } = selfTestTable(test);
  const texts = rows.map((row) => row.map(({ text }) => text));
  const width = Math.max(...texts.map(([what = ""]) => what.length));
  texts.forEach(([what = "", here = "", answer = ""], i) => {
    const head = i === 0 ? "self-test " : "          ";
    say(`${head} ${what.padEnd(width)}  ${here}${answer === "" ? "" : `  [${answer}]`}`);
  });
  say(`           ${note}`);
}

const advise = (problem: "no adapter" | "software adapter", agent: string) => {
  for (const step of adviceFor({ problem, agent }).steps) say(`           - ${step}`);
};

/** Says what would run here, what to do about what would not, and what the instruments can tell apart. */
export async function doctorCommand(options: Options): Promise<ExitCode> {
  say(`node       ${process.versions.node} on ${process.platform} ${process.arch}`);
  const found = browserNames.flatMap((name) => {
    const browser = findBrowser(name);
    return browser === undefined ? [] : [`${name} at ${browser.path}`];
  });
  say(`browsers   ${found.join(", ") || `none: ${whatToInstall}`}`);
  if (options.host === "node") {
    describe(await inspectNode());
    showSelfTest(await selfTestInNode());
    return ExitCode.done;
  }
  if (found.length === 0 && options.browser === undefined)
    throw new Exit(ExitCode.environment, `no browser: ${whatToInstall}`);
  let software = false;
  const outcome = await examineBrowser(options, ({ name, path, outcome: about }) => {
    say(`asked      ${name} at ${path}`);
    if (!about.ok) {
      say(`adapter    none: ${about.problem}`);
      return advise("no adapter", name);
    }
    describe(about.device);
    software = about.device.software !== null;
    if (software) advise("software adapter", name);
  });
  if (outcome === undefined) return ExitCode.environment;
  if (!outcome.ok) {
    say(`self-test  failed: ${outcome.problem}`);
    return ExitCode.failed;
  }
  showSelfTest(outcome.test);
  say("ready      npm run bench -- preset=quick");
  return options.requireHardware && software ? ExitCode.environment : ExitCode.done;
}
