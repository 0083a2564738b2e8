// One task: everybody is prepared and checked, the fastest right way of each runtime is timed, and checked again.

import { type Clock, withDeadline } from "../engine/clock";
import type { Matrix } from "../kernels/kernel";
import { type Check, checkAnswer, type Reference, referenceOf, toleranceOf } from "./check";
import type { Arithmetic, Contender, Runtime } from "./contender";
import { dataOf } from "./data";
import type { Entry, Outcome, TaskResult } from "./peers_result";
import { type Sized, sizeBatch, takeRounds } from "./rounds";
import { type Task, workOfTask } from "./tasks";

/** Our own kernel for a task, made ready, with the numbers that it works on. */
export interface OwnContender {
  readonly variant: string;
  readonly arithmetic: Arithmetic;
  readonly contender: Contender;
  readonly inputs: readonly Matrix[];
}

export interface Bench {
  readonly clock: Clock;
  readonly rounds: number;
  /** A batch takes so long at least. */
  readonly batchSeconds: number;
  /** Our own kernel. Throws where it does not work. */
  own(task: Task): Promise<OwnContender>;
  readonly runtimes: readonly Runtime[];
  /** What the device has complained about since it was asked last. */
  complaint(): string | undefined;
  /** Dispatches that anybody has encoded so far. */
  dispatched(): number;
  onProgress(label: string): void;
}

/** A step of a contender that takes longer is given up: a browser may never answer. */
const DEADLINE_SECONDS = 120;

/** A way this much slower than the same runtime's fastest takes no part in the rounds. */
const OUTDONE = 2;

/** A runtime's way on its way through the steps; it has an outcome where these ended early. */
interface Candidate {
  readonly runtime: string;
  readonly variant: string;
  readonly arithmetic: Arithmetic;
  readonly contender?: Contender;
  readonly check?: Check;
  readonly sized?: Sized;
  readonly outcome?: Outcome;
}

type Runner = Required<Omit<Candidate, "outcome">>;

const oneLine = (error: unknown) =>
  (error instanceof Error ? error.message : String(error)).split("\n")[0]!.slice(0, 300);

const failed = (error: unknown): Outcome => ({ status: "failed", reason: oneLine(error) });

/** A contender none of whose steps can hang or do nothing, and whose complaints from the device are errors. */
function guarded({ clock, complaint, dispatched }: Bench, contender: Contender): Contender {
  const step = async <T>(what: string, promise: Promise<T>) => {
    const value = await withDeadline(clock, promise, what, DEADLINE_SECONDS);
    const problem = complaint();
    if (problem !== undefined) throw new Error(problem);
    return value;
  };
  return {
    unit: contender.unit,
    async run(times) {
      const before = dispatched();
      await step("running", contender.run(times));
      const count = dispatched() - before;
      if (count < times) throw new Error(`it dispatched ${count} times for ${times} executions`);
    },
    read: () => step("reading the answer", contender.read()),
    destroy: () => contender.destroy(),
  };
}

/** Prepares a way, checks its answer and finds the size of its batches. */
async function examine(
  bench: Bench,
  task: Task,
  reference: Reference,
  way: Pick<Candidate, "runtime" | "variant" | "arithmetic">,
  prepare: () => Promise<Contender>,
): Promise<Candidate> {
  bench.onProgress(`${task.title}: checking ${way.runtime} ${way.variant}`);
  bench.complaint();
  let contender: Contender | undefined;
  try {
    const bare = await withDeadline(bench.clock, prepare(), "preparing", DEADLINE_SECONDS);
    contender = guarded(bench, bare);
    const check = checkAnswer(reference, await contender.read(), toleranceOf(task, way.arithmetic));
    if (check.wrong !== null) {
      contender.destroy();
      return { ...way, outcome: { status: "wrong", check } };
    }
    return { ...way, contender, check, sized: await sizeBatch(bench.clock, contender, bench.batchSeconds) };
  } catch (error) {
    contender?.destroy();
    return { ...way, outcome: failed(error) };
  }
}

