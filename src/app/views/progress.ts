import { html, type TemplateResult } from "lit";
import type { Progress } from "../../engine/run";
import type { Actions, Mishaps } from "../state";

/** What the run has met with, and what comes of it. */
function remarks({ hidden, timesHidden, restarts, kept }: Mishaps): string[] {
  const said: string[] = [];
  if (hidden)
    said.push(
      "The page is hidden, and browsers slow such pages down: the run waits, a minute at most for each cell.",
    );
  else if (timesHidden > 0)
    said.push("The page was hidden: what was measured meanwhile is measured again, or marked.");
  if (restarts > 0)
    said.push(
      `The worker died${restarts === 1 ? "" : ` ${restarts} times`}: another one goes on with the next cell.`,
    );
  if (!kept)
    said.push(
      "Should this page be closed or crash, the run cannot be resumed: this browser does not store it, or another tab is measuring.",
    );
  return said;
}

/** How far the run is, how long it will take, and the button that ends it. */
export function progress(
  { label, done, total, elapsedSeconds, etaSeconds }: Omit<Progress, "result">,
  mishaps: Mishaps,
  actions: Actions,
): TemplateResult {
  const left = etaSeconds === null ? "estimating" : `about ${Math.ceil(etaSeconds)} s left`;
  return html`
    <section class="progress" aria-label="Progress">
      <progress max=${total} value=${done} aria-label="Cells measured"></progress>
      <p>${label}</p>
      <p>${done} of ${total} · ${Math.round(elapsedSeconds)} s · ${left}</p>
      ${remarks(mishaps).map((remark) => html`<p class="remark">${remark}</p>`)}
      <button type="button" @click=${actions.cancel}>Cancel</button>
    </section>
  `;
}
