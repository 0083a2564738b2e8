// The roofline: measured steps under the device's own roof, with the roofs of a few reference chips.

import { measuredCell } from "../analysis/cells";
import { chipRoof, measuredRoof } from "../analysis/roofline";
import type { Throughput } from "../analysis/throughput";
import type { Chip } from "../chips/chip";
import type { Result } from "../result";
import { byteRate, flopRate, significant, written } from "../units";
import { chipSource } from "./chip_sources";
import { ownName } from "./device_name";
import type { Roofline, Table } from "./report_types";
import { cell } from "./wording";

const ROOFLINE_CHIPS = ["h100-sxm", "b200", "mi355x", "rtx-4090", "apple-m1"];

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

/** One roofline for each type in which something was measured. */
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
        each.dtype === dtype
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
    if (points.size === 0) return [];
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
      evidence: "measured",
      points: [...points.values()],
    };
    return [{ chart, table: rooflineTable(chart) }];
  });
}
