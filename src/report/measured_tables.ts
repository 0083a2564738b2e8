// What was measured as a whole, and on what, as tables.

import { cacheKnee } from "../analysis/cache_knee";
import { probeRate } from "../analysis/roofline";
import { wander } from "../analysis/throttling";
import { intensity, type Throughput } from "../analysis/throughput";
import { tuningTotals } from "../analysis/tuning";
import type { Result } from "../result";
import {
  byteRate,
  duration,
  estimated,
  flopRate,
  memory,
  operationRate,
  percent,
  significant,
  tokenRate,
} from "../units";
import { deviceName } from "./device_name";
import type { Table } from "./report_types";
import { cell, rateOfInterest } from "./wording";

/** Every workload in every type, or why it has no figure. */
export function workloadTable({ device, forwards }: Result, all: readonly Throughput[]): Table {
  const on = cell(device.software === null ? "GPU" : "CPU");
  return {
    title: "Workloads",
    note:
      "Tokens per second of the whole model follow from the measured steps: matrix products and attention. " +
      (forwards.some(({ status }) => status === "measured")
        ? "What whole models took, with all that lies between their products, is in the next table."
        : "Norms, rotary embeddings, activations and sampling are not among them: forward=on runs the models whole."),
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

/** What each probe measures, as a column's name, and how its rate is written. */
const probeColumns = [
  ["fma", "fma", flopRate],
  ["mma", "matrix units", flopRate],
  ["dot", "packed bytes", operationRate],
  ["read", "read", byteRate],
  ["copy", "copy", byteRate],
] as const;

/** What the probes reached: a row for each type, a column for each probe that there was. */
export function roofTable(result: Result): Table {
  const dtypes = [...new Set(result.outcomes.map(({ dtype }) => dtype))];
  const rates = dtypes.map((dtype) => probeColumns.map(([probe]) => probeRate(result, probe, dtype)));
  const shown = probeColumns.flatMap((column, i) =>
    rates.some((row) => row[i] !== undefined) ? [{ column, i }] : [],
  );
  return {
    title: "This device's own roof",
    note:
      "The best of a sweep of probes: arithmetic in registers, in each way that this device has; reading; copying. Every " +
      "share is a share of these, in each type of the fastest arithmetic that its kernels may use.",
    columns: ["type", ...shown.map(({ column: [, name] }) => name)],
    rows: dtypes.flatMap((dtype, row) => {
      if (rates[row]!.every((rate) => rate === undefined)) return [];
      const texts = shown.map(({ column: [, , scale], i }) => {
        const rate = rates[row]![i];
        return rate === undefined ? "" : estimated(rate, scale);
      });
      return [[dtype, ...texts].map((text) => cell(text))];
    }),
  };
}

/** Where the cache ends, or why that is not known. */
function kneeText({ cacheCurve }: Result): string {
  const knee = cacheKnee(cacheCurve);
  if (knee === undefined) return "not measured";
  return knee === 0 ? `no edge seen up to ${memory(cacheCurve.at(-1)?.bytes ?? 0)}` : memory(knee);
}

function wanderText(result: Result): string {
  const readings = result.reference?.readings.length ?? 0;
  if (readings < 4) return "too few readings";
  const wandered = wander(result);
  return wandered === 0 ? "no more than its noise" : percent(wandered);
}

/** "9 searches in 12.3 s, 3 reused"; a link does not tell. */
function tuningText(result: Result): string {
  const { searches, seconds, reused } = tuningTotals(result);
  if (searches + reused === 0) return "";
  const time = seconds === null ? "" : ` in ${duration(seconds)}`;
  return `${searches} ${searches === 1 ? "search" : "searches"}${time}, ${reused} reused`;
}

/** What the clocks and the queue resolve here, where the cache ends and how steady the device was. */
export function instrumentTable(result: Result): Table | undefined {
  const { instruments, reference } = result;
  if (instruments === null) return undefined;
  const { clockStep, timestampQuantum, completionFloor, submitCost, dispatchCost } = instruments;
  const rows: readonly (readonly [string, string])[] = [
    ["step of the clock", duration(clockStep)],
    [
      "step of GPU timestamps",
      timestampQuantum === null ? "none: wall clock only" : duration(timestampQuantum),
    ],
    ["empty submit to completion", duration(completionFloor)],
    ["submit of one dispatch to completion", duration(submitCost)],
    ["one more dispatch", duration(dispatchCost)],
    ["working set that a cache holds", kneeText(result)],
    ["readings of the reference kernel", reference === null ? "none" : String(reference.readings.length)],
    ["the device's speed wandered by", reference === null ? "" : wanderText(result)],
    ["tuning of kernels", tuningText(result)],
  ];
  return {
    title: "Instruments",
    note:
      "Measured first. Times are slopes over batches of dispatches, in which the fixed costs cancel out. The reference kernel is a fixed " +
      "piece of arithmetic, timed before and after each cell; how much it wandered beyond its noise, as a standard deviation, is the device's doing.",
    columns: ["instrument", "here"],
    rows: rows.map((row) => row.map((text) => cell(text))),
  };
}

/** The device, the host and what ran on them. */
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
