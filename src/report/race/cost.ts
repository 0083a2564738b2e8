// What the picked chips cost and burn: a second of them, a token of them, and a demand met with them.

import { supply } from "../../analysis/economics/demand";
import type { PowerDraw } from "../../analysis/economics/hardware";
import { chipCost } from "../../analysis/economics/hardware";
import type { InAndOut } from "../../analysis/economics/token_economics";
import type { Estimate } from "../../analysis/estimate";
import { exactly } from "../../analysis/interval";
import {
  dollarsPerHour,
  dollarsPerMillionTokens,
  joulesPerToken,
  kilowattHoursPerMillionTokens,
  type ScaleOf,
  significant,
  watts,
} from "../../units";
import type { Cell, Table } from "../report_types";
import { assumptionsFor, type Contestant, isRunner, type Runner } from "./contestant";
import type { Question } from "./question";
import { cellOf, evidence, figure, scaledFigure, unknown } from "./where_from";

const factorOf = (scaleOf: ScaleOf) => scaleOf(1).factor;

/** A chip's own row, or the reason why there is none. */
const rowOf = (each: Contestant, cells: (runner: Runner) => Cell[]): Cell[] => {
  const { entry, chips, predicted } = each;
  const name = {
    text: chips === 1 ? entry.name : `${chips} × ${entry.name}`,
    title: `figures ${entry.chip.unit}`,
  };
  if (isRunner(each)) return [name, ...cells(each)];
  return [name, unknown(predicted.status === "predicted" ? "not predicted" : predicted.reason)];
};

const drawn = ({ evidence: rated, cooling, pue }: PowerDraw, step: string) =>
  evidence(`${step}, ${cooling} cooling, PUE ${pue}. Rated power`, rated);

/** Watts and dollars of one chip, whatever it runs. */
export function hardwareTable(asked: readonly Contestant[], question: Question): Table {
  return {
    title: "A second of one chip",
    note: "A rent has host, electricity and margin in it. Owned: price over lifetime and utilisation, host and electricity beside it.",
    columns: [
      "chips",
      "rated",
      "with host",
      "at the meter",
      "cooling",
      "PUE",
      "rent, $/h",
      "owned, $/h",
      "of that chip",
      "host",
      "energy",
    ],
    rows: asked.map((each) =>
      rowOf(each, ({ entry, economics }) => {
        const { energy } = economics;
        const watt = (of: (power: PowerDraw) => number, step: string) =>
          cellOf(energy, ({ power }) => scaledFigure(exactly(of(power)), watts, drawn(power, step)));
        const assumed = assumptionsFor(entry, question.assumptions);
        const perHour = factorOf(dollarsPerHour);
        const rent = chipCost(entry.chip, "rent", assumed);
        const owned = chipCost(entry.chip, "purchase", assumed);
        const part = (key: "chip" | "host" | "energy") =>
          owned.known
            ? figure(exactly(owned.parts[key]), { title: "by the assumptions below" }, perHour)
            : { text: "" };
        return [
          watt(({ evidence: rated }) => rated.value, "As rated"),
          watt(({ itWatts }) => itWatts, "At the assumed load, with its share of host and network"),
          watt(({ facilityWatts }) => facilityWatts, "With host, network and building"),
          { text: energy.known ? energy.power.cooling : "" },
          energy.known
            ? figure(exactly(energy.power.pue), { title: "by the assumptions below" })
            : { text: "" },
          cellOf(rent, (cost) =>
            figure(exactly(cost.dollarsPerSecond), evidence("rent", cost.evidence), perHour),
          ),
          cellOf(owned, (cost) =>
            figure(exactly(cost.dollarsPerSecond), evidence("price", cost.evidence), perHour),
          ),
          part("chip"),
          part("host"),
          part("energy"),
        ];
      }),
    ),
  };
}

