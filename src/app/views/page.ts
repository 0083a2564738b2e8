import { html, nothing, type TemplateResult } from "lit";
import type { Actions, State } from "../state";
import { controls } from "./controls";
import { environment } from "./environment";
import { header } from "./header";
import { interruptedNotice, whereItStopped } from "./interrupted";
import { ownWeights } from "./own_weights";
import { progress } from "./progress";
import { reportView } from "./report";
import { selfTestPanel } from "./self_test";

const sharedNotice = html`<p class="notice">
  A shared result, measured elsewhere and reported by whoever made the link.
  <a href=${location.pathname}>Measure this device</a>
</p>`;

/** What a screen reader is told as the page changes; it has to be there before its text is. */
function announcement({ progress, shown, environment, interrupted }: State): string {
  if (progress !== undefined) return progress.label;
  if (shown !== undefined)
    return `Result: ${shown.report.headlines.map(({ workload, main }) => `${workload} ${main}`).join(", ")}`;
  if (interrupted !== undefined) return whereItStopped(interrupted);
  return environment.kind === "ready" ? "Ready to measure" : "";
}

/** The whole page. */
export function page(state: State, actions: Actions): TemplateResult {
  return html`
    ${header("measure", "How fast does this GPU read a prompt and write an answer, and how close is that to what it physically can?")}
    <main>
      <p class="spoken" role="status">${announcement(state)}</p>
      ${state.problem === undefined ? nothing : html`<p class="notice bad" role="alert">${state.problem}</p>`}
      ${state.progress === undefined ? nothing : progress(state.progress, state.mishaps, actions)}
      ${state.progress === undefined && !state.shown?.shared ? interruptedNotice(state, actions) : nothing}
      ${state.progress === undefined && state.shown === undefined ? environment(state.environment) : nothing}
      ${state.shown?.shared ? sharedNotice : controls(state, actions)}
      ${state.shown === undefined ? nothing : reportView(state.shown, state.link, actions)}
      ${state.environment.kind === "ready" ? ownWeights(state, actions) : nothing}
      ${state.environment.kind === "ready" ? selfTestPanel(state, actions) : nothing}
    </main>
    <footer>
      <p>
        Synthetic weights, nothing is downloaded and nothing leaves this page. Every kernel is checked against float64
        before it is timed; every figure carries an interval; every reference figure its source.
      </p>
      <p>Tokenroof ${__VERSION__} (${__COMMIT__})</p>
    </footer>
  `;
}