const isRunner = (candidate: Candidate): candidate is Candidate & Runner => candidate.outcome === undefined;

/** The fastest way of the same runtime, as far as the first batches tell. */
const fastestOf = (candidates: readonly Candidate[], runtime: string) =>
  candidates
    .filter(isRunner)
    .filter((each) => each.runtime === runtime)
    .sort((a, b) => a.sized.seconds - b.sized.seconds)[0];

/** Ends the part of ways that their own runtime outdoes. */
function withoutOutdone(candidates: readonly Candidate[]): Candidate[] {
  return candidates.map((candidate) => {
    if (!isRunner(candidate)) return candidate;
    const { runtime, check, sized, contender } = candidate;
    const best = fastestOf(candidates, runtime);
    if (best === undefined || sized.seconds <= OUTDONE * best.sized.seconds) return candidate;
    contender.destroy();
    return { ...candidate, outcome: { status: "outdone", check, seconds: sized.seconds, by: best.variant } };
  });
}

/** Times what is left of the candidates and checks each once more: what was timed has to be what was checked. */
async function race(
  bench: Bench,
  task: Task,
  reference: Reference,
  candidates: readonly Candidate[],
): Promise<Entry[]> {
  const runners = candidates.filter(isRunner);
  const timings = await takeRounds(
    bench.clock,
    runners.map(({ contender, sized: { times } }) => ({ contender, times })),
    bench.rounds,
    (round) => bench.onProgress(`${task.title}: round ${round + 1} of ${bench.rounds}`),
  );
  const entries: Entry[] = [];
  for (const candidate of candidates) {
    const { runtime, variant, arithmetic } = candidate;
    const outcome = isRunner(candidate)
      ? await afterwards(candidate, timings[runners.indexOf(candidate)]!, task, reference)
      : candidate.outcome!;
    entries.push({ runtime, variant, arithmetic, outcome });
  }
  return entries;
}

async function afterwards(
  { contender, check, sized, arithmetic }: Runner,
  samples: readonly number[] | Error,
  task: Task,
  reference: Reference,
): Promise<Outcome> {
  try {
    if (samples instanceof Error) throw samples;
    const again = checkAnswer(reference, await contender.read(), toleranceOf(task, arithmetic));
    if (again.wrong !== null)
      return { status: "wrong", check: { ...again, wrong: `after timing ${again.wrong}` } };
    return { status: "timed", check, times: sized.times, samples };
  } catch (error) {
    return failed(error);
  } finally {
    contender.destroy();
  }
}

/** Compares everybody on one task. */
export async function compareTask(bench: Bench, task: Task): Promise<TaskResult> {
  const name = { runtime: "Tokenroof", variant: "", arithmetic: "f32" } as const;
  bench.onProgress(`${task.title}: tuning our own kernel`);
  const found = await bench.own(task).catch((error: unknown) => ({ outcome: failed(error) }));
  const data = dataOf(task, "contender" in found ? found.inputs : undefined);
  const reference = referenceOf(task, data);

  const own: Candidate =
    "contender" in found
      ? await examine(bench, task, reference, { ...name, ...pick(found) }, async () => found.contender)
      : { ...name, ...found };

  const peers: Candidate[] = [];
  for (const runtime of bench.runtimes) {
    const ways = runtime.ways(task, data);
    if (ways.length === 0) {
      const outcome: Outcome = { status: "unavailable", reason: "it has no operator for this" };
      peers.push({ ...name, runtime: runtime.name, outcome });
    }
    for (const { variant, arithmetic, prepare } of ways)
      peers.push(
        await examine(bench, task, reference, { runtime: runtime.name, variant, arithmetic }, prepare),
      );
  }
  const [first, ...rest] = await race(bench, task, reference, [own, ...withoutOutdone(peers)]);
  const { id, title, weights, rate } = task;
  return { id, title, weights, rate, work: workOfTask(task), own: first!, peers: rest };
}

const pick = ({ variant, arithmetic }: OwnContender) => ({ variant, arithmetic });
