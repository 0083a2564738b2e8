// Models that were trained, as tables: beside how they read and write, where a step's time goes, and what it took.

import type { Roof } from "../analysis/roofline";
import type { Activity, Doing, SideBySide, TrainedModel } from "../analysis/training";
import type { Result } from "../result";
import { type TrainingCase, trainingId } from "../training_result";
import {
  byteRate,
  duration,
  flopRate,
  memory,
  percent,
  sampled,
  seconds,
  significant,
  tokenRate,
} from "../units";
import type { Cell, Table } from "./report_types";
import { cell, texts } from "./wording";

const head = (given: TrainingCase): Cell[] => [cell(given.model), cell(trainingId(given)), cell(given.dtype)];

/** What is done per byte, what it reaches, and how close to the roofs that is. */
const reached = (
  { intensity, flopsPerSecond, bytesPerSecond }: Activity,
  roof: Roof | undefined,
): string[] => [
  significant(intensity),
  sampled(flopsPerSecond, flopRate),
  roof === undefined ? "" : percent(flopsPerSecond.value / roof.flops),
  sampled(bytesPerSecond, byteRate),
  roof === undefined ? "" : percent(bytesPerSecond.value / roof.bandwidth),
];

const reachedColumns = ["FLOP/byte", "FLOP/s", "of compute roof", "B/s", "of read roof"];

/** Layers that were trained, where they are not all. */
const partly = ({ run }: TrainedModel): string =>
  run.layers === run.ofLayers ? "" : `, ${run.layers} of ${run.ofLayers} layers`;

const names: Readonly<Record<Doing["what"], string>> = {
  training: "training (a step)",
  prefill: "prefill (reading)",
  decode: "decode (writing)",
};

/** Which of them arithmetic limits and which memory, by the device's own ridge. */
function meaning({ doings, ridge, trained }: SideBySide): string {
  if (ridge === undefined) return `${trained.run.model}: no roof was measured to judge them by.`;
  const side = (above: boolean, says: string): string[] => {
    const list = doings.flatMap(({ what, id, intensity }) =>
      intensity >= ridge === above ? [`${what} ${id} (${significant(intensity)})`] : [],
    );
    const last = list.pop();
    return last === undefined ? [] : [`${[list.join(", "), last].filter(Boolean).join(" and ")}${says}`];
  };
  const parts = [
    ...side(true, ": more than that for each byte, so arithmetic is the limit"),
    ...side(false, ": less than that for each byte, so memory is the limit"),
  ];
  return `This device computes ${significant(ridge)} FLOP in the time it reads a byte. ${trained.run.model}, ${parts.join("; ")}.`;
}

const columns = ["model", "what", "run", "type", "measured", "tokens/s", ...reachedColumns];

/** Training, reading and writing of each model that was trained, or why it was not; undefined where nobody asked for it. */
export function sideBySideTable({ trainings }: Result, all: readonly SideBySide[]): Table | undefined {
  if (trainings.length === 0) return undefined;
  const without = trainings.flatMap((each) =>
    each.status === "measured" ? [] : [{ ...each, why: `${each.status}: ${each.reason}` }],
  );
  return {
    title: "Training, prefill and decode side by side",
    note:
      `${all.map((each) => `${meaning(each)} `).join("")}` +
      "Training: forwards, backwards and AdamW in f32, every token predicting the next; tokens/s are those that were learnt from. " +
      "Bytes are what kernels read and write, so that a cache can take a share of the read roof beyond 100 %. FLOP are those that are needed: attention's " +
      "scores, which the way back makes again, are counted once more and not twice.",
    columns,
    rows: [
      ...all.flatMap(({ trained, doings }) =>
        doings.map((doing) => [
          cell(trained.run.model),
          ...texts(
            `${names[doing.what]}${doing.what === "training" ? partly(trained) : ""}`,
            doing.id,
            trained.run.dtype,
            doing.whole ? "run whole" : "sum of kernels",
            sampled(doing.tokensPerSecond, tokenRate),
            ...reached(doing, trained.roof),
          ),
        ]),
      ),
      ...without.map((each) => {
        const row = texts(each.model, names.training, trainingId(each), each.dtype, each.why);
        return columns.map((_, i) => row[i] ?? cell(""));
      }),
    ],
  };
}

/** Where the time of each training step goes; undefined where none was measured. */
export function trainingPhasesTable(trained: readonly TrainedModel[]): Table | undefined {
  if (trained.length === 0) return undefined;
  return {
    title: "Where a training step's time goes",
    note:
      "Phases by the GPU's own clock; by the wall clock each is awaited by itself, in steps of its own. Backward is dX = dY·W and dW = dYᵀ·X for every matrix, so twice the " +
      "forward pass's products. The optimiser reads weight, gradient and two moments of everything and writes three of them back: hardly any arithmetic.",
    columns: ["model", "run", "type", "phase", "time", "share", ...reachedColumns],
    rows: trained.flatMap((each) =>
      each.phases.map((part) => [
        ...head(each.run),
        ...texts(part.phase, duration(part.seconds), percent(part.share), ...reached(part, each.roof)),
      ]),
    ),
  };
}

/** What each training step took, and how it was run; undefined where none was measured. */
export function trainingMemoryTable(trained: readonly TrainedModel[]): Table | undefined {
  if (trained.length === 0) return undefined;
  return {
    title: "Training: memory, and how it was run",
    note:
      "Memory is exact: planned before anything was allocated, and nothing else was. Activations are kept from the way there for the way back. " +
      "Layers: as many as fit are trained, as a model of so many layers. Loss: of the first step and of the last, all on one batch of meaningless tokens, which has to be learnt by heart.",
    columns: [
      "model",
      "run",
      "type",
      "step",
      "memory",
      "weights",
      "gradients",
      "moments",
      "activations",
      "layers",
      "tokens of each sequence",
      "steps",
      "dispatches per step",
      "clock",
      "loss",
    ],
    rows: trained.map(({ run, bytes, seconds: time }) => [
      ...head(run),
      ...texts(
        sampled(time, seconds),
        memory(bytes),
        memory(run.bytes.weights),
        memory(run.bytes.gradients),
        memory(run.bytes.moments),
        memory(run.bytes.activations),
        `${run.layers} of ${run.ofLayers}`,
        `${run.tokens} of ${run.prompt}`,
        String(run.steps),
        String(run.dispatches),
        run.clock,
        `${significant(run.loss.first)} to ${significant(run.loss.last)}`,
      ),
    ]),
  };
}
