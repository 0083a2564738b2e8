// Training, reading and writing on each picked chip, and what share of a model's life each of them is.

import { exactly, monotone } from "../../analysis/interval";
import {
  type Life,
  type LifetimeSplit,
  lifeFlops,
  lifePhases,
  lifeSeconds,
  lifetimeSplit,
} from "../../analysis/lifetime_split";
import {
  type Architecture,
  expertsOf,
  parameterCounts,
  workloadConfig,
} from "../../analysis/prediction/architecture";
import { capacityOf } from "../../analysis/prediction/chip_figures";
import { chipRoof } from "../../analysis/roofline";
import { TRAINING_STATE_BYTES, trainingBounds, trainingStep } from "../../analysis/training_step";
import { scaled, share } from "../../units";
import { chipSource } from "../chip_sources";
import type { Cell, Table } from "../report_types";
import { type Contestant, isRunner, modelOf } from "./contestant";
import { type Question, scenarioOf, written } from "./question";
import { behind, figure, scaledFigure, unknown } from "./where_from";

/** Sequences of a training step, and tokens of each where the model takes as many. */
const STEP_SEQUENCES = 4;
const STEP_TOKENS = 8192;

/** A model whose training step is known here; undefined for experts and latent attention. */
const trainable = (model: Architecture) =>
  expertsOf(model) === undefined && model.kv_lora_rank === undefined ? workloadConfig(model) : undefined;

const stepTokens = (model: Architecture) => Math.min(STEP_TOKENS, model.max_position_embeddings);

const notTrainable = "training of experts and latent attention is not modelled";

/** What a chip does of each phase, beside what a training step takes at most by its roofline. */
export function phasesTable(asked: readonly Contestant[], question: Question): Table {
  const { architecture } = modelOf(question);
  const config = trainable(architecture);
  const tokens = stepTokens(architecture);
  const state = TRAINING_STATE_BYTES * parameterCounts(architecture).total;
  const trained = ({ entry: { chip } }: Contestant): Cell => {
    if (config === undefined) return unknown(notTrainable);
    const [bound] = trainingBounds(trainingStep(config, tokens, STEP_SEQUENCES), [chip]);
    if (bound?.tokensPerSecond !== undefined)
      return figure(exactly(bound.tokensPerSecond), { title: `At most: ${chipSource(chip, "f16")}` });
    return unknown(bound === undefined || bound.roof.known ? "no bound" : bound.roof.missing);
  };
  return {
    title: "Training, prefill and decode of one chip",
    note:
      `Training: the roofline of a 16-bit step of ${STEP_SEQUENCES} sequences of ${tokens} tokens, at most, as if one chip's memory held ` +
      `model and optimiser (${scaled(state, "B")}). Prefill and decode as predicted, of the chips that hold the model, divided by their number.`,
    columns: [
      "chip",
      "training, tokens/s at most",
      "chips for the state",
      "prefill, tokens/s",
      "decode, tokens/s",
      "tokens read per token written, in time",
    ],
    rows: asked.map((each) => {
      const { entry, chips, predicted } = each;
      const capacity = capacityOf(entry.chip);
      const held: Cell =
        capacity === undefined
          ? unknown("no verified memory size")
          : {
              ...figure(exactly(Math.ceil(state / capacity.value)), {
                title: `${scaled(state, "B")} over ${scaled(capacity.value, "B")} (${capacity.kind})`,
              }),
              ...(capacity.source !== "" && { href: capacity.source }),
            };
      const first = [{ text: entry.name }, trained(each), held];
      if (!isRunner(each))
        return [...first, unknown(predicted.status === "predicted" ? "" : predicted.reason)];
      const { prefill, decode } = each.predicted;
      const where = behind(each.predicted);
      const perChip = (estimate: typeof decode.tokensPerSecond) => monotone((up) => up(estimate) / chips);
      if (prefill === undefined)
        return [...first, unknown("no verified peak"), figure(perChip(decode.tokensPerSecond), where.decode)];
      const ratio = monotone((up, down) => up(prefill.tokensPerSecond) / down(decode.tokensPerSecond));
      return [
        ...first,
        figure(perChip(prefill.tokensPerSecond), where.prefill),
        figure(perChip(decode.tokensPerSecond), where.decode),
        figure(ratio, { title: "prefill over decode, both as predicted" }),
      ];
    }),
  };
}

/** The life of the question's model. */
export function lifeOf(question: Question): Life {
  const { training, requests, batch } = question;
  return {
    trainingTokens: training,
    trainingSequence: stepTokens(modelOf(question).architecture),
    trainingBatch: STEP_SEQUENCES,
    scenario: scenarioOf(question),
    requests,
    batch,
  };
}

/** Shares of training, reading and writing in FLOP, and in the seconds of each picked chip at its roofline. */
export function lifetimeTable(asked: readonly Contestant[], question: Question): Table {
  const { architecture } = modelOf(question);
  const config = trainable(architecture);
  const life = lifeOf(question);
  const { training, requests, prompt, output, batch } = question;
  const cells = ({ share: of, crossover }: LifetimeSplit, title: string): Cell[] => [
    ...lifePhases.map((phase) => scaledFigure(of[phase], share, { title })),
    figure(crossover, { title: `${title}; training over prefill and decode of one request` }),
  ];
  const rows = (): Cell[][] => {
    if (config === undefined) return [[{ text: "FLOP" }, unknown(notTrainable)]];
    return [
      [
        { text: "FLOP" },
        ...cells(
          lifetimeSplit(life, lifeFlops(config, life)),
          "6 or 2 FLOP per weight and token, and attention",
        ),
      ],
      ...asked.map(({ entry: { name, chip } }): Cell[] => {
        const roof = chipRoof(chip, "f16");
        if (!roof.known) return [{ text: `seconds of ${name}` }, unknown(roof.missing)];
        const split = lifetimeSplit(life, lifeSeconds(config, life, roof.roof, "f16"));
        return [
          { text: `seconds of ${name}` },
          ...cells(split, `At the roofline: ${chipSource(chip, "f16")}`),
        ];
      }),
    ];
  };
  return {
    title: "A model's life",
    note:
      `Trained on ${written(training)} tokens, then asked ${written(requests)} times for ${prompt} tokens in and ${output} out, ` +
      `batch ${batch}, in 16 bits. FLOP hide that decode waits for memory; seconds at the roofline do not.`,
    columns: ["counted in", "training", "prefill", "decode", "requests until inference outweighs training"],
    rows: rows(),
  };
}
