// How much of what this device can do at all our own kernels reach: each beside its probe, in the same rounds.

import { efforts } from "../engine/effort";
import { prepare } from "../engine/launch";
import { sweep } from "../engine/roof";
import { allocateWeights, type Weights } from "../engine/weights";
import { type Call, workOf } from "../kernels";
import type { Choice } from "../kernels/choices";
import type { Bench } from "./compare_task";
import type { Contender } from "./contender";
import { contenderOf, type OwnEngine, tuned } from "./own";
import type { ProbeShare } from "./peers_result";
import { sizeBatch, takeRounds } from "./rounds";
import type { Task } from "./tasks";

/** Weights that dispatches rotate through: several times the largest caches. */
const ROTATED_BYTES = 2 ** 29;

/** Kernels that are bound by arithmetic, and those that are bound by memory. */
const probeOf = ({ rate }: Task): ProbeShare["probe"] => (rate === "flops" ? "fma" : "read");

/** Only matrix products have a probe that is the same work without the rest. */
export const hasShare = ({ call, weights }: Task): boolean =>
  weights === "f32" && call.kernel !== "attention";

type Timing = Pick<Bench, "clock" | "rounds" | "batchSeconds">;

interface Timed {
  readonly contender: Contender;
  readonly times: number;
  /** FLOP or bytes of one execution. */
  readonly work: number;
}

async function ready(
  engine: OwnEngine,
  { clock, batchSeconds }: Timing,
  weights: Weights,
  call: Call,
  choice: Choice,
  rate: "flops" | "bytes",
): Promise<Timed> {
  const launch = await prepare(engine.gpu, weights, call, "f32", choice);
  const contender = contenderOf(engine, launch, launch.destroy);
  const { times } = await sizeBatch(clock, contender, batchSeconds);
  return { contender, times, work: workOf(call, "f32")[rate] };
}

/** Takes rounds of these tasks and of the probes that bound them. Throws where a probe cannot be measured. */
export async function probeShares(
  engine: OwnEngine,
  timing: Timing,
  tasks: readonly Task[],
): Promise<ProbeShare[]> {
  const weights = await allocateWeights(engine.gpu, "f32", ROTATED_BYTES);
  const all: Timed[] = [];
  try {
    const probes = [...new Set(tasks.map(probeOf))];
    for (const probe of probes) {
      const { call, choice } = await sweep(engine.gpu, engine.timer, weights, probe, "f32", efforts.standard);
      all.push(await ready(engine, timing, weights, call, choice, probe === "fma" ? "flops" : "bytes"));
    }
    for (const { id, call, rate } of tasks) {
      // Arithmetic takes as long wherever the weights are; memory traffic may want another choice.
      const known = rate === "flops" ? engine.picked.get(id) : undefined;
      const choice = known ?? (await tuned(engine, weights, call, "f32"));
      all.push(await ready(engine, timing, weights, call, choice, rate));
    }
    const timings = await takeRounds(timing.clock, all, timing.rounds);
    const rates = timings.map((samples, i) => {
      if (samples instanceof Error) throw samples;
      return samples.map((seconds) => all[i]!.work / seconds);
    });
    return tasks.map((task, i) => ({
      title: task.title,
      probe: probeOf(task),
      kernelRates: rates[probes.length + i]!,
      probeRates: rates[probes.indexOf(probeOf(task))]!,
    }));
  } finally {
    for (const { contender } of all) contender.destroy();
    weights.destroy();
  }
}
