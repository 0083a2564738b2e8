import { html, nothing, type TemplateResult } from "lit";
import { memory } from "../../units";
import type { Advice } from "../advice";
import type { Environment } from "../state";

const steps = ({ says, steps }: Advice) => html`
  <strong>${says}</strong>
  <ul>
    ${steps.map((step) => html`<li>${step}</li>`)}
  </ul>
`;

/** What this browser has to measure on, or why it has nothing. */
export function environment(found: Environment): TemplateResult | typeof nothing {
  switch (found.kind) {
    case "not asked":
      return nothing;
    case "looking":
      return html`<p class="device">Looking for a GPU …</p>`;
    case "unable":
      return html`<section class="notice bad" role="alert">
        ${steps(found.advice)} ${found.detail === undefined ? nothing : html`<p>${found.detail}</p>`}
        <p>Results that others share open here all the same.</p>
      </section>`;
    case "ready": {
      const { vendor, architecture, description, software, features, limits } = found.device;
      const name =
        description ||
        [vendor, architecture].filter(Boolean).join(" ") ||
        "a device that keeps its name to itself";
      return html`
        ${found.advice === undefined ? nothing : html`<section class="notice">${steps(found.advice)}</section>`}
        <p class="device">
          <span class="chip ${software === null ? "" : "software"}">${software === null ? "GPU" : "CPU"}</span>
          <strong>${name}</strong>
          <span>${features.includes("shader-f16") ? "f16" : "no f16"}</span>
          <span>${features.includes("timestamp-query") ? "GPU timestamps" : "wall clock only"}</span>
          <span>bindings up to ${memory(limits.maxStorageBufferBindingSize ?? 0)}</span>
        </p>
      `;
    }
  }
}
