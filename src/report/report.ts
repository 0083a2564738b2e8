// Result -> Report: everything a reader sees, as text and plain series, whoever draws it.

import { cells, cellView } from "../analysis/cells";
import { chipBounds } from "../analysis/compare";
import { diagnose } from "../analysis/diagnose";
import { chipRoof, measuredRoof, probeRate } from "../analysis/roofline";
import { type Estimate, shareOf } from "../analysis/statistics";
import { intensity, type Throughput, throughputs } from "../analysis/throughput";
import type { Chip, Figure } from "../chips/chip";
import type { Outcome, Result } from "../result";
import { duration, memory, percent, scaled, significant, tokenRate } from "../units";
import { deviceName } from "./device_name";
import type { Bars, Cell, Headline, Report, Roofline, Table } from "./report_types";

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

/** "8.25 GFLOP/s (8.10 … 8.31)" */
function estimated({ value, low, high }: Estimate, text: (value: number) => string): string {
  return `${text(value)} (${text(low)} … ${text(high)})`;
}

const flopRate = (value: number) => scaled(value, "FLOP/s");
const byteRate = (value: number) => scaled(value, "B/s");

type Complete = Extract<Throughput, { complete: true }>;

/** Prefill is judged by arithmetic, decode by memory traffic; single kernels by whichever binds them. */
function rateOfInterest(each: Complete): {
  text: (value: number) => string;
  rate: Estimate;
  roof: number | undefined;
  roofName: string;
} {
  const compute = { text: flopRate, rate: each.flopsPerSecond, roof: each.roof?.flops, roofName: "fma roof" };
  const traffic = {
    text: byteRate,
    rate: each.bytesPerSecond,
    roof: each.roof?.bandwidth,
    roofName: "read roof",
  };
  if (each.workload.phase === "prefill") return compute;
  if (each.workload.phase === "decode") return traffic;
  const ridge = each.roof === undefined ? 1 : each.roof.flops / each.roof.bandwidth;
  return intensity(each.workload, each.dtype) > ridge ? compute : traffic;
}

function headline(each: Complete): Headline {
  const { workload, dtype, tokensPerSecond, seconds } = each;
  const { text, rate, roof, roofName } = rateOfInterest(each);
  const share = roof === undefined ? undefined : shareOf(rate, roof);
  return {
    workload: workload.id,
    ...(workload.model !== undefined && { model: workload.model }),
    phase: workload.phase,
    dtype,
    main: estimated(tokensPerSecond ?? rate, tokensPerSecond === undefined ? text : tokenRate),
    mainValue: (tokensPerSecond ?? rate).value,
    rate: estimated(rate, text),
    share:
      share === undefined
        ? "no roof was measured"
        : `${estimated(share, percent)} of this device's own ${roofName}`,
    meaning:
      workload.phase === "prefill"
        ? `a prompt of ${workload.tokens} tokens is read in ${duration(seconds.value)} (TTFT, without a runtime's overhead)`
        : workload.phase === "decode"
          ? `${duration((seconds.value / workload.tokens) * workload.batch)} per token of each sequence (TPOT, without a runtime's overhead)`
          : `${duration(seconds.value)} per call`,
  };
}

const cell = (text: string, title?: string): Cell => (title === undefined ? { text } : { text, title });

function workloadTable(all: readonly Throughput[]): Table {
  return {
    title: "Workloads",
    note:
      "Tokens per second of the whole model follow from the measured steps: matrix products and attention. " +
      "Norms, rotary embeddings, activations and sampling are not measured.",
    columns: ["model", "workload", "type", "tokens/s", "rate", "of own roof", "FLOP/byte"],
    rows: all.map((each) => {
      const { workload, dtype } = each;
      const head = [workload.model ?? "", workload.id, dtype];
      if (!each.complete)
        return [
          ...head.map((text) => cell(text)),
          cell(`not measured: ${each.reason}`),
          cell(""),
          cell(""),
          cell(""),
        ];
      const { text, rate, roof } = rateOfInterest(each);
      return [
        ...head.map((text) => cell(text)),
        cell(each.tokensPerSecond === undefined ? "" : estimated(each.tokensPerSecond, significant)),
        cell(estimated(rate, text)),
        cell(roof === undefined ? "" : percent(rate.value / roof)),
        cell(significant(intensity(workload, dtype))),
      ];
    }),
  };
}

