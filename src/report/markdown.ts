import { significant } from "../units";
import type { Bars, Groups, Report, Table } from "./report_types";

// Cells hold text of adapters and links: what Markdown would read as markup is escaped.
const escaped = (text: string) => text.replace(/[|\\`*_<>[\]]/g, "\\$&").replace(/\s+/g, " ");

function table({ title, note, columns, rows }: Table): string {
  const lines = rows.map((row) => row.map(({ text }) => escaped(text)));
  const widths = columns.map((column, i) =>
    Math.max(column.length, ...lines.map((row) => row[i]?.length ?? 0)),
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((text, i) => text.padEnd(widths[i] ?? 0)).join(" | ")} |`;
  const rule = `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`;
  return [
    `## ${title}`,
    "",
    ...(note === undefined ? [] : [note, ""]),
    line(columns),
    rule,
    ...lines.map(line),
  ].join("\n");
}

const BAR = 40;

/** Bars, each with its value. */
function barChart({ title, unit, scale, note, bars }: Bars): string {
  const name = Math.max(...bars.map((bar) => bar.name.length));
  const texts = bars.map(({ value }) => significant(value));
  const width = Math.max(...texts.map((text) => text.length));
  const at = bars.map(({ value }) => (scale === "linear" ? value : Math.log10(value)));
  const low = scale === "linear" ? 0 : Math.floor(Math.min(...at));
  const high = Math.max(...at);
  const lines = bars.map((bar, i) => {
    const length = Math.max(1, Math.round((BAR * (at[i]! - low)) / Math.max(high - low, 1e-9)));
    return `${bar.name.replaceAll("`", "'").padEnd(name)}  ${texts[i]!.padStart(width)}  ${(bar.own ? "█" : "▒").repeat(length)}`;
  });
  return [
    `## ${escaped(title)}`,
    "",
    `${unit}${scale === "linear" ? "" : ", logarithmic"}; ${note}`,
    "",
    "```",
    ...lines,
    "```",
  ].join("\n");
}

/** A letter for each series, another one for each: its own first letter where that is free. */
function letters(names: readonly string[]): string[] {
  const taken = new Set<string>();
  return names.map((name) => {
    const letter = [...`${name.toLowerCase()}abcdefghijklmnopqrstuvwxyz`].find(
      (each) => /[a-z]/.test(each) && !taken.has(each),
    );
    taken.add(letter ?? "?");
    return letter ?? "?";
  });
}

/** Stacked bars, each part by its letter; what is drawn side by side has its table. */
function stackChart({ title, unit, note, groups, series }: Groups): string {
  const marks = letters(series.map(({ name }) => name));
  const totals = groups.map((_, i) => series.reduce((sum, { values }) => sum + (values[i] ?? 0), 0));
  const longest = Math.max(...totals);
  const name = Math.max(...groups.map((group) => group.length));
  const texts = totals.map(significant);
  const width = Math.max(...texts.map((text) => text.length));
  const lines = groups.map((group, i) => {
    // Parts end where their sum so far does: what is rounded off one is part of the next.
    let [sum, drawn] = [0, ""];
    series.forEach(({ values }, s) => {
      sum += values[i] ?? 0;
      drawn += marks[s]!.repeat(Math.max(0, Math.round((BAR * sum) / longest) - drawn.length));
    });
    return `${group.replaceAll("`", "'").padEnd(name)}  ${texts[i]!.padStart(width)}  ${drawn}`;
  });
  return [
    `## ${escaped(title)}`,
    "",
    `${unit}; ${note}. ${series.map((each, i) => `${marks[i]}: ${escaped(each.name)}`).join(", ")}`,
    "",
    "```",
    ...lines,
    "```",
  ].join("\n");
}

/** The report as Markdown that reads well on a terminal too. */
export function markdown(report: Report): string {
  const {
    title,
    subtitle,
    warnings,
    headlines,
    tables,
    comparisons,
    rooflines,
    curves = [],
    breakdowns = [],
    software,
  } = report;
  // Measured steps stand among the cells already.
  const twins = [...rooflines.filter(({ chart }) => chart.evidence === "predicted"), ...curves];
  return `${[
    `# ${escaped(title)}`,
    escaped(subtitle),
    ...(warnings.length > 0 ? [warnings.map((warning) => `> ${escaped(warning)}`).join("\n>\n")] : []),
    ...headlines.map(({ model, workload, dtype, main, rate, share, whole, meaning }) =>
      [
        `**${escaped([model, workload, dtype].filter(Boolean).join(" "))}: ${main}**${software ? " (a CPU's number)" : ""}`,
        "",
        ...(whole === undefined ? [] : [`- ${whole}`]),
        `- ${rate}`,
        `- ${share}`,
        `- ${meaning}`,
      ].join("\n"),
    ),
    ...[...twins.map((each) => each.table), ...tables].map(table),
    ...breakdowns.flatMap(({ chart }) => (chart.stacked ? [stackChart(chart)] : [])),
    ...comparisons.map(({ chart }) => barChart(chart)),
  ].join("\n\n")}\n`;
}
