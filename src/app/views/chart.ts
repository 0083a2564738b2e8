import { html, type TemplateResult } from "lit";
import { ref } from "lit/directives/ref.js";
import type { Bars, Groups, Lines, Roofline, Table } from "../../report/report_types";
import { table } from "./table";

/** Charts are half of the page's code, and the first thing that a page shows is none: it loads without them. */
const loadCharts = () => void import("../charts/chart_element");

/** How near a chart has to be before it is loaded where that waits. */
const NEAR = "600px";

const waiting = new IntersectionObserver(
  (seen) => {
    if (!seen.some(({ isIntersecting }) => isIntersecting)) return;
    waiting.disconnect();
    loadCharts();
  },
  { rootMargin: NEAR },
);

/** A chart, and beneath it the table that says the same with every source. Loaded at once, or when it comes near. */
export function chart(
  drawn: Bars | Groups | Roofline | Lines,
  twin: Table,
  load: "now" | "near" = "now",
): TemplateResult {
  if (load === "now") loadCharts();
  const watched = (element: Element | undefined) => {
    if (load === "near" && element !== undefined && customElements.get("tokenroof-chart") === undefined)
      waiting.observe(element);
  };
  return html`
    <figure>
      <figcaption>${drawn.title}</figcaption>
      <tokenroof-chart .chart=${drawn} ${ref(watched)}></tokenroof-chart>
      <details><summary>Table and sources</summary>${table(twin)}</details>
    </figure>
  `;
}
