import { html, nothing, type TemplateResult } from "lit";
import type { Headline } from "../../report/report_types";
import type { Actions, Shown, State } from "../state";
import { chart } from "./chart";
import { table } from "./table";

const phaseNames = { prefill: "Prefill", decode: "Decode", kernel: "Kernel" } as const;

/** "8.25 tokens/s (8.10 … 8.31)" -> the figure large, its interval small. */
function figure(text: string): TemplateResult {
  const at = text.indexOf(" (");
  return html`<b>${at < 0 ? text : text.slice(0, at)}</b> <small>${at < 0 ? "" : text.slice(at + 1)}</small>`;
}

const card = (software: boolean) => (each: Headline) =>
  html`
  <article class="headline ${each.phase}" data-workload=${each.workload} data-type=${each.dtype}>
    <h3>${phaseNames[each.phase]} <span>${[each.model, each.workload, each.dtype].filter(Boolean).join(" · ")}</span></h3>
    <p class="main">${figure(each.main)}</p>
    ${each.whole === undefined ? nothing : html`<p>${each.whole}</p>`}
    <p>${figure(each.rate)}</p>
    <p>${each.share}</p>
    <p class="meaning">${each.meaning}</p>
    ${software ? html`<p class="chip software">a CPU's number</p>` : nothing}
  </article>
`;

/** Remarks come with the most important first: these are always in sight, the others one press away. */
const IN_SIGHT = 3;

function remarks(warnings: readonly string[]): TemplateResult | typeof nothing {
  if (warnings.length === 0) return nothing;
  const list = (some: readonly string[]) =>
    html`<ul>${some.map((warning) => html`<li>${warning}</li>`)}</ul>`;
  const folded = warnings.slice(IN_SIGHT);
  return html`<div class="notice warnings">
    ${list(warnings.slice(0, IN_SIGHT))}
    ${folded.length === 0 ? nothing : html`<details><summary>${folded.length} more</summary>${list(folded)}</details>`}
  </div>`;
}

/** A result, however it came here. */
export function reportView({ report, shared }: Shown, link: State["link"], actions: Actions): TemplateResult {
  const { title, subtitle, warnings, headlines, tables, comparisons, rooflines, software } = report;
  const { breakdowns = [], curves = [] } = report;
  return html`
    <section class="report" aria-label="Result">
      <h2>${title}</h2>
      <p>${subtitle}</p>
      ${remarks(warnings)}
      <div class="headlines">${headlines.map(card(software))}</div>
      <p class="actions">
        ${shared ? nothing : html`<button type="button" @click=${actions.copyLink}>Copy link</button>`}
        <button type="button" @click=${actions.showAmongChips}>Among the chips</button>
        <button type="button" @click=${actions.save}>Save result (JSON)</button>
        ${
          link === undefined
            ? nothing
            : html`<label class="link">
                <span role="status">${link.copied ? "Copied." : "Copy it from here:"} The whole result is in it; nothing is uploaded.</span>
                <input readonly .value=${link.url} @focus=${(event: Event) => (event.target as HTMLInputElement).select()} />
              </label>`
        }
      </p>
      ${[...breakdowns, ...curves].map((each) => chart(each.chart, each.table))}
      ${rooflines.map((each) => chart(each.chart, each.table))}
      ${comparisons.map((each) => chart(each.chart, each.table))}
      ${tables.map((each) => html`<details><summary>${each.title}</summary>${table(each)}</details>`)}
    </section>
  `;
}
