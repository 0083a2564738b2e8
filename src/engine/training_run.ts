// Trains a model for some steps on one batch, and says how long each step took.

import type { Work } from "../kernels/kernel";
import { median } from "../statistics";
import {
  type ModelConfig,
  type Optimiser,
  type TrainingPhase,
  training,
  trainingPhases,
  trainingWork,
} from "../workloads";
import type { Gpu } from "./device";
import { promptTokens } from "./forward_driver";
import type { Choose } from "./forward_plan";
import { countPerSubmit, paced, secondsSeen, submit } from "./submits";
import { prepareTraining, type StepPart, type StepStamps, type Training } from "./training";
import { MOST_STEPS, planTraining, trainingBytes } from "./training_plan";

/** What to train. */
export interface TrainingRun {
  readonly model: ModelConfig;
  readonly batch: number;
  readonly tokens: number;
  readonly optimiser: Optimiser;
  /** How long the steps that count may take together. */
  readonly seconds: number;
  /** Steps that count, at least and at most. */
  readonly least: number;
  readonly most: number;
}

export interface TrainingMeasurement {
  readonly bytes: ReturnType<typeof trainingBytes>;
  /** The GPU's own clock, from the begin of a step's first dispatch to the end of its last; or the wall clock. */
  readonly clock: "timestamp-query" | "wall";
  /** Seconds of each step that counts, in time order, none dropped. */
  readonly samples: readonly number[];
  /** Seconds of each phase: the medians. By the wall clock they are of further steps, each phase awaited by itself. */
  readonly phases: Readonly<Record<TrainingPhase, number>>;
  /** The mean loss of every step, those that do not count included. */
  readonly losses: readonly number[];
  readonly dispatches: number;
  readonly work: Readonly<Record<TrainingPhase, Work>>;
}

/** Dispatches in a submit while nobody knows how long they take. */
const CAUTIOUS = 4;

/** Steps before those that count: in the first drivers finish compiling, the second tells how long one takes. */
const WARM = 2;

/** Steps whose phases are awaited one by one where the GPU has no clock of its own. */
const PHASED = 3;

/** Sequences that say something else each: any tokens will do, for the weights are random. */
const batchOf = ({ model, batch, tokens }: TrainingRun): number[][] => {
  const all = promptTokens(model.vocab_size, batch, 0, tokens + 1);
  return Array.from({ length: batch }, (_, i) => all.slice(i * (tokens + 1), (i + 1) * (tokens + 1)));
};

/** Submits steps in pieces that no driver loses patience with, and waits for them. */
function createDriver(ready: Training) {
  const { gpu, plan } = ready;
  const { device, clock } = gpu;
  const count = plan.pass.dispatches.length;
  const done = () => gpu.await(device.queue.onSubmittedWorkDone(), "training a model");
  const piecesOf = (step: number, perSubmit: number, { from, to }: StepPart = { from: 0, to: count }) =>
    Array.from({ length: Math.ceil((to - from) / perSubmit) }, (_, i) => {
      const begin = from + i * perSubmit;
      const part = { from: begin, to: Math.min(to, begin + perSubmit) };
      return () => submit(device, (encoder) => ready.encode(encoder, step, part));
    });
  const timed = async (pieces: readonly (() => void)[]) => {
    const began = clock.now();
    await paced(pieces, done);
    return clock.now() - began;
  };

  return {
    /** Seconds of a step, awaited. */
    step: (step: number, perSubmit: number) => timed(piecesOf(step, perSubmit)),
    /** Steps in a row, nobody waiting in between: seconds of all of them. */
    steps: (from: number, to: number, perSubmit: number) =>
      timed(Array.from({ length: to - from }, (_, i) => piecesOf(from + i, perSubmit)).flat()),
    /** Seconds of each phase of a step, awaited one by one. */
    async phases(step: number, perSubmit: number): Promise<number[]> {
      const seconds: number[] = [];
      for (const phase of trainingPhases) {
        const from = plan.pass.dispatches.findIndex((each) => each.phase === phase);
        const to = plan.pass.dispatches.findLastIndex((each) => each.phase === phase) + 1;
        seconds.push(await timed(piecesOf(step, perSubmit, { from, to })));
      }
      return seconds;
    },
  };
}

