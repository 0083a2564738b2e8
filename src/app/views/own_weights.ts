import { html, nothing, type TemplateResult } from "lit";
import { live } from "lit/directives/live.js";
import { dtypes } from "../../kernels/elements";
import { textReport } from "../../report/text_report";
import { USUAL_TOKENS } from "../../text_result";
import { memory, percent } from "../../units";
import type { Actions, State, TextState } from "../state";
import { topFiles } from "../text_client";
import { table } from "./table";

/** GiB to choose from. */
const MEMORY = [0.25, 0.5, 1, 2, 4, 8, 16, 32, 64];

const typed = (event: Event) =>
  (event.target as HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement).value;

function chosen(event: Event, { setText }: Actions): void {
  const input = event.target as HTMLInputElement;
  setText({ files: topFiles(input.files ?? []) });
}

/** What was chosen, so that one sees that it was the right folder. */
function fileLine({ files }: TextState): string {
  if (files.length === 0) return "No files chosen.";
  const bytes = files.reduce((sum, { file }) => sum + file.size, 0);
  const names = files.slice(0, 6).map(({ name }) => name);
  const more = files.length > names.length ? ` and ${files.length - names.length} more` : "";
  return `${names.join(", ")}${more}: ${memory(bytes)}.`;
}

function progressLine({ progress }: TextState): string {
  if (progress === undefined) return "";
  const { stage, dtype, done, total } = progress;
  const far =
    stage === "loading the weights"
      ? ` ${percent(done / total)}`
      : stage === "writing"
        ? ` token ${done} of at most ${total}`
        : "";
  return `${stage}${dtype === null ? "" : ` in ${dtype}`}${far} …`;
}

/** The text as it comes, and what came of it. Text is text here: a model that writes markup shows markup. */
function written({ prompt, progress, outcome }: TextState): TemplateResult {
  if (progress !== undefined)
    return html`<pre class="written" aria-label="Text"><span class="prompt">${prompt}</span>${progress.text}</pre>`;
  if (outcome === undefined) return html``;
  if (!outcome.ok) return html`<p class="notice bad" role="alert">${outcome.problem}</p>`;
  const { result } = outcome;
  const { subtitle, warnings, tables } = textReport(result);
  return html`
    ${result.texts.map(
      ({ dtype, text, tokens }) => html`<h3>In ${dtype}</h3>
        <pre class="written" aria-label="Text"><span class="prompt">${result.prompt}</span>${text ?? ` ${tokens.join(" ")}`}</pre>`,
    )}
    <p>${subtitle}.</p>
    ${warnings.map((warning) => html`<p class="notice">${warning}</p>`)}
    ${tables.map((each) => table(each))}
  `;
}

/** The picker of the user's own weights, and the text that they write. */
export function ownWeights(
  { text, progress: running, environment }: State,
  actions: Actions,
): TemplateResult {
  const { setText } = actions;
  const busy = text.progress !== undefined;
  const able = environment.kind === "ready" && running === undefined && !busy && text.files.length > 0;
  return html`
    <details class="own-weights" ?open=${busy || text.outcome !== undefined}>
      <summary>Write a text with your own weights</summary>
      <p>
        A model's folder from Hugging Face (safetensors, config.json, tokenizer.json) or a GGUF file (F32, F16, BF16, Q8_0, Q4_0, Q6_K): read
        from this device, run by the same kernels, uploaded nowhere. What it writes is the proof that a transformer is computed.
      </p>
      <p class="actions">
        <label class="file">
          Choose files…
          <input
            type="file"
            name="weights"
            multiple
            accept=".safetensors,.gguf,.json,application/json"
            ?disabled=${busy}
            @change=${(event: Event) => chosen(event, actions)}
          />
        </label>
        <label class="file">
          Choose a folder…
          <input type="file" name="weights-folder" webkitdirectory ?disabled=${busy} @change=${(event: Event) => chosen(event, actions)} />
        </label>
        <span>${fileLine(text)}</span>
      </p>
      <label>
        <span>Prompt</span>
        <textarea
          name="prompt"
          rows="2"
          spellcheck="false"
          .value=${live(text.prompt)}
          @input=${(event: Event) => setText({ prompt: typed(event) })}
        ></textarea>
      </label>
      <div class="fields">
        <label>
          <span>Type</span>
          <select
            name="text-dtype"
            @change=${(event: Event) => setText({ dtype: dtypes.find((each) => each === typed(event)) ?? "" })}
          >
            <option value="" ?selected=${text.dtype === ""}>as stored, or closest</option>
            ${dtypes.map((each) => html`<option value=${each} ?selected=${text.dtype === each}>${each}</option>`)}
          </select>
        </label>
        <label>
          <span>Tokens at most</span>
          <input
            name="text-tokens"
            inputmode="numeric"
            autocomplete="off"
            placeholder=${USUAL_TOKENS}
            .value=${live(text.most)}
            @input=${(event: Event) => setText({ most: typed(event) })}
          />
        </label>
        <label>
          <span>GPU memory for weights</span>
          <select name="text-memory" @change=${(event: Event) => setText({ memory: Number(typed(event)) })}>
            ${MEMORY.map((each) => html`<option value=${each} ?selected=${text.memory === each}>${memory(each * 2 ** 30)}</option>`)}
          </select>
        </label>
      </div>
      <p class="actions">
        <button type="button" ?disabled=${!able} @click=${actions.write}>Write</button>
        ${busy ? html`<button type="button" @click=${actions.cancelText}>Cancel</button>` : nothing}
        <span role="status">${progressLine(text)}</span>
      </p>
      ${written(text)}
    </details>
  `;
}
