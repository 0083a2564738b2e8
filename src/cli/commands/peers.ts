import { writeFileSync } from "node:fs";
import type { PeersOutcome } from "../../peers/main";
import { peersReport } from "../../peers/peers_report";
import { comparisonsOf, type PeersResult, PROGRESS } from "../../peers/peers_result";
import { tasks } from "../../peers/tasks";
import { unknownName } from "../../plan";
import { withPage } from "../browser_host";
import { Exit, ExitCode } from "../exit";
import type { Options } from "../options";
import { checkWritable, formatNamed, print } from "../output";
import { buildPeersPage, peersSite } from "../peers_page";

const DEFAULT_ROUNDS = 5;

/** Fewer have no interval worth the name. */
const LEAST_ROUNDS = 3;

/** The parts of the tasks' names: each one chooses the tasks that have it. */
const names = [...new Set(tasks.flatMap(({ id }) => [id, ...id.split("-")]))];

/** The ids of the tasks that these words choose, all where there are none, and the number of rounds. */
function parsePeersWords(words: readonly string[]): { ids: string[]; rounds: number } {
  let rounds = DEFAULT_ROUNDS;
  const chosen = new Set<string>();
  for (const word of words) {
    const [, count] = /^rounds=(.*)$/.exec(word) ?? [];
    if (count !== undefined) {
      rounds = Number(count);
      if (!/^\d{1,3}$/.test(count) || rounds < LEAST_ROUNDS)
        throw new Exit(
          ExitCode.usage,
          `rounds=${count.slice(0, 40)}: a whole number from ${LEAST_ROUNDS} to 999`,
        );
      continue;
    }
    const found = tasks.filter(({ id }) => `-${id}-`.includes(`-${word}-`));
    if (found.length === 0) throw new Exit(ExitCode.usage, unknownName("task", word, names));
    for (const { id } of found) chosen.add(id);
  }
  return { ids: tasks.map(({ id }) => id).filter((id) => chosen.size === 0 || chosen.has(id)), rounds };
}

/** Runs the comparison on its page and shows what it is at on stderr. */
function comparedInBrowser(options: Options, ids: string[], rounds: number): Promise<PeersOutcome> {
  return withPage(
    options,
    (page) => {
      page.on("console", (message) => {
        const text = message.text();
        if (text.startsWith(PROGRESS)) process.stderr.write(`${text.slice(PROGRESS.length)}\n`);
      });
      return page.evaluate(([given, count]) => window.peers.run(given, count), [ids, rounds] as const);
    },
    { site: peersSite, handle: "peers" },
  );
}

/** Our own kernels have to be right; a peer's wrong answer is a finding. */
const ownFails = ({ tasks: compared }: PeersResult) =>
  compared.some(({ own }) => own.outcome.status === "wrong" || own.outcome.status === "failed");

/** Does the same work in the runtimes that a user would pick instead, and prints how they compare. */
export async function peersCommand(words: readonly string[], options: Options): Promise<ExitCode> {
  const { ids, rounds } = parsePeersWords(words);
  if (options.host === "node")
    throw new Exit(ExitCode.usage, "peers runs in a browser: leave --host node out");
  const format = formatNamed(options.json ? "json" : options.format);
  checkWritable(options.out);
  await buildPeersPage();
  const outcome = await comparedInBrowser(options, ids, rounds);
  if (!outcome.ok) throw new Exit(ExitCode.environment, outcome.problem);
  const { result } = outcome;
  const json = `${JSON.stringify({ ...result, comparisons: result.tasks.flatMap(comparisonsOf) }, null, 1)}\n`;
  if (options.out !== undefined) writeFileSync(options.out, json);
  if (format === "json") process.stdout.write(json);
  else print(peersReport(result), format);
  return ownFails(result) ? ExitCode.failed : ExitCode.done;
}
