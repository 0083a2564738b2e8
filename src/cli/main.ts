import { presets, unknownName } from "../plan";
import { modelIds } from "../workloads";
import { peersPart } from "./browser_part";
import { chipsCommand } from "./commands/chips";
import { compareCommand } from "./commands/compare";
import { doctorCommand } from "./commands/doctor";
import { predictCommand } from "./commands/predict";
import { raceCommand } from "./commands/race";
import { linkCommand, reportCommand } from "./commands/report";
import { runCommand } from "./commands/run";
import { serveCommand } from "./commands/serve";
import { Exit, ExitCode } from "./exit";
import { type Options, parseOptions } from "./options";

const usage = `tokenroof COMMAND [WORDS] [OPTIONS]

  run [PLAN]           measure; the plan is words such as model=llama-3.2-1b pp=512 tg=128 depth=4096
                       batch=1,8 dtype=f32,f16 kernel=matmul memory=2GiB preset=quick (lists multiply)
                         --browser chromium|chrome|msedge|firefox|PATH   --browser-arg ARG   --host browser|node
                         --out FILE   --tuning FILE   --format markdown|json|csv   --require-hardware
  report FILE|LINK     print the report of a result     --format markdown|json|csv
  compare A B          is B faster than A? files or links; what differs is told first   --format markdown|json|csv
                         exit 1 where a cell of B is slower or fails, 4 where nothing can be told
  link FILE            print a link that holds a result --page URL
  chips [ID]           the reference chips and where each figure is from   --json
  predict              what a chip would do, with intervals of 90 % and the terms it is made of   --json
                         --chip ID, --chip-file FILE or --result FILE|LINK (the device that it measured)   --model ID   --weights q4_0   --phase prefill|decode
                         --prompt N   --output N   --batch N   --chips N   --stack llama.cpp|tensorrt-llm|vllm|…
                         --rows FILE: an array of published rows, each answered in its own metric
  race [WORDS]         the chips among each other: model=llama-3.1-8b weights=q4_0 prompt=1024 output=128 batch=1 chips=auto
                       scenario=chat class=tpu,wafer-scale role=inference sort=-decode pick=h100-sxm,b200 prefill=… decode=…
                       training=15e12 requests=1e10 demand=1e6 electricity=0.2 pue=1.1 … (as in the address of chips.html)
                         --view compare|roofline|frontier|cost|split   --chip-file FILE   --result FILE|LINK: the device of a
                         result among them   --format markdown|json|csv
  doctor [PLAN]        what would run here, what to do about what would not, and which models fit: depth=4096 batch=8
                       memory=8GiB dtype=q4_0   --browser …  --host node
  peers [WORDS]        the same work in ONNX Runtime Web, TensorFlow.js and jax-js: gemm, gemv, attention, q4_0, rounds=5, …
                         --browser …   --out FILE   --format markdown|json|csv
  serve                serve the page for people (npm start)   --port N

  presets  ${presets.join(", ")}
  models   ${modelIds.join(", ")}
  exit     0 done, 1 what was measured fails, 2 bad input, 3 the environment cannot do it, 4 cannot tell
${__BROWSERS__ ? "" : "\nThis bundle drives no browser: --host node is the default; --browser, peers and serve are not in it.\n"}`;

const commands: Readonly<
  Record<string, (words: readonly string[], options: Options) => ExitCode | Promise<ExitCode>>
> = {
  run: runCommand,
  report: reportCommand,
  compare: compareCommand,
  link: linkCommand,
  chips: chipsCommand,
  predict: predictCommand,
  race: raceCommand,
  peers: async (words, options) => (await peersPart()).peersCommand(words, options),
  doctor: doctorCommand,
  serve: (_words, options) => serveCommand(options),
};

async function main(given: readonly string[]): Promise<ExitCode> {
  const { words, options, help } = parseOptions(given);
  const [name, ...rest] = words;
  if (help || name === undefined) {
    process.stdout.write(usage);
    return help ? ExitCode.done : ExitCode.usage;
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined)
    throw new Exit(ExitCode.usage, unknownName("command", name, Object.keys(commands)));
  return command(rest, options);
}

// `tokenroof doctor | head`: where nobody reads on, what is under way goes on all the same, and its exit status stands.
for (const stream of [process.stdout, process.stderr])
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });

main(process.argv.slice(2)).then(
  // Dawn keeps threads of its own: Node would not end by itself. What was printed goes out first.
  (code) => process.stdout.write("", () => process.exit(code)),
  (error: unknown) => {
    // What is no Exit is not the measured device's fault: a browser that crashed, a bug of ours.
    const message = error instanceof Error ? error.message.split("\n")[0] : String(error);
    process.stderr.write(`tokenroof: ${message}\n`);
    if (!(error instanceof Exit) && process.env.DEBUG) console.error(error);
    process.exit(error instanceof Exit ? error.code : ExitCode.environment);
  },
);
