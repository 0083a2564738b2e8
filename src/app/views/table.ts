import { html, nothing, type TemplateResult } from "lit";
import type { Cell, Table } from "../../report/report_types";

/** Only the web is linked to: a link of any other kind would run in this page. */
const safe = (href: string | undefined) => (href?.startsWith("https://") ? href : undefined);

function content({ text, href }: Cell) {
  const address = safe(href);
  return address === undefined
    ? text
    : html`<a href=${address} target="_blank" rel="noopener noreferrer">${text}</a>`;
}

/** A table that scrolls by itself where the page is narrow. */
export function table({ title, note, columns, rows }: Table): TemplateResult {
  return html`
    ${note === undefined ? nothing : html`<p>${note}</p>`}
    <div class="scroll" role="region" tabindex="0" aria-label=${title}>
      <table>
        <thead>
          <tr>
            ${columns.map((column) => html`<th scope="col">${column}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${rows.map((row) => html`<tr>${row.map((cell) => html`<td title=${cell.title ?? nothing}>${content(cell)}</td>`)}</tr>`)}
        </tbody>
      </table>
    </div>
  `;
}