/** Seconds of steps and of their phases by the GPU's clock; undefined where it makes no sense. */
function stamped(stamps: readonly StepStamps[]): { samples: number[]; phases: number[][] } | undefined {
  const samples = stamps.map((step) => (step.at(-1)?.end ?? 0) - (step[0]?.begin ?? 0));
  const phases = stamps.map((step) => step.map(({ begin, end }) => end - begin));
  const sound = [...samples, ...phases.flat()].every((seconds) => seconds > 0);
  return sound ? { samples, phases } : undefined;
}

/** A step whose loss is no number, or a batch that is not learnt, was not computed right. */
function assertLearnt(losses: readonly number[]): void {
  const wrong = losses.findIndex((loss) => !Number.isFinite(loss));
  if (wrong >= 0) throw new Error(`the loss of step ${wrong} is ${losses[wrong]}`);
  const [first = 0, last = 0] = [losses[0], losses.at(-1)];
  if (last >= first)
    throw new Error(
      `the loss went from ${first} to ${last} in ${losses.length} steps on one batch: what was timed does not learn`,
    );
}

/**
 * Trains a model, with the weights of a seed where one is given, all steps on the same batch. `onPlan` is told what it
 * takes before any of that is allocated. Throws where the model cannot be trained, its tensors fit neither bindings nor
 * memory, or it does not learn.
 */
export async function runTraining(
  gpu: Gpu,
  run: TrainingRun,
  {
    choose,
    seed,
    onPlan = () => {},
  }: { choose?: Choose; seed?: number; onPlan?: (bytes: TrainingMeasurement["bytes"]) => void } = {},
): Promise<TrainingMeasurement> {
  const most = Math.min(run.most, MOST_STEPS - WARM - PHASED);
  const pass = training(run.model, run);
  const plan = planTraining(gpu, pass, { steps: WARM + most + PHASED, ...(choose && { choose }) });
  const bytes = trainingBytes(plan);
  onPlan(bytes);
  const ready = await prepareTraining(gpu, plan, seed);
  try {
    ready.writeTokens(batchOf(run));
    const driver = createDriver(ready);
    await driver.step(0, CAUTIOUS);
    const once = await driver.step(1, CAUTIOUS);
    const perSubmit = countPerSubmit(pass.dispatches.length, once);
    const counted = Math.max(1, run.least, Math.min(most, Math.floor(run.seconds / secondsSeen(once))));
    const end = WARM + counted;
    const common = { bytes, dispatches: ready.stages, work: trainingWork(pass) };
    const result = (
      clock: TrainingMeasurement["clock"],
      samples: readonly number[],
      phases: readonly (readonly number[])[],
      losses: readonly number[],
    ): TrainingMeasurement => {
      assertLearnt(losses);
      const of = (phase: number) => median(phases.map((each) => each[phase] ?? 0));
      return {
        ...common,
        clock,
        samples,
        phases: { forward: of(0), backward: of(1), optimiser: of(2) },
        losses,
      };
    };

    if (plan.timed) {
      await driver.steps(WARM, end, perSubmit);
      const stamps = await ready.readStamps(end);
      const found = stamped(stamps?.slice(WARM) ?? []);
      if (found !== undefined && found.samples.length > 0)
        return result("timestamp-query", found.samples, found.phases, await ready.readLosses(end));
    }
    // Where the GPU's clock has failed these steps are done once more, by the other one.
    const from = plan.timed ? Math.min(end, WARM + most - counted) : WARM;
    const walls: number[] = [];
    for (let step = from; step < from + counted; step++) walls.push(await driver.step(step, perSubmit));
    const phases: number[][] = [];
    for (let i = 0; i < PHASED; i++) phases.push(await driver.phases(from + counted + i, perSubmit));
    return result("wall", walls, phases, await ready.readLosses(from + counted + PHASED));
  } finally {
    ready.destroy();
  }
}
