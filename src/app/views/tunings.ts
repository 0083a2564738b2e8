import { html, nothing, type TemplateResult } from "lit";
import { sorted } from "../../tuning_records";
import { placeOf } from "../known_tunings";
import type { Actions, State } from "../state";

function importChosen(event: Event, { importTunings }: Actions): void {
  const input = event.target as HTMLInputElement;
  const file = input.files?.[0];
  if (file !== undefined) importTunings(file);
  // The same file can be chosen again.
  input.value = "";
}

/** What is known of this device's best kernels, and what can be done with it. */
export function tunings(state: State, actions: Actions): TemplateResult {
  const { tunings, progress, planned } = state;
  const place = placeOf(state);
  const { usable, ignored } = place === undefined ? { usable: [], ignored: [] } : sorted(tunings.all, place);
  const able = place !== undefined && progress === undefined && planned;
  return html`
    <section class="tunings" aria-label="Tunings">
      <p>
        Tuned here before: <strong>${usable.length} ${usable.length === 1 ? "kernel" : "kernels"}</strong>.
        A run uses what is known and searches for the rest.
        ${ignored.length === 0 ? nothing : html`Known, but not used: ${ignored.join("; ")}.`}
        ${tunings.stored ? nothing : "This browser does not store tunings: they are gone when the page is closed."}
      </p>
      <p class="actions">
        <button
          type="button"
          title="Runs the plan and searches for the best kernels again"
          ?disabled=${!able}
          @click=${actions.tuneAfresh}
        >
          Tune afresh
        </button>
        <button type="button" ?disabled=${tunings.all.length === 0} @click=${actions.exportTunings}>Export tunings</button>
        <label class="file">
          Import tunings…
          <input type="file" accept=".json,application/json" @change=${(event: Event) => importChosen(event, actions)} />
        </label>
      </p>
      <p role="status">${tunings.said}</p>
    </section>
  `;
}
