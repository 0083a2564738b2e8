import { html, type TemplateResult } from "lit";
import { sorted } from "../../tuning_records";
import { placeOf } from "../known_tunings";
import type { Actions, State } from "../state";
import type { Picker } from "./model_picker_element";

/** What fits is worked out by code that a page does not have to wait for. */
const loadPicker = () => void import("./model_picker_element");

/** What models take, whether they fit, how long the run will take, and the choice among them. */
export function modelPicker(state: State, { set }: Actions): TemplateResult {
  loadPicker();
  const { plan, environment, progress } = state;
  const place = placeOf(state);
  const picker: Picker = {
    plan,
    device: environment.kind === "ready" ? environment.device : undefined,
    tuned: place !== undefined && sorted(state.tunings.all, place).usable.length > 0,
    running: progress !== undefined,
    set,
  };
  return html`<tokenroof-models .picker=${picker}></tokenroof-models>`;
}
