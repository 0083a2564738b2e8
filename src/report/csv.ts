import type { Cell, Report, Table } from "./report_types";

// A cell that a spreadsheet would read as a formula is kept text by a leading apostrophe.
function field(text: string): string {
  const line = text.replace(/\s+/g, " ").trim();
  const safe = /^[=+\-@]/.test(line) ? `'${line}` : line;
  return /[",\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** Six digits, without separators or units. */
const plain = (value: number) => String(Number(value.toPrecision(6)));

/** A column of figures becomes three, for spreadsheets: the figure and the ends of its interval. */
function lines({ title, columns, rows }: Table): string[] {
  const isFigures = columns.map((_, i) => rows.some((row) => row[i]?.number !== undefined));
  const header = columns.flatMap((column, i) => {
    const unit = rows.find((row) => row[i]?.number?.unit !== undefined)?.[i]?.number?.unit;
    const name = unit === undefined ? column : `${column}, ${unit}`;
    return isFigures[i] ? [name, `${name}, low`, `${name}, high`] : [name];
  });
  const cells = (row: readonly Cell[]) =>
    columns.flatMap((_, i) => {
      const { text = "", number } = row[i] ?? {};
      if (!isFigures[i]) return [text];
      return number === undefined ? [text, "", ""] : [number.value, number.low, number.high].map(plain);
    });
  return [["table", ...header], ...rows.map((row) => [title, ...cells(row)])].map((row) =>
    row.map(field).join(","),
  );
}

/** All tables one below the other, each with its header; the first column names the table, remarks come first. */
export function csv({ title, warnings, tables, comparisons, rooflines, curves = [] }: Report): string {
  const remarks: Table = {
    title: "Remarks",
    columns: ["remark"],
    rows: [title, ...warnings].map((text) => [{ text }]),
  };
  const twins = [...rooflines, ...curves, ...comparisons].map(({ table }) => table);
  return `${[remarks, ...tables, ...twins].map((table) => lines(table).join("\n")).join("\n\n")}\n`;
}
