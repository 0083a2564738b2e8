import { html, type TemplateResult } from "lit";
import { live } from "lit/directives/live.js";
import { forwardCases, forwardSeconds } from "../../forward_result";
import { type Plan, type Preset, presets, workloadsOf } from "../../plan";
import { trainingCases, trainingSeconds } from "../../training_result";
import { duration, memory } from "../../units";
import { modelIds } from "../../workloads";
import type { Actions, State } from "../state";
import { modelPicker } from "./model_picker";
import { tunings } from "./tunings";

/** What a preset costs, before it is started. */
const costs: Readonly<Record<Preset, string>> = {
  quick: "a shorter search; some two minutes on a CPU",
  standard: "some minutes, of which most go into tuning the first time",
  rigorous: "some minutes, for figures to compare",
  smoke: "some seconds, with a tiny model, to see whether it works",
};

const text = (event: Event) => (event.target as HTMLInputElement | HTMLSelectElement).value;

function choice(
  label: string,
  word: string,
  value: string,
  options: readonly string[],
  { set }: Actions,
): TemplateResult {
  // A list from the address stays choosable as it is.
  const all = options.includes(value) ? options : [value, ...options];
  return html`<label>
    <span>${label}</span>
    <select name=${word} .value=${live(value)} @change=${(event: Event) => set({ [word]: text(event) })}>
      ${all.map((option) => html`<option value=${option} ?selected=${option === value}>${option}</option>`)}
    </select>
  </label>`;
}

function field(
  label: string,
  word: string,
  value: readonly (string | number)[],
  { set }: Actions,
): TemplateResult {
  return html`<label>
    <span>${label}</span>
    <input name=${word} autocomplete="off" spellcheck="false" .value=${live(value.join(",") || "0")} @change=${(event: Event) => set({ [word]: text(event) })} />
  </label>`;
}

/** Whether models are run whole too, and how much longer that takes. */
function wholeModels(plan: Plan, { set }: Actions): TemplateResult {
  const runs = forwardCases({ ...plan, forward: true }).length;
  const time = duration(forwardSeconds[plan.preset] * runs);
  return html`<label class="check">
    <input
      type="checkbox"
      name="forward"
      .checked=${live(plan.forward)}
      ?disabled=${plan.model.length === 0}
      @change=${(event: Event) => set({ forward: (event.target as HTMLInputElement).checked ? "on" : "off" })}
    />
    <span>Run the whole model too: time to first token, time per token (about ${time} more on a GPU)</span>
  </label>`;
}

/** Whether models are trained too, and how much longer that takes. */
function trainedModels(plan: Plan, { set }: Actions): TemplateResult {
  const runs = trainingCases({ ...plan, train: true }).filter(({ dtype }) => dtype === "f32").length;
  const time = duration(trainingSeconds[plan.preset] * runs);
  return html`<label class="check">
    <input
      type="checkbox"
      name="train"
      .checked=${live(plan.train)}
      ?disabled=${plan.model.length === 0}
      @change=${(event: Event) => set({ train: (event.target as HTMLInputElement).checked ? "on" : "off" })}
    />
    <span>Train the model too, in f32: forwards, backwards, AdamW (about ${time} more on a GPU; small models)</span>
  </label>`;
}

const summary = (plan: Plan) =>
  `${workloadsOf(plan)
    .map(({ id }) => id)
    .join(
      ", ",
    )} in ${plan.dtype.join(" and ")}; up to ${memory(plan.memory)} of GPU memory; ${costs[plan.preset]}.`;

/** What to run, and the button. */
export function controls(state: State, actions: Actions): TemplateResult {
  const { plan, environment, progress, planned } = state;
  const able = environment.kind === "ready" && progress === undefined && planned;
  return html`
    <form
      class="controls"
      @submit=${(event: Event) => {
        event.preventDefault();
        actions.run();
      }}
    >
      ${choice("Model", "model", plan.model.join(","), modelIds, actions)}
      ${choice("Preset", "preset", plan.preset, presets, actions)}
      <button class="primary" type="submit" ?disabled=${!able}>Run</button>
      <details>
        <summary>More settings</summary>
        <div class="fields">
          ${field("Prompt tokens (pp)", "pp", plan.pp, actions)}
          ${field("Tokens written (tg)", "tg", plan.tg, actions)}
          ${field("Depth", "depth", plan.depth, actions)}
          ${field("Batch", "batch", plan.batch, actions)}
          ${field("Types", "dtype", plan.dtype, actions)}
        </div>
        ${wholeModels(plan, actions)}
        ${trainedModels(plan, actions)}
        <p>Lists multiply: <code>depth=0,4096</code>. The address of this page keeps the settings.</p>
        ${tunings(state, actions)}
      </details>
      <p class="summary">${summary(plan)}</p>
      ${modelPicker(state, actions)}
    </form>
  `;
}
