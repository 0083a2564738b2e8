import { html, nothing, type TemplateResult } from "lit";
import type { RaceView } from "../../../report/race/views";
import type { Table } from "../../../report/report_types";
import { chart } from "../../views/chart";
import { table } from "../../views/table";
import type { ChipsActions } from "../state";

/** How a view differs from charts with tables beneath. */
export interface SectionParts {
  /** What stands under the heading. */
  readonly before?: TemplateResult | typeof nothing;
  readonly tableOf?: (table: Table) => TemplateResult;
}

/** One view with its anchor, its charts and tables, what they rest on, and itself as a file. */
export function section(
  { name, title, charts, tables, sources }: RaceView,
  { save }: ChipsActions,
  { before = nothing, tableOf = (each) => table(each) }: SectionParts = {},
): TemplateResult {
  return html`
    <section class="view" id=${name} aria-labelledby=${`${name}-title`}>
      <div class="masthead">
        <h2 id=${`${name}-title`}>${title}</h2>
        <p class="actions">
          <button type="button" aria-label=${`${title} as CSV`} @click=${() => save(name, "csv")}>CSV</button>
          <button type="button" aria-label=${`${title} as JSON`} @click=${() => save(name, "json")}>JSON</button>
        </p>
      </div>
      ${before}
      ${charts.map((each) => chart(each.chart, each.table, "near"))}
      ${tables.map((each) => html`<h3>${each.title}</h3>${tableOf(each)}`)}
      ${sources.map((each) => html`<details><summary>${each.title}</summary>${table(each)}</details>`)}
    </section>
  `;
}
