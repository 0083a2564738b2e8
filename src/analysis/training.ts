// Models that were trained, beside how the same models read and write in the same result: how much arithmetic each does
// for a byte, and how close it comes to the device's roofs.

import type { Result } from "../result";
import type { MeasuredTraining } from "../training_result";
import { type TrainingPhase, trainingPhases } from "../workloads";
import { type Estimate, fiveDigits, rateOf } from "./estimate";
import { type StepStatistics, sixDigits, stepStatistics, type WholeModel } from "./forward";
import { measuredRoof, type Roof } from "./roofline";
import { intensity, type Throughput } from "./throughput";

/** Some work done: what it reaches of arithmetic and of memory traffic. */
export interface Activity {
  /** FLOP per byte; 0 where nothing is moved. */
  readonly intensity: number;
  readonly flopsPerSecond: Estimate;
  readonly bytesPerSecond: Estimate;
}

/** A phase of a training step. */
export interface PhaseTime extends Activity {
  readonly phase: TrainingPhase;
  readonly seconds: number;
  /** Of all phases. */
  readonly share: number;
}

/** A model that was trained. */
export interface TrainedModel extends Activity {
  readonly run: MeasuredTraining;
  readonly seconds: Estimate;
  readonly statistics: StepStatistics;
  /** Over all sequences. */
  readonly tokensPerSecond: Estimate;
  readonly phases: readonly PhaseTime[];
  readonly roof: Roof | undefined;
  readonly bytes: number;
}

/** What a model does with tokens. */
export interface Doing extends Activity {
  readonly what: "training" | "prefill" | "decode";
  /** How it was asked for: "pp512". */
  readonly id: string;
  /** Run whole, or added up from its kernels. */
  readonly whole: boolean;
  readonly tokensPerSecond: Estimate;
}

/** One model's training, reading and writing. */
export interface SideBySide {
  readonly trained: TrainedModel;
  readonly doings: readonly Doing[];
  /** FLOP per byte from which on arithmetic is the limit; undefined where no roof was measured. */
  readonly ridge: number | undefined;
}

interface Amount {
  readonly flops: number;
  readonly bytes: number;
}

const activity = ({ flops, bytes }: Amount, seconds: Estimate): Activity => ({
  intensity: bytes === 0 ? 0 : flops / bytes,
  flopsPerSecond: rateOf(flops, seconds),
  bytesPerSecond: rateOf(bytes, seconds),
});

const exactly = (value: number): Estimate => ({ value, low: value, high: value });

const workOf = ({ work }: MeasuredTraining, phase: TrainingPhase): Amount => ({
  flops: sixDigits(work[phase].flops),
  bytes: sixDigits(work[phase].bytes),
});

const sum = (amounts: readonly Amount[]): Amount =>
  amounts.reduce((a, b) => ({ flops: a.flops + b.flops, bytes: a.bytes + b.bytes }));

function trainedModel(run: MeasuredTraining, roof: Roof | undefined): TrainedModel {
  const statistics = stepStatistics(run.times);
  const seconds: Estimate = { value: statistics.median, low: statistics.low, high: statistics.high };
  const times = trainingPhases.map((phase) => ({ phase, seconds: fiveDigits(run.phases[phase]) }));
  const all = times.reduce((total, each) => total + each.seconds, 0);
  return {
    run,
    seconds,
    statistics,
    ...activity(sum(trainingPhases.map((phase) => workOf(run, phase))), seconds),
    tokensPerSecond: rateOf(run.batch * run.tokens, seconds),
    phases: times.flatMap((each) =>
      each.seconds === 0
        ? []
        : [
            {
              ...each,
              share: each.seconds / all,
              ...activity(workOf(run, each.phase), exactly(each.seconds)),
            },
          ],
    ),
    roof,
    bytes: Object.values(run.bytes).reduce((total, bytes) => total + bytes, 0),
  };
}

/** Every model of a result that was trained. */
export const trainedModels = (result: Result): TrainedModel[] =>
  result.trainings.flatMap((each) =>
    each.status === "measured" ? [trainedModel(each, measuredRoof(result, each.dtype))] : [],
  );

/** Reading and writing of a model that was run whole. */
function wholeDoings({ run, firstToken, perToken, ...whole }: WholeModel): Doing[] {
  const amountOf = ({ flops, weights, cache, activations }: typeof run.decode.work): Amount => ({
    flops: sixDigits(flops),
    bytes: sixDigits(weights) + sixDigits(cache) + sixDigits(activations),
  });
  const at = `${run.depth > 0 ? ` @ d${run.depth}` : ""}${run.batch > 1 ? ` b${run.batch}` : ""}`;
  return [
    {
      what: "prefill",
      id: `pp${run.prompt}${at}`,
      whole: true,
      tokensPerSecond: whole.promptTokensPerSecond,
      ...activity(amountOf(run.prefill.work), firstToken.measured),
    },
    {
      what: "decode",
      id: `tg${run.generate}${at}`,
      whole: true,
      tokensPerSecond: whole.tokensPerSecond,
      ...activity(amountOf(run.decode.work), perToken.measured),
    },
  ];
}

/** The same as sums of kernels, for what was not run whole. */
const summedDoings = (model: string, dtype: string, all: readonly Throughput[]): Doing[] =>
  all.flatMap((each): Doing[] => {
    const { workload } = each;
    if (!each.complete || each.tokensPerSecond === undefined || workload.phase === "kernel") return [];
    if (workload.model !== model || each.dtype !== dtype) return [];
    return [
      {
        what: workload.phase,
        id: workload.id,
        whole: false,
        tokensPerSecond: each.tokensPerSecond,
        intensity: intensity(workload, each.dtype),
        flopsPerSecond: each.flopsPerSecond,
        bytesPerSecond: each.bytesPerSecond,
      },
    ];
  });

/** Every model that was trained beside its reading and writing in the same type: run whole where it was, else added up. */
export function sideBySide(
  trained: readonly TrainedModel[],
  whole: readonly WholeModel[],
  all: readonly Throughput[],
): SideBySide[] {
  return trained.map((each) => {
    const { run, roof } = each;
    const runs = whole.filter((one) => one.run.model === run.model && one.run.dtype === run.dtype);
    const training: Doing = {
      what: "training",
      id: `${run.tokens} tokens${run.batch > 1 ? ` x ${run.batch}` : ""}`,
      whole: true,
      tokensPerSecond: each.tokensPerSecond,
      intensity: each.intensity,
      flopsPerSecond: each.flopsPerSecond,
      bytesPerSecond: each.bytesPerSecond,
    };
    const others = runs.length > 0 ? runs.flatMap(wholeDoings) : summedDoings(run.model, run.dtype, all);
    return {
      trained: each,
      doings: [training, ...others],
      ridge: roof && roof.flops / roof.bandwidth,
    };
  });
}
