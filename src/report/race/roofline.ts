// Prefill and decode of the question under the picked chips' roofs: how near each is predicted to come, and what binds it.

import type { Estimate } from "../../analysis/estimate";
import { monotone } from "../../analysis/interval";
import { type PhaseWork, phaseWork } from "../../analysis/pass_intensity";
import type { UsedFigure } from "../../analysis/prediction/chip_figures";
import { byteRate, flopRate, share, significant, written } from "../../units";
import type { Cell, Roofline, Table } from "../report_types";
import { contestant, isRunner, modelOf, pickedOf, type Runner } from "./contestant";
import type { RaceEntry } from "./entry";
import type { Question } from "./question";
import { behind, figure, scaledFigure, unknown } from "./where_from";

const cite = ({ name, kind, source, derivation }: UsedFigure) =>
  `${name} (${[kind, derivation, source].filter(Boolean).join(", ")})`;

/** The two figures that a roof is made of: the peak of the weights' arithmetic, and the bandwidth. */
function roofOf({ entry, predicted }: Runner) {
  const bandwidth = predicted.figures.find(({ name }) => /bandwidth$/.test(name));
  const peak = predicted.figures.find(({ name }) => /peak$/.test(name) && name !== "fp32 peak");
  if (peak === undefined || bandwidth === undefined || predicted.prefill === undefined) return undefined;
  return {
    name: entry.name,
    flops: peak.value,
    bandwidth: bandwidth.value,
    own: entry.origin === "measured",
    source: `${cite(peak)}; ${cite(bandwidth)}`,
    figures: { peak, bandwidth },
  };
}
type Roof = NonNullable<ReturnType<typeof roofOf>>;

/** Per chip, and the share of what the roof allows at this intensity. */
function reached(seconds: Estimate, { flops, bytes }: PhaseWork["decode"], chips: number, roof: Roof) {
  const rate = monotone((_, down) => flops / down(seconds) / chips);
  const limit = Math.min(roof.flops, (flops / bytes) * roof.bandwidth);
  return { rate, limit, share: monotone((up) => up(rate) / limit) };
}

const link = (figure: UsedFigure): Omit<Cell, "text"> => ({
  title: cite(figure),
  ...(figure.source !== "" && { href: figure.source }),
});

function rows(runner: Runner, roof: Roof, work: PhaseWork): Cell[][] {
  const { entry, predicted, chips } = runner;
  const where = behind(predicted);
  const counted = "FLOP and bytes of the question's request: weights once, KV cache, activations on the chip";
  return (["prefill", "decode"] as const).map((phase) => {
    const { flops, bytes } = work[phase];
    const seconds = phase === "prefill" ? predicted.ttft : predicted.tpot;
    const intensity = figure(
      { value: flops / bytes, low: flops / bytes, high: flops / bytes },
      { title: counted },
    );
    if (seconds === undefined) return [{ text: `${entry.name} ${phase}` }, intensity];
    const { rate, limit, share: of } = reached(seconds, work[phase], chips, roof);
    const bound = limit < roof.flops ? "memory" : "arithmetic";
    return [
      { text: `${entry.name} ${phase}` },
      intensity,
      scaledFigure(rate, flopRate, where[phase]),
      scaledFigure(of, share, {
        title: `of ${written(limit, flopRate)}: the lower of peak and intensity × bandwidth`,
      }),
      { text: bound, title: `the ridge is at ${significant(roof.flops / roof.bandwidth)} FLOP/byte` },
      { text: written(roof.flops, flopRate), ...link(roof.figures.peak) },
      { text: written(roof.bandwidth, byteRate), ...link(roof.figures.bandwidth) },
    ];
  });
}

/** The chart of the picked chips and the table beneath it; chips without a roof are named in it. Per chip. */
export function raceRoofline(
  entries: readonly RaceEntry[],
  question: Question,
): { readonly chart: Roofline; readonly table: Table } {
  const work = phaseWork(modelOf(question), question);
  const asked = pickedOf(entries, question).map((entry) => contestant(entry, question));
  const drawn = asked.flatMap((each) => {
    const roof = isRunner(each) ? roofOf(each) : undefined;
    return isRunner(each) && roof !== undefined ? [{ runner: each, roof }] : [];
  });
  const title = `Roofline: ${question.model} in ${question.weights}, per chip, as predicted`;
  const without = asked
    .filter((each) => !drawn.some(({ runner }) => runner.entry.id === each.entry.id))
    .map(({ entry, predicted }): Cell[] => [
      { text: entry.name },
      unknown(predicted.status === "predicted" ? "no verified peak" : predicted.reason),
    ]);
  const chart: Roofline = {
    kind: "roofline",
    id: "race roofline",
    title,
    evidence: "predicted",
    roofs: drawn.map(({ roof: { figures: _, ...roof } }) => roof),
    points: drawn.flatMap(({ runner: { predicted, chips }, roof }) =>
      (["prefill", "decode"] as const).flatMap((phase) => {
        const seconds = phase === "prefill" ? predicted.ttft : predicted.tpot;
        if (seconds === undefined) return [];
        const { flops, bytes } = work[phase];
        const rate = flops / seconds.value / chips;
        const intensity = flops / bytes;
        const name = `${roof.name}, ${phase}`;
        return [{ name, under: roof.name, phase, intensity, flops: rate, bytesPerSecond: rate / intensity }];
      }),
    ),
  };
  const columns = ["what", "FLOP/byte", "FLOP/s per chip", "of the roof", "bound by", "peak", "bandwidth"];
  return {
    chart,
    table: {
      title,
      note:
        "No chip is faster than the lower of its peak and FLOP/byte × bandwidth. Where several chips share a model, each does its " +
        "part; on chips whose memory is SRAM layers run one after another, and most of them wait.",
      columns,
      rows: [...drawn.flatMap(({ runner, roof }) => rows(runner, roof, work)), ...without],
    },
  };
}
