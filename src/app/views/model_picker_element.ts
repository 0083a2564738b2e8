// <tokenroof-models>: what fits on this device and how long a run will take, from what is known before it is started.

import { html, nothing, render, type TemplateResult } from "lit";
import { modelFit, questionOf } from "../../analysis/model_fit";
import { type RunTime, runTime } from "../../analysis/run_time";
import { type DType, dtypes } from "../../kernels/elements";
import { memoryBudget, type Plan, workloadsOf } from "../../plan";
import { fitSentence, fitTable, runTimeText } from "../../report/model_fit_report";
import type { DeviceInfo } from "../../result";
import { modelIds } from "../../workloads";
import { knownSpeed } from "../device_speed";
import { hostInfo } from "../engine_client";
import { table } from "./table";

export interface Picker {
  readonly plan: Plan;
  /** Undefined as long as it is not known. */
  readonly device: DeviceInfo | undefined;
  /** Whether kernels are known from before. */
  readonly tuned: boolean;
  readonly running: boolean;
  readonly set: (changes: Readonly<Record<string, string>>) => void;
}

/** What has to fit here. */
const asked = (plan: Plan) => questionOf(plan, memoryBudget(plan, hostInfo().mobile));

class PickerElement extends HTMLElement {
  #picker: Picker | undefined;
  #open = false;
  #shown = "";

  set picker(picker: Picker) {
    this.#picker = picker;
    this.#show();
  }

  connectedCallback(): void {
    // Set on the element before this code had loaded: it hides the setter.
    const early = Object.getOwnPropertyDescriptor(this, "picker");
    if (early !== undefined) {
      Reflect.deleteProperty(this, "picker");
      this.picker = early.value;
    }
  }

  #show(): void {
    if (this.#picker === undefined) return;
    const { plan, device, tuned, running } = this.#picker;
    // The page is drawn again at every step of a run; this changes with the plan and the device.
    const now = JSON.stringify([plan, device, tuned, running, this.#open]);
    if (now === this.#shown) return;
    this.#shown = now;
    render(this.#view(this.#picker), this);
  }

  #view({ plan, device, tuned, running, set }: Picker): TemplateResult {
    const speed = device === undefined ? undefined : knownSpeed(device);
    const question = asked(plan);
    const sentences = plan.model.flatMap((model) =>
      plan.dtype.map((dtype) => fitSentence(modelFit(model, { ...question, dtype }, device), device)),
    );
    const toggled = (event: Event) => {
      this.#open = (event.target as HTMLDetailsElement).open;
      this.#show();
    };
    return html`
      <p class="summary time">${runTimeText(runTime(plan, workloadsOf(plan), speed, tuned))}</p>
      <details @toggle=${toggled}>
        <summary>What fits, and how long it takes</summary>
        ${plan.forward ? html`<ul>${sentences.map((sentence) => html`<li>${sentence}</li>`)}</ul>` : nothing}
        ${this.#open ? this.#table({ plan, device, tuned, running, set }) : nothing}
      </details>
    `;
  }

  /** Every model in every type, each to be chosen. */
  #table({ plan, device, tuned, running, set }: Picker): TemplateResult {
    const speed = device === undefined ? undefined : knownSpeed(device);
    const timeOf = (name: string, dtype: DType): RunTime | undefined => {
      const model = modelIds.filter((each) => each === name);
      const one = { ...plan, model, dtype: [dtype], forward: true };
      return runTime(one, workloadsOf(one), speed, tuned);
    };
    const shown = fitTable(modelIds, dtypes, asked(plan), device, timeOf);
    const choose = (id: string) => {
      const [model = "", dtype = ""] = id.split(" ");
      const chosen = plan.model.join() === model && plan.dtype.join() === dtype && plan.forward;
      return html`<button
        type="button"
        class="choose"
        aria-pressed=${chosen ? "true" : "false"}
        aria-label=${`Choose ${id}`}
        ?disabled=${running || !shown.able.has(id)}
        @click=${() => set({ model, dtype, forward: "on" })}
      >
        ${chosen ? "Chosen" : "Choose"}
      </button>`;
    };
    return table(shown, { lead: choose });
  }
}

customElements.define("tokenroof-models", PickerElement);
