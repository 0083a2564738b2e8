// What was measured, as tables.

import { cellName, measuredCell } from "../analysis/cells";
import { probeRate } from "../analysis/roofline";
import { intensity, type Throughput } from "../analysis/throughput";
import type { Outcome, Result } from "../result";
import {
  byteRate,
  duration,
  estimated,
  flopRate,
  memory,
  percent,
  seconds,
  significant,
  tokenRate,
  written,
} from "../units";
import { deviceName } from "./device_name";
import type { Cell, Table } from "./report_types";
import { cell, rateOfInterest } from "./wording";

export function workloadTable({ device }: Result, all: readonly Throughput[]): Table {
  const on = cell(device.software === null ? "GPU" : "CPU");
  return {
    title: "Workloads",
    note:
      "Tokens per second of the whole model follow from the measured steps: matrix products and attention. " +
      "Norms, rotary embeddings, activations and sampling are not measured.",
    columns: ["model", "workload", "type", "on", "tokens/s", "rate", "of own roof", "FLOP/byte"],
    rows: all.map((each) => {
      const { workload, dtype } = each;
      const head = [workload.model ?? "", workload.id, dtype];
      if (!each.complete)
        return [
          ...head.map((text) => cell(text)),
          on,
          cell(`not measured: ${each.reason}`),
          cell(""),
          cell(""),
          cell(""),
        ];
      const { rate, scale, roof } = rateOfInterest(each);
      return [
        ...head.map((text) => cell(text)),
        on,
        cell(each.tokensPerSecond === undefined ? "" : estimated(each.tokensPerSecond, tokenRate)),
        cell(estimated(rate, scale)),
        cell(roof === undefined ? "" : percent(rate.value / roof)),
        cell(significant(intensity(workload, dtype))),
      ];
    }),
  };
}

export function roofTable(result: Result): Table {
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

const blanks = (count: number) => Array.from({ length: count }, () => cell(""));

function cellRow(outcome: Outcome): Cell[][] {
  const head = [cell(cellName(outcome)), cell(outcome.dtype)];
  if (outcome.status === "skipped") return [];
  if (outcome.status === "failed") return [[...head, cell(`failed: ${outcome.error}`), ...blanks(7)]];
  const {
    seconds: perCall,
    perDispatch,
    flopsPerSecond,
    bytesPerSecond,
    intensity,
    piece,
  } = measuredCell(outcome);
  const { count, lowerQuartile, upperQuartile, median } = perDispatch;
  const { check, clock, pieces, tuning } = outcome;
  return [
    [
      ...head,
      cell(tuning),
      cell(pieces > 1 ? `1 / ${significant(pieces)}` : "whole", piece),
      cell(estimated(perCall, seconds)),
      cell(intensity < 4 ? written(bytesPerSecond, byteRate) : written(flopsPerSecond, flopRate)),
      cell(String(count)),
      cell(percent((upperQuartile - lowerQuartile) / median), "interquartile range / median"),
      cell(clock),
      cell(
        check.tolerance === 0 ? "exact" : percent(check.error / check.tolerance),
        `${check.elements} elements compared`,
      ),
    ],
  ];
}

/** One row for all calls of a type that were skipped for the same reason. */
function skippedRows({ outcomes }: Result): Cell[][] {
  const counts = new Map<string, { dtype: string; reason: string; count: number }>();
  for (const outcome of outcomes) {
    if (outcome.status !== "skipped") continue;
    const { dtype, reason } = outcome;
    const known = counts.get(`${dtype} ${reason}`);
    counts.set(`${dtype} ${reason}`, { dtype, reason, count: (known?.count ?? 0) + 1 });
  }
  return [...counts.values()].map(({ dtype, reason, count }) => [
    cell(`${count} calls`),
    cell(dtype),
    cell(`skipped: ${reason}`),
    ...blanks(7),
  ]);
}

export function cellTable(result: Result): Table {
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
    rows: [...result.outcomes.flatMap(cellRow), ...skippedRows(result)],
  };
}

export function instrumentTable({ instruments }: Result): Table | undefined {
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

export function environmentTable(result: Result): Table {
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
