// The measured device beside the reference chips: charts, and the tables that say the same.

import { measuredCell } from "../analysis/cells";
import { chipBounds } from "../analysis/compare";
import { chipRoof, measuredRoof } from "../analysis/roofline";
import type { Throughput } from "../analysis/throughput";
import type { Chip, Figure } from "../chips/chip";
import type { Outcome, Result } from "../result";
import { byteRate, estimated, flopRate, percent, significant, tokenRate, written } from "../units";
import { ownName } from "./device_name";
import type { Bars, Roofline, Table } from "./report_types";
import { type Complete, cell } from "./wording";

type DType = Outcome["dtype"];

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

const ROOFLINE_CHIPS = ["h100-sxm", "b200", "mi355x", "rtx-4090", "apple-m1"];

const cite = (figure: Figure): string => `${figure.kind}: ${figure.source || "derived"} “${figure.quote}”`;

/** "989 TFLOP/s fp16, …; 3.35 TB/s, …" with sources. */
function chipSource(chip: Chip, dtype: DType): string {
  const roof = chipRoof(chip, dtype);
  if (!roof.known) return roof.missing;
  const [peak, bandwidth] = roof.figures;
  return `${written(peak.value, flopRate)} dense ${roof.format} (${cite(peak)}); ${written(bandwidth.value, byteRate)} (${cite(bandwidth)})`;
}

const title = (each: Complete) => `${each.workload.model} ${each.workload.id}`;

/** The measured figure first, then the bound of each drawn chip, fastest first. Reference chips compute in 16 bits. */
export function comparison(
  result: Result,
  each: Complete,
  chips: readonly Chip[],
): { chart: Bars; table: Table } {
  const bounds = chipBounds(each.workload, chips, "f16");
  const own = each.tokensPerSecond!;
  const id = `${each.workload.model} ${each.workload.id} ${each.dtype}`;
  const drawn = bounds
    .flatMap(({ chip, tokensPerSecond }) =>
      tokensPerSecond !== undefined && DRAWN_CHIPS.includes(chip.id)
        ? [
            {
              name: chip.name,
              value: tokensPerSecond,
              own: false,
              source: `${written(tokensPerSecond, tokenRate)} at most: ${chipSource(chip, "f16")}`,
            },
          ]
        : [],
    )
    .sort((a, b) => b.value - a.value);
  const name = ownName(result);
  return {
    chart: {
      kind: "bars",
      id,
      title: `${title(each)}: as measured here, reference chips at their roofline`,
      unit: "tokens/s",
      bars: [
        {
          name: `${name}, measured, ${each.dtype}`,
          value: own.value,
          own: true,
          source: `measured: ${estimated(own, tokenRate)}`,
        },
        ...drawn,
      ],
    },
    table: {
      title: `${title(each)} on ${chips.length} reference chips`,
      note:
        "Upper bounds: each chip at its published dense 16-bit peak and memory bandwidth, alone, as if its memory held the model. " +
        `Measured here, ${each.dtype}: ${estimated(own, tokenRate)}. Figures that nobody has sourced are named, not guessed.`,
      columns: [
        "chip",
        "tokens/s at most",
        "this device",
        "tokens/s/W at most",
        "chips to hold it",
        "16-bit peak",
        "bandwidth",
        "source",
      ],
      rows: [...bounds]
        .sort((a, b) => (b.tokensPerSecond ?? 0) - (a.tokensPerSecond ?? 0))
        .map(({ chip, roof, tokensPerSecond, tokensPerSecondPerWatt, chipsToHold }) => {
          const held = chipsToHold === undefined ? "?" : String(chipsToHold);
          if (!roof.known || tokensPerSecond === undefined) {
            const why = roof.known ? "" : roof.missing;
            return [
              cell(chip.name),
              cell(`? (${why})`),
              cell(""),
              cell(""),
              cell(held),
              cell(""),
              cell(""),
              cell(""),
            ];
          }
          const [peak, bandwidth] = roof.figures;
          return [
            cell(chip.name, chip.note),
            cell(significant(tokensPerSecond), chipSource(chip, "f16")),
            cell(percent(own.value / tokensPerSecond)),
            cell(
              tokensPerSecondPerWatt === undefined ? "?" : significant(tokensPerSecondPerWatt),
              chip.power && cite(chip.power),
            ),
            cell(held, chip.memory.capacity && cite(chip.memory.capacity)),
            cell(`${written(peak.value, flopRate)} ${roof.format}`, cite(peak)),
            cell(written(bandwidth.value, byteRate), cite(bandwidth)),
            { text: peak.kind, title: cite(peak), ...(peak.source !== "" && { href: peak.source }) },
          ];
        }),
    },
  };
}

/** The points and the roofs of a roofline chart as text. */
function rooflineTable({ title, roofs, points }: Roofline): Table {
  return {
    title,
    note: "A step can be no faster than the lower of the compute roof and its FLOP/byte times the bandwidth roof.",
    columns: ["what", "FLOP/byte", "FLOP/s", "B/s", "source"],
    rows: [
      ...points.map(({ name, intensity, flops, bytesPerSecond }) => [
        cell(name),
        cell(significant(intensity)),
        cell(written(flops, flopRate)),
        cell(written(bytesPerSecond, byteRate)),
        cell("measured"),
      ]),
      ...roofs.map(({ name, flops, bandwidth, source }) => [
        cell(`roof of ${name}`),
        cell(`ridge at ${significant(flops / bandwidth)}`),
        cell(written(flops, flopRate)),
        cell(written(bandwidth, byteRate)),
        cell(source),
      ]),
    ],
  };
}

/** One roofline for each type that has a measured roof. */
export function rooflines(
  result: Result,
  all: readonly Throughput[],
  chips: readonly Chip[],
): { chart: Roofline; table: Table }[] {
  return result.plan.dtype.flatMap((dtype) => {
    const own = measuredRoof(result, dtype);
    if (own === undefined) return [];
    const points = new Map(
      all.flatMap((each) =>
        each.complete && each.dtype === dtype
          ? each.steps.flatMap(({ step, measurement }) => {
              const { intensity, flopsPerSecond: flops, bytesPerSecond } = measuredCell(measurement);
              const name = `${each.workload.id} ${step.label}`;
              const point = { name, phase: each.workload.phase, intensity, flops, bytesPerSecond };
              // What does no arithmetic has no place on a logarithmic axis. Equal calls are one point.
              return flops === 0 ? [] : [[JSON.stringify(step.call), point] as const];
            })
          : [],
      ),
    );
    const references = ROOFLINE_CHIPS.flatMap((id) => {
      const chip = chips.find((each) => each.id === id);
      const roof = chip && chipRoof(chip, dtype);
      return chip && roof?.known
        ? [{ name: `${chip.name} ${roof.format}`, ...roof.roof, own: false, source: chipSource(chip, dtype) }]
        : [];
    });
    const name = `${ownName(result)} ${dtype}`;
    const chart: Roofline = {
      kind: "roofline",
      id: `roofline ${dtype}`,
      title: `Roofline, ${dtype}: measured steps under this device's own roof`,
      roofs: [{ name, ...own, own: true, source: "measured by the probes" }, ...references],
      points: [...points.values()],
    };
    return [{ chart, table: rooflineTable(chart) }];
  });
}