/** Dollars, joules and kilowatt-hours of a token read and of a token written. */
export function tokenTable(asked: readonly Contestant[], { batch }: Question): Table {
  const sides = ["input", "output"] as const;
  return {
    title: `A token, batch ${batch}`,
    note: "Tokens read and tokens written, each at its own speed. Energy at the meter of the building; tokens/s/W of the chips alone, as vendors count.",
    columns: [
      "chips",
      "rented, $/M in",
      "rented, $/M out",
      "owned, $/M in",
      "owned, $/M out",
      "J/token in",
      "J/token out",
      "kWh/M out",
      "electricity, $/M out",
      "tokens/s/W in",
      "tokens/s/W out",
    ],
    rows: asked.map((each) =>
      rowOf(each, ({ economics: { rent, purchase, energy }, predicted }) => {
        const isRead = predicted.prefill !== undefined;
        const ofSide = (side: keyof InAndOut<Estimate>, of: () => Cell) =>
          side === "input" && !isRead ? unknown("no verified peak") : of();
        const money = [rent, purchase].flatMap((known) =>
          sides.map((side) =>
            ofSide(side, () =>
              cellOf(known, ({ cost, dollarsPerToken }) =>
                figure(
                  dollarsPerToken[side],
                  evidence(`${cost.basis} price`, cost.evidence, " over the predicted tokens per second"),
                  factorOf(dollarsPerMillionTokens),
                ),
              ),
            ),
          ),
        );
        const burnt = (side: "input" | "output", of: "joules" | "kWh" | "dollars" | "perWatt") =>
          ofSide(side, () =>
            cellOf(energy, (each) => {
              const where = drawn(each.power, of === "perWatt" ? "Of the chips alone" : "At the meter");
              if (of === "perWatt") return figure(each.tokensPerSecondPerWatt[side], where);
              if (of === "dollars")
                return figure(each.dollarsPerToken[side], where, factorOf(dollarsPerMillionTokens));
              const scale = of === "joules" ? joulesPerToken : kilowattHoursPerMillionTokens;
              return figure(each.joulesPerToken[side], where, factorOf(scale));
            }),
          );
        return [
          ...money,
          burnt("input", "joules"),
          burnt("output", "joules"),
          burnt("output", "kWh"),
          burnt("output", "dollars"),
          burnt("input", "perWatt"),
          burnt("output", "perWatt"),
        ];
      }),
    ),
  };
}

/** Units, chips, racks and megawatts that serve the demand. */
export function demandTable(asked: readonly Contestant[], { demand, batch, assumptions }: Question): Table {
  return {
    title: `${significant(demand)} output tokens/s`,
    note: `Each unit serves batch ${batch}, prompts read in between where that is predicted; peaks and spares need more.`,
    columns: [
      "chips",
      "tokens/s of a unit",
      "units",
      "chips in all",
      "chips per rack",
      "racks",
      "cooling",
      "at the meter",
    ],
    rows: asked.map((each) =>
      rowOf(each, ({ chips, predicted, economics }) => {
        const rate = predicted.throughput ?? predicted.decode.tokensPerSecond;
        const title =
          predicted.throughput === undefined ? "predicted, writing only" : "predicted, reading and writing";
        const speed = figure(rate, { title });
        if (!economics.energy.known) return [speed, unknown(economics.energy.missing)];
        const { power } = economics.energy;
        const needed = supply(demand, { tokensPerSecond: rate, chips, power }, assumptions);
        if (!needed.possible) return [speed, unknown(needed.reason)];
        const where = drawn(power, "Demand over the speed of a unit, rounded up");
        return [
          speed,
          figure(needed.units, where),
          figure(needed.chips, where),
          figure(exactly(needed.chipsPerRack), drawn(power, "Rack power over the chip's with host")),
          figure(needed.racks, where),
          { text: needed.cooling },
          scaledFigure(needed.facilityWatts, watts, drawn(power, "At the meter")),
        ];
      }),
    ),
  };
}
