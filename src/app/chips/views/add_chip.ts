import { html, nothing, type TemplateResult } from "lit";
import { live } from "lit/directives/live.js";
import { chip } from "../../../chips";
import type { ChipsActions, ChipsState } from "../state";

/** A chip's file to begin with. */
function example(): string {
  const known = chip("rtx-4090");
  return JSON.stringify({ ...known, id: "my-chip", name: "My chip" }, null, 1);
}

function fileChosen(event: Event, { addFile }: ChipsActions): void {
  const input = event.target as HTMLInputElement;
  const file = input.files?.[0];
  if (file !== undefined) addFile(file);
  // The same file can be chosen again.
  input.value = "";
}

function submitted(event: SubmitEvent, { add }: ChipsActions): void {
  event.preventDefault();
  const form = event.target as HTMLFormElement;
  add(String(new FormData(form).get("chip") ?? ""));
}

/** A chip of the user's own, checked like the ones here. */
export function addChip({ added }: ChipsState, actions: ChipsActions): TemplateResult {
  const { chips, draft, said, problem, kept } = added;
  return html`
    <details class="add" ?open=${chips.length > 0}>
      <summary>Add a chip</summary>
      <p>
        A chip is one JSON object in base units with a source for every figure. It stays in this browser and takes part in
        every table and chart below.
      </p>
      <form @submit=${(event: SubmitEvent) => submitted(event, actions)}>
      <label>
        <span>The chip as JSON</span>
        <textarea
          name="chip"
          rows="8"
          spellcheck="false"
          aria-describedby="chip-problem"
          .value=${live(draft)}
          @change=${(event: Event) => actions.draft((event.target as HTMLTextAreaElement).value)}
        ></textarea>
      </label>
      <p id="chip-problem" class=${problem === undefined ? nothing : "refused"} aria-live="polite">${problem ?? ""}</p>
      <p class="actions">
        <button type="submit" class="primary">Add</button>
        <label class="file">
          From a file…
          <input type="file" accept=".json,application/json" @change=${(event: Event) => fileChosen(event, actions)} />
        </label>
        <button type="button" @click=${() => actions.draft(example())}>Fill in an example</button>
      </p>
      </form>
      <p role="status">${said}${kept ? "" : " This browser does not keep it: it is gone when the page is closed."}</p>
      ${
        chips.length === 0
          ? nothing
          : html`<ul class="added">
              ${chips.map(
                ({ id, name }) => html`<li>
                  ${name} <code>${id}</code>
                  <button type="button" aria-label=${`Remove ${name}`} @click=${() => actions.remove(id)}>Remove</button>
                </li>`,
              )}
            </ul>`
      }
    </details>
  `;
}
