import type { Report, Table } from "./report_types";

// A cell that a spreadsheet would read as a formula is kept text by a leading apostrophe.
function field(text: string): string {
  const line = text.replace(/\s+/g, " ").trim();
  const safe = /^[=+\-@]/.test(line) ? `'${line}` : line;
  return /[",\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

const lines = ({ title, columns, rows }: Table) =>
  [["table", ...columns], ...rows.map((row) => [title, ...row.map(({ text }) => text)])].map((row) =>
    row.map(field).join(","),
  );

/** All tables one below the other, each with its header; the first column names the table, remarks come first. */
export function csv({ title, warnings, tables, comparisons, rooflines }: Report): string {
  const remarks: Table = {
    title: "Remarks",
    columns: ["remark"],
    rows: [title, ...warnings].map((text) => [{ text }]),
  };
  const twins = [...rooflines, ...comparisons].map(({ table }) => table);
  return `${[remarks, ...tables, ...twins].map((table) => lines(table).join("\n")).join("\n\n")}\n`;
}
