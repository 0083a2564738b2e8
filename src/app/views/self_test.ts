import { html, nothing, type TemplateResult } from "lit";
import { selfTestTable } from "../../report/self_test_report";
import type { Actions, State } from "../state";
import { table } from "./table";

/** The button that tests the instruments, and what came of it. */
export function selfTestPanel({ selfTest, environment, progress }: State, actions: Actions): TemplateResult {
  const running = selfTest.kind === "running";
  const able = environment.kind === "ready" && progress === undefined && !running;
  return html`
    <details class="self-test" ?open=${selfTest.kind !== "none"}>
      <summary>Test the instruments</summary>
      <p>
        What can be told apart here? Empty kernels, a copy of known size, a kernel timed twice, and the same with a tenth
        more to do: some ten seconds on a GPU.
      </p>
      <p>
        <button type="button" ?disabled=${!able} @click=${actions.testInstruments}>Run the self-test</button>
        <span role="status">${running ? `${selfTest.label} …` : ""}</span>
      </p>
      ${selfTest.kind === "failed" ? html`<p class="notice bad" role="alert">${selfTest.problem}</p>` : nothing}
      ${selfTest.kind === "done" ? table(selfTestTable(selfTest.test)) : nothing}
    </details>
  `;
}
