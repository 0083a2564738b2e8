import { type FitDevice, questionOf } from "../../analysis/model_fit";
import type { SelfTestCells } from "../../analysis/self_test";
import { adviceFor } from "../../app/advice";
import { type Plan, parsePlanWords } from "../../plan";
import { fitTable } from "../../report/model_fit_report";
import { selfTestTable } from "../../report/self_test_report";
import type { DeviceInfo } from "../../result";
import { memory } from "../../units";
import { modelIds } from "../../workloads";
import { browserPart } from "../browser_part";
import { Exit, ExitCode } from "../exit";
import { driverInNode, inspectNode, type NodeAdapter, selfTestInNode } from "../node_host";
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

/** Every model in the plan's types, on a device whose limits are known: lines for people. */
function fitLines(plan: Plan, device: FitDevice): string[] {
  const { rows } = fitTable(modelIds, plan.dtype, questionOf(plan, plan.memory), device);
  const texts = rows.map((row) => row.slice(0, 5).map(({ text }) => text));
  const widths = [0, 1, 2, 3].map((i) => Math.max(...texts.map((row) => row[i]?.length ?? 0)));
  return texts.map(([model = "", dtype = "", weights = "", cache = "", fits = ""]) =>
    [
      model.padEnd(widths[0] ?? 0),
      dtype.padEnd(widths[1] ?? 0),
      `${weights.padStart(widths[2] ?? 0)} of weights`,
      `${cache.padStart(widths[3] ?? 0)} of KV cache`,
      fits,
    ].join("  "),
  );
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

/** Which models fit, run whole as the plan says. */
function describeModels(plan: Plan, device: DeviceInfo): void {
  for (const [i, line] of fitLines(plan, device).entries())
    say(`${i === 0 ? "models    " : "          "} ${line}`);
}

const advise = (problem: "no adapter" | "software adapter", agent: string) => {
  for (const step of adviceFor({ problem, agent }).steps) say(`           - ${step}`);
};

/** What kernels can use beyond WebGPU's core: subgroups, and the matrices that they multiply in one instruction. */
function describeSubgroups({ device: { limits }, matrixUnits }: NodeAdapter): void {
  const { subgroupMinSize: least = 0, subgroupMaxSize: most = 0 } = limits;
  const units = matrixUnits.map(({ M, N, K, element, result }) => `${M}x${N}x${K} ${element} to ${result}`);
  say(`subgroups  ${most === 0 ? "none" : `of ${least === most ? most : `${least} to ${most}`} threads`}`);
  say(`matrices   ${units.join(", ") || "no units for them"}`);
}

/** Dawn in this process: the driver it got, its adapter, and what the instruments can tell apart. */
async function doctorInNode(plan: Plan, { requireHardware }: Options): Promise<ExitCode> {
  const driver = await driverInNode();
  if (driver !== undefined) say(`driver     ${driver}`);
  const adapter = await inspectNode();
  describe(adapter.device);
  describeSubgroups(adapter);
  describeModels(plan, adapter.device);
  showSelfTest(await selfTestInNode());
  say(
    `ready      ${__BROWSERS__ ? "npm run bench -- preset=quick --host node" : "./tokenroof run preset=quick"}`,
  );
  return requireHardware && adapter.device.software !== null ? ExitCode.environment : ExitCode.done;
}

/** Says what would run here, what to do about what would not, which models fit, and what the instruments can tell apart. */
export async function doctorCommand(words: readonly string[], options: Options): Promise<ExitCode> {
  const parsed = parsePlanWords(words);
  if (!parsed.ok) throw new Exit(ExitCode.usage, parsed.problem);
  const { plan } = parsed;
  say(`node       ${process.versions.node} on ${process.platform} ${process.arch}`);
  if (options.host === "node") return doctorInNode(plan, options);
  const { browsersHere, examineBrowser, whatToInstall } = await browserPart();
  const found = browsersHere();
  say(`browsers   ${found.join(", ") || `none: ${whatToInstall}`}`);
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
    describeModels(plan, about.device);
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
