// Every published figure of the picked chips, with the words of its source.

import { type Chip, type Figure, isVerified } from "../../chips/chip";
import { scaled } from "../../units";
import type { Cell, Table } from "../report_types";
import type { RaceEntry } from "./entry";

const words: Readonly<Record<string, readonly [name: string, unit: string]>> = {
  capacity: ["memory", "B"],
  bandwidth: ["memory bandwidth", "B/s"],
  measuredBandwidth: ["memory bandwidth, measured", "B/s"],
  power: ["power", "W"],
  sram: ["SRAM", "B"],
  l2Cache: ["L2 cache", "B"],
  interconnect: ["interconnect", "B/s"],
  hostLink: ["link to the host", "B/s"],
  slowMemory: ["second tier of memory", "B/s"],
  rentPerHour: ["rent", "$/h"],
  purchase: ["price", "$"],
};

type Named = readonly [name: string, figure: Figure & { readonly asOf?: string }, unit: string];

/** A chip's figures under their names. */
function figuresOf({ peakFlops, memory, price = {}, ...chip }: Chip): Named[] {
  const { kind: _, ...sizes } = memory;
  const { power, sram, l2Cache, interconnect, hostLink, slowMemory } = chip;
  const others = { ...sizes, power, sram, l2Cache, interconnect, hostLink, slowMemory, ...price };
  return [
    ...Object.entries(peakFlops).map(
      ([format, figure]): Named => [`peak ${format}`, figure, format === "int8" ? "OP/s" : "FLOP/s"],
    ),
    ...Object.entries(others).flatMap(([key, figure]): Named[] => {
      const [name = key, unit = ""] = words[key] ?? [];
      return figure === undefined ? [] : [[name, figure, unit]];
    }),
  ];
}

/** The figures that everything else rests on. */
export function figureTable(entries: readonly RaceEntry[]): Table {
  return {
    title: "Figures and where they are from",
    note: "A figure from memory (recalled-unverified) is shown and never computed with.",
    columns: ["chip", "figure", "value", "kind", "as of", "words of the source", "source"],
    rows: entries.flatMap(({ name, chip }) =>
      figuresOf(chip).map(([what, figure, unit]): Cell[] => {
        const { value, kind, quote, source, asOf = "" } = figure;
        const href = source === "" ? {} : { href: source };
        const text = unit.startsWith("$") ? `${value} ${unit}` : scaled(value, unit);
        return [
          { text: name },
          { text: what },
          { text: isVerified(figure) ? text : `${text} (unverified)`, title: quote, ...href },
          { text: kind },
          { text: asOf },
          { text: quote },
          { text: source, ...href },
        ];
      }),
    ),
  };
}
