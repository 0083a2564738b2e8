import { html, type TemplateResult } from "lit";
import { architectureIds } from "../../../analysis/prediction/architecture";
import { stacks } from "../../../analysis/prediction/stack";
import { weightFormatIds } from "../../../analysis/prediction/weight_format";
import { scenarios } from "../../../analysis/scenarios";
import { bounds, scenarioOf, written } from "../../../report/race/question";
import type { ChipsActions, ChipsState } from "../state";
import { choice, field, plainOptions } from "./fields";

const range = (word: keyof typeof bounds) => ({ title: bounds[word].map(written).join(" … ") });

/** What every chip is asked. */
export function controls({ question }: ChipsState, actions: ChipsActions): TemplateResult {
  const { model, weights, prompt, cached, output, batch, chips, stack } = question;
  const { id } = scenarioOf(question);
  const requests = scenarios.map((each) => ({
    value: each.id,
    text: `${each.title} (${each.prompt} in, ${each.output} out)`,
  }));
  const own = { value: "own", text: `${prompt} in, ${output} out` };
  return html`
    <form class="controls" aria-label="Question" @submit=${(event: Event) => event.preventDefault()}>
      <div class="fields">
        ${choice("Model", "model", model, plainOptions(architectureIds), actions)}
        ${choice("Weights", "weights", weights, plainOptions(weightFormatIds), actions)}
        ${choice("Request", "scenario", id, id === "own" ? [own, ...requests] : requests, actions)}
        ${field("Batch", "batch", String(batch), actions, range("batch"))}
      </div>
      <details>
        <summary>More of the question</summary>
        <div class="fields">
          ${field("Prompt tokens", "prompt", String(prompt), actions, range("prompt"))}
          ${field("of them in a cache", "cached", String(cached), actions, range("cached"))}
          ${field("Tokens written", "output", String(output), actions, range("output"))}
          ${field("Chips (auto or a number)", "chips", String(chips), actions, range("chips"))}
          ${choice("Runtime", "stack", stack, plainOptions(["usual", ...stacks]), actions)}
        </div>
        <p>The address of this page keeps the question.</p>
      </details>
    </form>
  `;
}
