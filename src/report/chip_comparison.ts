// A measured workload beside the reference chips: theirs at the roofline of their data sheets.

import { type ChipBound, chipBounds } from "../analysis/chip_bounds";
import type { Estimate } from "../analysis/estimate";
import type { Chip } from "../chips/chip";
import type { Result } from "../result";
import { byteRate, estimated, flopRate, percent, significant, tokenRate, written } from "../units";
import { chipSource, linked } from "./chip_sources";
import { ownName } from "./device_name";
import type { Bars, Cell, Table } from "./report_types";
import { type Complete, cell } from "./wording";

/** Chips drawn by default: the race, and the cards people own. The table has all of them. */
const DRAWN_CHIPS = [
  "h100-sxm",
  "h200-sxm",
  "b200",
  "mi300x",
  "mi355x",
  "gaudi3",
  "tpu-v6e",
  "tpu-v7-ironwood",
  "trainium2",
  "trainium3",
  "groq-lpu-v1",
  "cerebras-wse3",
  "sambanova-sn40l",
  "rtx-5090",
  "rtx-4090",
  "apple-m4-max",
  "apple-m1",
];

/** A workload with tokens as it was measured in one type. */
export interface MeasuredWorkload {
  readonly each: Complete;
  readonly tokensPerSecond: Estimate;
}

/** The same workload in all its types, for every workload that has tokens. */
export function measuredWorkloads(all: readonly Complete[]): MeasuredWorkload[][] {
  const groups = new Map<string, MeasuredWorkload[]>();
  for (const each of all) {
    if (each.tokensPerSecond === undefined) continue;
    const key = workloadName(each);
    groups.set(key, [...(groups.get(key) ?? []), { each, tokensPerSecond: each.tokensPerSecond }]);
  }
  return [...groups.values()];
}

const workloadName = ({ workload }: Complete) => `${workload.model} ${workload.id}`;

function drawnChips(bounds: readonly ChipBound[]): Bars["bars"] {
  return bounds
    .flatMap(({ chip, tokensPerSecond: value, chipsToHold = 1 }) => {
      if (value === undefined || !DRAWN_CHIPS.includes(chip.id)) return [];
      const source = `${written(value, tokenRate)} at most: ${chipSource(chip, "f16")}`;
      const name = chipsToHold > 1 ? `1 of ${chipsToHold} needed: ${chip.name}` : chip.name;
      return [{ name, value, own: false, source }];
    })
    .sort((a, b) => b.value - a.value);
}

function chipRow({ chip, roof, chipsToHold, ...bound }: ChipBound, own: number): Cell[] {
  const { capacity } = chip.memory;
  const held =
    capacity === undefined
      ? cell("?")
      : linked(chipsToHold === undefined ? "?" : String(chipsToHold), capacity);
  if (!roof.known || bound.tokensPerSecond === undefined) {
    const missing = roof.known ? "no tokens" : roof.missing;
    return [
      cell(chip.name, chip.note),
      cell(`? (${missing})`),
      cell(""),
      cell(""),
      held,
      cell(""),
      cell(""),
      cell(""),
    ];
  }
  const [peak, bandwidth] = roof.figures;
  const perWatt = bound.tokensPerSecondPerWatt;
  return [
    cell(chip.name, chip.note),
    cell(significant(bound.tokensPerSecond), chipSource(chip, "f16")),
    cell(percent(own / bound.tokensPerSecond)),
    chip.power === undefined
      ? cell("?")
      : linked(perWatt === undefined ? "?" : significant(perWatt), chip.power),
    held,
    linked(`${written(peak.value, flopRate)} ${roof.format}`, peak),
    linked(written(bandwidth.value, byteRate), bandwidth),
    cell(`${peak.kind}, ${bandwidth.kind}`),
  ];
}

/**
 * What was measured first, then the bound of each drawn chip, fastest first; the table has all chips.
 * Reference chips compute in 16 bits, whatever was measured here. `group` is not empty.
 */
export function comparison(
  result: Result,
  group: readonly MeasuredWorkload[],
  chips: readonly Chip[],
): { chart: Bars; table: Table } {
  const { workload } = group[0]!.each;
  const name = workloadName(group[0]!.each);
  const bounds = chipBounds(workload, chips, "f16");
  const best = Math.max(...group.map(({ tokensPerSecond }) => tokensPerSecond.value));
  const measured = group.map(
    ({ each: { dtype }, tokensPerSecond }) => `${dtype} ${estimated(tokensPerSecond, tokenRate)}`,
  );
  return {
    chart: {
      kind: "bars",
      id: name,
      title: `${name}: as measured here, reference chips at their roofline`,
      unit: "tokens/s",
      scale: "logarithmic",
      note: "reference chips are upper bounds from published figures",
      bars: [
        ...group.map(({ each: { dtype }, tokensPerSecond }) => ({
          name: `${ownName(result)}, measured, ${dtype}`,
          value: tokensPerSecond.value,
          own: true,
          source: `measured: ${estimated(tokensPerSecond, tokenRate)}`,
        })),
        ...drawnChips(bounds),
      ],
    },
    table: {
      title: `${name} on ${chips.length} reference chips`,
      note:
        "Upper bounds: each chip at its published dense 16-bit peak and memory bandwidth, alone, as if its memory held the model. " +
        `Measured here: ${measured.join(", ")}; the column "this device" is the faster one's share. ` +
        "Figures that nobody has sourced are named, not guessed.",
      columns: [
        "chip",
        "tokens/s at most",
        "this device",
        "tokens/s/W at most",
        "chips to hold it",
        "16-bit peak",
        "bandwidth",
        "kind of source",
      ],
      rows: [...bounds]
        .sort((a, b) => (b.tokensPerSecond ?? 0) - (a.tokensPerSecond ?? 0))
        .map((bound) => chipRow(bound, best)),
    },
  };
}