function roofTable(result: Result): Table {
  return {
    title: "This device's own roof",
    note: "The best of a sweep of probes: arithmetic in registers, reading, copying. Every share is a share of these.",
    columns: ["type", "fma", "read", "copy"],
    rows: result.plan.dtype.flatMap((dtype) => {
      const rates = (["fma", "read", "copy"] as const).map((probe) => probeRate(result, probe, dtype));
      if (rates.every((rate) => rate === undefined)) return [];
      const texts = rates.map((rate, i) =>
        rate === undefined ? "" : estimated(rate, i === 0 ? flopRate : byteRate),
      );
      return [[dtype, ...texts].map((text) => cell(text))];
    }),
  };
}

function cellTable(result: Result): Table {
  return {
    title: "Cells",
    note: "One row per kernel call. Checked against float64 before timing; the error is the largest seen, as a share of what rounding may explain.",
    columns: [
      "call",
      "type",
      "tuning",
      "part",
      "time per call",
      "rate",
      "samples",
      "spread",
      "clock",
      "error",
    ],
    rows: cells(result).map(({ name, outcome, measured }) => {
      const head = [cell(name), cell(outcome.dtype)];
      if (measured === undefined || outcome.status !== "measured") {
        const why =
          outcome.status === "failed"
            ? `failed: ${outcome.error}`
            : outcome.status === "skipped"
              ? `skipped: ${outcome.reason}`
              : "";
        return [...head, cell(why), ...Array.from({ length: 7 }, () => cell(""))];
      }
      const { seconds, perDispatch, flopsPerSecond, bytesPerSecond, piece } = measured;
      const { count, lowerQuartile, upperQuartile, median } = perDispatch;
      const { check, clock, pieces, tuning } = outcome;
      return [
        ...head,
        cell(tuning),
        cell(pieces > 1 ? `1 / ${significant(pieces)}` : "whole", piece),
        cell(estimated(seconds, duration)),
        cell(measured.intensity < 4 ? byteRate(bytesPerSecond) : flopRate(flopsPerSecond)),
        cell(String(count)),
        cell(percent((upperQuartile - lowerQuartile) / median), "interquartile range / median"),
        cell(clock),
        cell(
          check.tolerance === 0 ? "exact" : percent(check.error / check.tolerance),
          `${check.elements} elements compared`,
        ),
      ];
    }),
  };
}

function instrumentTable({ instruments }: Result): Table | undefined {
  if (instruments === null) return undefined;
  const { clockStep, timestampQuantum, completionFloor, submitCost, dispatchCost } = instruments;
  return {
    title: "Instruments",
    note: "Measured first. Times are slopes over batches of dispatches, in which the fixed costs cancel out.",
    columns: ["instrument", "here"],
    rows: [
      ["step of the clock", duration(clockStep)],
      [
        "step of GPU timestamps",
        timestampQuantum === null ? "none: wall clock only" : duration(timestampQuantum),
      ],
      ["empty submit to completion", duration(completionFloor)],
      ["submit of one dispatch to completion", duration(submitCost)],
      ["one more dispatch", duration(dispatchCost)],
    ].map((row) => row.map((text) => cell(text!))),
  };
}

function environmentTable(result: Result): Table {
  const { device, host, tool, plan } = result;
  return {
    title: "Environment",
    columns: ["what", "value"],
    rows: [
      ["device", deviceName(result)],
      ["features", device.features.join(", ") || "none"],
      ["largest binding", memory(device.limits.maxStorageBufferBindingSize ?? 0)],
      ["host", host.agent],
      ["logical cores", String(host.logicalCores)],
      [
        "weights in memory",
        [...new Set(result.residency.map(({ dtype, bytes }) => `${memory(bytes)} ${dtype}`))].join(", ") ||
          "none",
      ],
      ["preset", plan.preset],
      ["measured", result.createdAt],
      ["Tokenroof", `${tool.version} (${tool.commit}), schema ${result.schema}`],
    ].map((row) => row.map((text) => cell(text!))),
  };
}

