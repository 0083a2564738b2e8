import { html, type TemplateResult } from "lit";
import type { Bars, Roofline, Table } from "../../report/report_types";
import "../charts/chart_element";
import { table } from "./table";

/** A chart, and beneath it the table that says the same with every source. */
export function chart(drawn: Bars | Roofline, twin: Table): TemplateResult {
  return html`
    <figure>
      <figcaption>${drawn.title}</figcaption>
      <tokenroof-chart .chart=${drawn}></tokenroof-chart>
      <details><summary>Table and sources</summary>${table(twin)}</details>
    </figure>
  `;
}
