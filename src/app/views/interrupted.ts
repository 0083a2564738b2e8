import { html, nothing, type TemplateResult } from "lit";
import type { Interrupted } from "../crash_marker";
import { measuredCells } from "../interruption";
import type { Actions, State } from "../state";

/** Where the last run was when its page went. */
export function whereItStopped({ result, cells, cell }: Interrupted): string {
  const at = cell === undefined ? "" : ` at ${cell}`;
  return `The last run stopped${at} with ${measuredCells(result)} of ${cells} cells measured.`;
}

/** A run that was cut short, and what can be done with it. */
export function interruptedNotice(
  { interrupted, environment, shown }: State,
  actions: Actions,
): TemplateResult | typeof nothing {
  if (interrupted === undefined) return nothing;
  const { result, resumable } = interrupted;
  const show = measuredCells(result) > 0 && shown?.result !== result;
  return html`
    <section class="notice" aria-label="Interrupted run">
      <p>
        ${whereItStopped(interrupted)}
        ${resumable ? nothing : "Another version of this page or of the browser began it, so it cannot be resumed."}
      </p>
      <p class="actions">
        ${
          resumable
            ? html`<button type="button" ?disabled=${environment.kind !== "ready"} @click=${actions.resume}>Resume</button>`
            : nothing
        }
        ${show ? html`<button type="button" @click=${actions.showInterrupted}>Show what was measured</button>` : nothing}
        <button type="button" @click=${actions.discard}>Discard</button>
      </p>
    </section>
  `;
}
