import { chip, chips } from "../../chips";
import { type Chip, type Figure, flopsFor, isVerified } from "../../chips/chip";
import { unknownName } from "../../plan";
import { scaled } from "../../units";
import { Exit, ExitCode } from "../exit";
import type { Options } from "../options";

const shown = (figure: Figure | undefined, unit: string) =>
  figure === undefined ? "?" : `${scaled(figure.value, unit)}${isVerified(figure) ? "" : " (unverified)"}`;

/** Every figure of a chip with where it is from. */
function details(chip: Chip): string {
  const figures: [string, Figure | undefined, string][] = [
    ...Object.entries(chip.peakFlops).map(([format, figure]): [string, Figure, string] => [
      `peak ${format}`,
      figure,
      format === "int8" ? "op/s" : "FLOP/s",
    ]),
    ["memory", chip.memory.capacity, "B"],
    ["bandwidth", chip.memory.bandwidth, "B/s"],
    ["power", chip.power, "W"],
    ["interconnect", chip.interconnect, "B/s"],
    ["SRAM", chip.sram, "B"],
  ];
  return [
    `${chip.name} (${chip.id}): ${chip.class}, ${chip.role}, ${chip.launch}, figures ${chip.unit}`,
    ...(chip.note === undefined ? [] : [chip.note]),
    "",
    ...figures.flatMap(([name, figure, unit]) =>
      figure === undefined
        ? []
        : [
            `${name.padEnd(16)} ${shown(figure, unit).padEnd(26)} ${figure.kind}  ${figure.source}  “${figure.quote}”`,
          ],
    ),
  ].join("\n");
}

function list(): string {
  const rows = chips.map((each) => {
    const peak = flopsFor(each, "f16");
    const { capacity, bandwidth } = each.memory;
    return [
      each.id,
      each.name,
      each.class,
      peak === undefined ? "?" : `${scaled(peak.figure.value, "FLOP/s")} ${peak.format}`,
      shown(bandwidth, "B/s"),
      shown(capacity, "B"),
      shown(each.power, "W"),
    ];
  });
  const header = ["id", "name", "class", "dense 16-bit peak", "bandwidth", "memory", "power"];
  const widths = header.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]!.length)));
  return [header, ...rows]
    .map((row) =>
      row
        .map((text, i) => text.padEnd(widths[i]!))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** Lists the reference chips, or one with the source of each figure. */
export function chipsCommand(words: readonly string[], { json }: Options): ExitCode {
  const [id] = words;
  if (id === undefined) {
    process.stdout.write(`${json ? JSON.stringify(chips, null, 2) : list()}\n`);
    return ExitCode.done;
  }
  const found = chip(id);
  if (found === undefined)
    throw new Exit(
      ExitCode.usage,
      unknownName(
        "chip",
        id,
        chips.map((each) => each.id),
      ),
    );
  process.stdout.write(`${json ? JSON.stringify(found, null, 2) : details(found)}\n`);
  return ExitCode.done;
}
