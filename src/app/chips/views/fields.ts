// Inputs that are bound to words of the question.

import { html, nothing, type TemplateResult } from "lit";
import { live } from "lit/directives/live.js";
import type { ChipsActions } from "../state";

/** What a control shows beside its value. */
export interface Option {
  readonly value: string;
  readonly text: string;
}

const typed = (event: Event) => (event.target as HTMLInputElement | HTMLSelectElement).value;

/** One of a list. */
export function choice(
  label: string,
  word: string,
  value: string,
  options: readonly Option[],
  { set }: ChipsActions,
): TemplateResult {
  return html`<label>
    <span>${label}</span>
    <select name=${word} .value=${live(value)} @change=${(event: Event) => set({ [word]: typed(event) })}>
      ${options.map((each) => html`<option value=${each.value} ?selected=${each.value === value}>${each.text}</option>`)}
    </select>
  </label>`;
}

/** A number or a short text; what is left empty goes back to its default. */
export function field(
  label: string,
  word: string,
  value: string,
  { set }: ChipsActions,
  about: { readonly title?: string; readonly range?: string } = {},
): TemplateResult {
  return html`<label title=${about.title ?? nothing}>
    <span>${label}${about.range === undefined ? nothing : html` <small>${about.range}</small>`}</span>
    <input
      name=${word}
      inputmode="decimal"
      autocomplete="off"
      spellcheck="false"
      .value=${live(value)}
      @change=${(event: Event) => set({ [word]: typed(event) })}
    />
  </label>`;
}

/** Any of a list, all of it where none is chosen. */
export function several<T extends string>(
  legend: string,
  word: string,
  chosen: readonly T[],
  options: readonly T[],
  { set }: ChipsActions,
): TemplateResult {
  const toggled = (option: T, on: boolean) =>
    options.filter((each) => (each === option ? on : chosen.includes(each))).join(",");
  return html`<fieldset class="several">
    <legend>${legend}</legend>
    ${options.map(
      (option) => html`<label class="tick">
        <input
          type="checkbox"
          name=${word}
          value=${option}
          .checked=${live(chosen.includes(option))}
          @change=${(event: Event) => set({ [word]: toggled(option, (event.target as HTMLInputElement).checked) })}
        />
        ${option}
      </label>`,
    )}
  </fieldset>`;
}

/** Values that are their own text. */
export const plainOptions = (values: readonly string[]): Option[] =>
  values.map((value) => ({ value, text: value }));
