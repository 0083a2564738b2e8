import { html, nothing, type TemplateResult } from "lit";
import type { Cell, Table } from "../../report/report_types";

/** Only the web is linked to: a link of any other kind would run in this page. */
const safe = (href: string | undefined) => (href?.startsWith("https://") ? href : undefined);

/** What can be done with a table where it stands. */
export interface TableUse {
  /** Orders the rows by a column. */
  readonly sort?: (key: string) => void;
  /** What stands before the first cell of a row. */
  readonly lead?: (id: string) => TemplateResult;
  /** Scrolls in a box of its own height. */
  readonly tall?: boolean;
}

/** "154 (121 … 196)": the figure, and its interval small beneath it. */
function parts({ text, number }: Cell): readonly [figure: string, interval: string] {
  const at = text.indexOf(" (");
  return number === undefined || at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 2, -1)];
}

function content(cell: Cell): TemplateResult {
  const [figure, interval] = parts(cell);
  const address = safe(cell.href);
  const shown =
    address === undefined
      ? figure
      : html`<a href=${address} target="_blank" rel="noopener noreferrer">${figure}</a>`;
  return interval === "" ? html`${shown}` : html`${shown} <small>${interval}</small>`;
}

function header({ columns, order }: Table, sort: TableUse["sort"]): TemplateResult[] {
  return columns.map((column, i) => {
    const key = order?.keys[i];
    if (order === undefined || key === undefined || sort === undefined)
      return html`<th scope="col">${column}</th>`;
    const direction = key !== order.by ? "none" : order.descending ? "descending" : "ascending";
    const arrow = { none: "", descending: "▼", ascending: "▲" }[direction];
    return html`<th scope="col" aria-sort=${direction}>
      <button type="button" class="sort" data-key=${key} @click=${() => sort(key)}>
        ${column}<span aria-hidden="true">${arrow}</span>
      </button>
    </th>`;
  });
}

const kindOf = ({ text, number }: Cell) =>
  number !== undefined ? "number" : text.startsWith("? (") ? "unknown" : nothing;

/** A table that scrolls by itself where the page is narrow. */
export function table(shown: Table, { sort, lead, tall = false }: TableUse = {}): TemplateResult {
  const { title, note, rows, ids } = shown;
  const first = (id: string | undefined, i: number) =>
    i === 0 && id !== undefined && lead !== undefined ? lead(id) : nothing;
  return html`
    ${note === undefined ? nothing : html`<p>${note}</p>`}
    <div class="scroll ${tall ? "tall" : ""}" role="region" tabindex="0" aria-label=${title}>
      <table>
        <thead>
          <tr>
            ${header(shown, sort)}
          </tr>
        </thead>
        <tbody>
          ${rows.map(
            (row, r) =>
              html`<tr>${row.map((cell, i) => html`<td class=${kindOf(cell)} title=${cell.title ?? nothing}>${first(ids?.[r], i)}${content(cell)}</td>`)}</tr>`,
          )}
        </tbody>
      </table>
    </div>
  `;
}
