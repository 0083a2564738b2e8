import { html, nothing, type TemplateResult } from "lit";
import { live } from "lit/directives/live.js";
import { chipClasses } from "../../../chips/chip";
import { MOST_PICKED, roles, sortKeys, written } from "../../../report/race/question";
import type { RaceView } from "../../../report/race/views";
import { header } from "../../views/header";
import { table } from "../../views/table";
import type { ChipsActions, ChipsState } from "../state";
import { addChip } from "./add_chip";
import { assumptions } from "./assumptions";
import { controls } from "./controls";
import { choice, field, several } from "./fields";
import { type SectionParts, section } from "./section";

/** Whether a chip is in the charts: one's own always are. */
const pickBox =
  ({ entries, question }: ChipsState, { pick }: ChipsActions) =>
  (id: string) => {
    const entry = entries.find((each) => each.id === id);
    const own = entry?.origin !== "reference";
    const picked = question.pick.includes(id);
    return html`<input
      type="checkbox"
      class="pick"
      aria-label=${`${entry?.name ?? id} in charts`}
      title="in the charts and tables below"
      .checked=${live(own || picked)}
      ?disabled=${own || (!picked && question.pick.length >= MOST_PICKED)}
      @change=${(event: Event) => pick(id, (event.target as HTMLInputElement).checked)}
    />`;
  };

const filters = ({ question }: ChipsState, actions: ChipsActions) => html`
  <div class="filters">
    ${several("Class", "class", question.class, chipClasses, actions)}
    ${several("Sold for", "role", question.role, roles, actions)}
  </div>
`;

/** The two chips that share the work, and the life of the model. */
function splitControls({ question, entries }: ChipsState, actions: ChipsActions): TemplateResult {
  const chips = entries.map(({ id, name }) => ({ value: id, text: name }));
  return html`<div class="fields">
    ${choice("Prefill on", "prefill", question.prefill, chips, actions)}
    ${choice("Decode on", "decode", question.decode, chips, actions)}
    ${field("Training tokens", "training", written(question.training), actions)}
    ${field("Requests over its life", "requests", written(question.requests), actions)}
  </div>`;
}

function partsOf({ name }: RaceView, state: ChipsState, actions: ChipsActions): SectionParts {
  if (name === "cost") return { before: assumptions(state, actions) };
  if (name === "split") return { before: splitControls(state, actions) };
  if (name !== "compare") return {};
  const sort = (key: string) => {
    const by = sortKeys.find((each) => each === key);
    if (by !== undefined) actions.sort(by);
  };
  const use = { sort, lead: pickBox(state, actions), tall: true };
  return { before: filters(state, actions), tableOf: (each) => table(each, use) };
}

const measuredLine = ({ measured }: ChipsState) =>
  measured === undefined
    ? html`<p class="device">
        <span><a href="./">Measure this device</a> to see it here: “Among the chips” stands under every result.</span>
      </p>`
    : html`<p class="device">
        <span class="chip">measured</span> <strong>${measured.chip.name}</strong>
        <span>as a shared result tells; other models follow from its own calls</span>
      </p>`;

/** What a screen reader is told as the tables change. */
function announcement({ views, question: { sort } }: ChipsState): string {
  const rows = views.find(({ name }) => name === "compare")?.tables[0]?.rows.length ?? 0;
  return `${rows} chips, by ${sort.by}, ${sort.descending ? "greatest" : "least"} first`;
}

/** The whole page of the chips. */
export function chipsPage(state: ChipsState, actions: ChipsActions): TemplateResult {
  const { views, problem } = state;
  return html`
    ${header("chips", "What would a language model do on the chips of the race: how fast, at what cost, and who should read and who write?")}
    <main>
      <p class="spoken" role="status">${announcement(state)}</p>
      ${problem === undefined ? nothing : html`<p class="notice bad sticky" role="alert">${problem}</p>`}
      ${measuredLine(state)}
      ${controls(state, actions)}
      <nav class="anchors" aria-label="Views">
        ${views.map(({ name, title }) => html`<a href=${`#${name}`}>${title}</a>`)}
      </nav>
      ${addChip(state, actions)}
      ${views.map((view) => section(view, actions, partsOf(view, state, actions)))}
    </main>
    <footer>
      <p>
        Predictions from published figures, not measurements: each carries an interval of 90 % and its source under the
        pointer or behind its link. What is missing is named, not guessed. Nothing leaves this page.
      </p>
      <p>Tokenroof ${__VERSION__} (${__COMMIT__})</p>
    </footer>
  `;
}
