import { html, nothing, type TemplateResult } from "lit";
import { givens } from "../../../analysis/economics/assumption_table";
import { type Assumption, coolings } from "../../../analysis/economics/assumptions";
import { bounds, written } from "../../../report/race/question";
import type { ChipsActions, ChipsState } from "../state";
import { choice, field, plainOptions } from "./fields";

const about = ({ label, range: [low, high], quote, asOf }: Omit<Assumption, "value">) => ({
  title: `${label}${quote === "" ? "" : `: ${quote}`}${asOf === "" ? "" : ` (${asOf})`}`,
  range: `${written(low)} … ${written(high)}`,
});

/** Every assumption as an input: what is left empty goes back to its sourced default. */
export function assumptions({ question, entries }: ChipsState, actions: ChipsActions): TemplateResult {
  const { cooling, values, given } = question.assumptions;
  const title = (key: string, unit: string) => (unit === "" ? key : `${key}, ${unit}`);
  const isOwn = entries.some(({ origin }) => origin !== "reference");
  return html`
    <details class="assumptions">
      <summary>Change the assumptions</summary>
      <div class="fields">
        ${field("demand, output tokens/s", "demand", written(question.demand), actions, { range: bounds.demand.map(written).join(" … ") })}
        ${choice("cooling", "cooling", cooling, plainOptions(coolings), actions)}
        ${Object.entries(values).map(([key, each]) =>
          field(title(key, each.unit), key, String(each.value), actions, about(each)),
        )}
        ${
          isOwn
            ? Object.entries(givens).map(([key, each]) => {
                const value = Object.entries(given).find(([name]) => name === key)?.[1].value;
                return field(
                  `own ${title(key, each.unit)}`,
                  key,
                  value === undefined ? "" : String(value),
                  actions,
                  about(each),
                );
              })
            : nothing
        }
      </div>
    </details>
  `;
}
