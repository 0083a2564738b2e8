// Links: models that were trained, as numbers: order statistics in place of samples, work in six digits.

import { fiveDigits } from "../analysis/estimate";
import { sixDigits } from "../analysis/forward";
import { type MeasuredTraining, type TrainingOutcome, trainingPhases } from "../training_result";
import { packTimes, unpackTimes } from "./link_forwards";
import { isArray, named, values } from "./link_tables";

// In their order in a link. Fields that are added come last.
const fields = {
  case: ["model", "dtype", "prompt", "batch"],
  setting: ["tokens", "layers", "ofLayers", "dispatches", "steps"],
  bytes: ["weights", "gradients", "moments", "activations", "other"],
  work: ["flops", "bytes"],
  loss: ["first", "last"],
} as const;

function packMeasured(run: MeasuredTraining): unknown[] {
  return [
    [...values(run, fields.setting), run.clock === "wall" ? "w" : "t", Number(run.hidden)],
    values(run.bytes, fields.bytes),
    packTimes(run.times),
    trainingPhases.map((phase) => fiveDigits(run.phases[phase])),
    trainingPhases.flatMap((phase) => fields.work.map((field) => sixDigits(run.work[phase][field]))),
    fields.loss.map((field) => fiveDigits(run.loss[field])),
  ];
}

const byPhase = (partOf: (place: number) => unknown) =>
  Object.fromEntries(trainingPhases.map((phase, place) => [phase, partOf(place)]));

function unpackMeasured([setting, bytes, times, phases, work, loss]: readonly unknown[]) {
  const { length } = fields.setting;
  const [clock, hidden] = isArray(setting) ? setting.slice(length) : [];
  return {
    status: "measured",
    ...named(setting, fields.setting),
    clock: clock === "w" ? "wall" : "timestamp-query",
    hidden: hidden === 1,
    bytes: named(bytes, fields.bytes),
    times: unpackTimes(times),
    phases: byPhase((place) => (isArray(phases) ? phases[place] : undefined)),
    work: byPhase((place) => named(isArray(work) ? work.slice(2 * place, 2 * place + 2) : [], fields.work)),
    loss: named(loss, fields.loss),
  };
}

/** The outcome of a training as an array. */
export function packTraining(outcome: TrainingOutcome): unknown[] {
  const what = outcome.status === "measured" ? packMeasured(outcome) : [outcome.status[0], outcome.reason];
  return [values(outcome, fields.case), ...what];
}

/** Anything at all -> what may be the outcome of a training. */
export function unpackTraining(packed: unknown): unknown {
  const [wanted, ...what] = isArray(packed) ? packed : [];
  const [mark, reason] = what;
  const given = named(wanted, fields.case);
  if (mark === "s") return { status: "skipped", ...given, reason };
  return mark === "f" ? { status: "failed", ...given, reason } : { ...given, ...unpackMeasured(what) };
}
