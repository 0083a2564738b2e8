import { html, type TemplateResult } from "lit";
import type { Progress } from "../../engine/run";
import type { Actions } from "../state";

/** How far the run is, how long it will take, and the button that ends it. */
export function progress(
  { label, done, total, elapsedSeconds, etaSeconds }: Omit<Progress, "result">,
  actions: Actions,
): TemplateResult {
  const left = etaSeconds === null ? "estimating" : `about ${Math.ceil(etaSeconds)} s left`;
  return html`
    <section class="progress" aria-label="Progress">
      <progress max=${total} value=${done} aria-label="Cells measured"></progress>
      <p>${label}</p>
      <p>${done} of ${total} · ${Math.round(elapsedSeconds)} s · ${left}</p>
      <button type="button" @click=${actions.cancel}>Cancel</button>
    </section>
  `;
}
