import { html, type TemplateResult } from "lit";
import type { Bars, Roofline, Table } from "../../report/report_types";
import { table } from "./table";

/** Charts are half of the page's code, and the first thing that a page shows is none: it loads without them. */
const loadCharts = () => void import("../charts/chart_element");

/** A chart, and beneath it the table that says the same with every source. */
export function chart(drawn: Bars | Roofline, twin: Table): TemplateResult {
  loadCharts();
  return html`
    <figure>
      <figcaption>${drawn.title}</figcaption>
      <tokenroof-chart .chart=${drawn}></tokenroof-chart>
      <details><summary>Table and sources</summary>${table(twin)}</details>
    </figure>
  `;
}