const cite = (figure: Figure): string => `${figure.kind}: ${figure.source || "derived"} “${figure.quote}”`;

/** "989 TFLOP/s fp16, …; 3.35 TB/s, …" with sources. */
function chipSource(chip: Chip, dtype: DType): string {
  const roof = chipRoof(chip, dtype);
  if (!roof.known) return roof.missing;
  const [peak, bandwidth] = roof.figures;
  return `${flopRate(peak.value)} dense ${roof.format} (${cite(peak)}); ${byteRate(bandwidth.value)} (${cite(bandwidth)})`;
}

const title = (each: Complete) => `${each.workload.model} ${each.workload.id}`;

/** The measured figure first, then the bound of each drawn chip, fastest first. Reference chips compute in 16 bits. */
function comparison(result: Result, each: Complete, chips: readonly Chip[]): { bars: Bars; table: Table } {
  const bounds = chipBounds(each.workload, chips, "f16");
  const own = each.tokensPerSecond!;
  const id = `${each.workload.phase} ${each.workload.id} ${each.dtype}`;
  const drawn = bounds
    .flatMap(({ chip, tokensPerSecond }) =>
      tokensPerSecond !== undefined && DRAWN_CHIPS.includes(chip.id)
        ? [
            {
              name: chip.name,
              value: tokensPerSecond,
              own: false,
              source: `${tokenRate(tokensPerSecond)} at most: ${chipSource(chip, "f16")}`,
            },
          ]
        : [],
    )
    .sort((a, b) => b.value - a.value);
  const name = deviceName(result);
  return {
    bars: {
      kind: "bars",
      id,
      title: `${title(each)}: ${name} as measured, reference chips at their roofline`,
      unit: "tokens/s",
      bars: [
        {
          name: `${name} (measured, ${each.dtype})`,
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
            cell(`${flopRate(peak.value)} ${roof.format}`, cite(peak)),
            cell(byteRate(bandwidth.value), cite(bandwidth)),
            { text: peak.kind, title: cite(peak), ...(peak.source !== "" && { href: peak.source }) },
          ];
        }),
    },
  };
}

/** One roofline for each type that has a measured roof. */
function rooflines(result: Result, all: readonly Throughput[], chips: readonly Chip[]): Roofline[] {
  return result.plan.dtype.flatMap((dtype) => {
    const own = measuredRoof(result, dtype);
    if (own === undefined) return [];
    const points = new Map(
      all.flatMap((each) =>
        each.complete && each.dtype === dtype
          ? each.steps.map(({ step, measurement }) => {
              const { name: call, measured } = cellView(measurement);
              const name = `${each.workload.id} ${step.label}`;
              const { intensity, flopsPerSecond: flops } = measured!;
              return [call, { name, phase: each.workload.phase, intensity, flops }] as const;
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
    const name = `${deviceName(result)} ${dtype}`;
    return [
      {
        kind: "roofline",
        id: `roofline ${dtype}`,
        title: `Roofline, ${dtype}: measured steps under this device's own roof`,
        roofs: [{ name, ...own, own: true, source: "measured by the probes" }, ...references],
        points: [...points.values()],
      },
    ];
  });
}

/** Everything there is to see in a result. Pure. */
export function report(result: Result, chips: readonly Chip[]): Report {
  const all = throughputs(result);
  const complete = all.filter((each) => each.complete);
  const comparisons = complete
    .filter(({ tokensPerSecond }) => tokensPerSecond !== undefined)
    .map((each) => comparison(result, each, chips));
  const instruments = instrumentTable(result);
  return {
    title: deviceName(result),
    subtitle: `${[...new Set(result.workloads.map(({ model, id }) => model ?? id))].join(", ")} · preset ${result.plan.preset} · ${result.createdAt.slice(0, 10)}`,
    software: result.device.software !== null,
    warnings: diagnose(result),
    headlines: complete.map(headline),
    tables: [
      workloadTable(all),
      roofTable(result),
      cellTable(result),
      ...(instruments === undefined ? [] : [instruments]),
      environmentTable(result),
    ],
    comparisons,
    rooflines: rooflines(result, all, chips),
  };
}
